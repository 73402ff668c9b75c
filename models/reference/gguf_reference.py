"""GGUF files of tiny checkpoints, written by the gguf package, and what transformers computes with their values."""

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from architectures import IDS, configuration, language_case, rope
from tokenizers_reference import TEMPLATE
from weights import uniform, values

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
# Every format appears; the K formats need rows of 256, which only the last projection has.
LLAMA_KINDS = [
    {"attn_q": Kind.Q8_0, "attn_k": Kind.Q4_1, "attn_v": Kind.Q4_0, "attn_output": Kind.F16,
     "ffn_gate": Kind.BF16, "ffn_up": Kind.Q5_0, "ffn_down": Kind.Q4_K},
    {"attn_q": Kind.F32, "attn_k": Kind.Q8_0, "attn_v": Kind.Q4_1, "attn_output": Kind.Q5_1,
     "ffn_gate": Kind.Q4_0, "ffn_up": Kind.Q4_1, "ffn_down": Kind.Q6_K},
    {"attn_q": Kind.Q8_0, "attn_k": Kind.Q8_0, "attn_v": Kind.Q8_0, "attn_output": Kind.Q8_0,
     "ffn_gate": Kind.Q4_0, "ffn_up": Kind.Q4_0, "ffn_down": Kind.Q5_K},
]
MODELS = {
    "llama": ("llama", {"num_hidden_layers": 3, "intermediate_size": 256, "tie_word_embeddings": True}),
    "llama3": ("llama", {"num_hidden_layers": 1, **rope(
        "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)}),
    "qwen2": ("qwen2", {"num_hidden_layers": 1}),
    "qwen3": ("qwen3", {"num_hidden_layers": 1, "head_dim": 32}),
}


def gguf_name(name: str) -> str:
    stem, kind = name.rsplit(".", 1)
    if not stem.startswith("model.layers."):
        return f"{NAMES[stem]}.{kind}"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{NAMES[part]}.{kind}"


def random_blocks(name: str, shape: tuple[int, ...], kind: Kind) -> np.ndarray:
    """Blocks of a K format, which the package cannot write: random bits with sensible scales."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    count = int(np.prod(shape)) // elements
    blocks = (uniform(name, count * size) * 256).astype(np.uint8).reshape(count, size)
    scale = (0.002 + 0.002 * uniform(f"{name} scale", count)).astype(np.float16).view(np.uint8).reshape(count, 2)
    if kind == Kind.Q6_K:
        blocks[:, 208:210] = (scale.view(np.float16) / 16).view(np.uint8)
    else:
        blocks[:, 0:2] = (scale.view(np.float16) / 4).view(np.uint8)
        blocks[:, 2:4] = scale.view(np.uint8)
    return blocks.reshape(*shape[:-1], shape[-1] // elements * size)


def quantise(name: str, array: np.ndarray, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    """Stored bytes, and the values that they stand for."""
    if kind in (Kind.Q4_K, Kind.Q5_K, Kind.Q6_K):
        data = random_blocks(name, array.shape, kind)
    else:
        data = gguf.quants.quantize(array, kind)
    return data, gguf.quants.dequantize(data, kind).astype(np.float32)


def interleave(array: np.ndarray, heads: int) -> np.ndarray:
    """The order in which llama files hold the rows of a head: the two halves of the rotary pairs in turn."""
    rows = array.shape[0]
    return array.reshape(heads, 2, rows // heads // 2, -1).swapaxes(1, 2).reshape(array.shape)


def kind_of(name: str, architecture: str) -> Kind:
    if not name.endswith(".weight") or "norm" in name:
        return Kind.F32
    if architecture != "llama":
        return Kind.Q8_0
    if name.startswith("blk."):
        _, layer, part, _ = name.split(".")
        return LLAMA_KINDS[int(layer)][part]
    return Kind.Q4_0


def add_tensors(writer: gguf.GGUFWriter, model, name: str, kind: str) -> None:
    heads = {"q_proj": model.config.num_attention_heads, "k_proj": model.config.num_key_value_heads}
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            array = values(parameter_name, tuple(parameter.shape))
            stored = gguf_name(parameter_name)
            rotated = next((count for part, count in heads.items() if f".{part}." in parameter_name), None)
            if kind == "llama" and rotated:
                # Rows change places before they are quantised, as in the files that are found in the wild.
                data, known = quantise(stored, interleave(array, rotated), kind_of(stored, name))
                order = interleave(np.arange(array.shape[0]).reshape(-1, 1), rotated).reshape(-1)
                known = known[np.argsort(order)]
            else:
                data, known = quantise(stored, array, kind_of(stored, name))
            parameter.copy_(torch.from_numpy(known.reshape(array.shape)))
            writer.add_tensor(stored, data, raw_dtype=kind_of(stored, name))
    if name == "llama3":
        plain = 10000.0 ** (-np.arange(0, 16, 2, dtype=np.float64) / 16)
        used = model.model.rotary_emb.inv_freq.double().numpy()
        writer.add_tensor("rope_freqs.weight", (plain / used).astype(np.float32))


def add_metadata(writer: gguf.GGUFWriter, config, tokenizer: Tokenizer) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if getattr(config, "head_dim", None):
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    contents = json.loads(tokenizer.to_str())
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.get)
    added = {token["content"] for token in contents["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in added else 1 for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in contents["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)


def gguf_models(folder: Path, tokenizer: Tokenizer) -> list[dict]:
    cases = []
    for name, (kind, fields) in MODELS.items():
        config = configuration(kind, fields)
        model = AutoModelForCausalLM.from_config(config).float().eval()
        writer = gguf.GGUFWriter(folder / f"{name}.gguf", kind)
        add_metadata(writer, config, tokenizer)
        add_tensors(writer, model, name, kind)
        model.tie_weights()
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        cases.append({"name": name, "file": f"{name}.gguf", **language_case(model, IDS)})
    return cases
