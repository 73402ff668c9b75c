"""An ONNX export in the layout of the hub, made by torch, of a tiny llama; and what transformers computes with it."""

from pathlib import Path

import onnx
import torch
from torch.export import Dim
from transformers import AutoModelForCausalLM, DynamicCache

from architectures import IDS, as_json, configuration, language_case
from weights import fill

LAYERS = 2
FIELDS = {
    "num_hidden_layers": LAYERS,
    "hidden_size": 32,
    "intermediate_size": 32,
    "head_dim": 8,
    "tie_word_embeddings": True,
}


class WithCache(torch.nn.Module):
    """Keys and values as inputs and outputs of their own."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, position_ids, *past):
        cache = DynamicCache()
        for layer in range(LAYERS):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        output = self.model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, past_key_values=cache
        )
        layers = output.past_key_values.layers
        return (output.logits, *[part for layer in layers for part in (layer.keys, layer.values)])


def names(kind: str) -> list[str]:
    return [f"{kind}.{layer}.{part}" for layer in range(LAYERS) for part in ("key", "value")]


def without_notes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Most of the file would be where each node came from."""
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.ClearField("doc_string")
    return model


def exported(folder: Path) -> dict:
    config = configuration("llama", FIELDS)
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).float().eval()
    fill(model)
    model.tie_weights()
    batch, length, past = 2, 3, 4
    caches = [torch.randn(batch, config.num_key_value_heads, past, config.head_dim) for _ in range(2 * LAYERS)]
    example = (
        torch.randint(4, config.vocab_size, (batch, length)),
        torch.ones(batch, past + length, dtype=torch.long),
        torch.arange(past, past + length).repeat(batch, 1),
        *caches,
    )
    any_size = {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}
    program = torch.onnx.export(
        WithCache(model).eval(),
        example,
        input_names=["input_ids", "attention_mask", "position_ids", *names("past_key_values")],
        output_names=["logits", *names("present")],
        dynamic_shapes=(any_size, any_size, any_size, tuple({0: Dim.DYNAMIC, 2: Dim.DYNAMIC} for _ in caches)),
        opset_version=18,
    )
    onnx.save(without_notes(program.model_proto), folder / "export.onnx")
    return {"config": as_json(config, "LlamaForCausalLM"), **language_case(model, IDS)}
