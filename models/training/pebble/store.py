"""Reading checkpoints of training and exported weights; writing the Hugging Face layout."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from . import tokens
from .model import Config, Llama

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def load_checkpoint(folder: Path, device: str = "cpu") -> tuple[Llama, Tokenizer]:
    """The best checkpoint of a training folder, or an exported model."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if (folder / "model.safetensors").exists():
        fields = json.loads((folder / "config.json").read_text())
        config = Config(**{name: fields[name] for name in Config.__dataclass_fields__})
        weights = {k.removeprefix("model."): v.float() for k, v in load_file(folder / "model.safetensors").items()}
    else:
        best = folder / "best.pt"
        state = torch.load(best if best.exists() else folder / "checkpoint.pt", map_location="cpu", weights_only=True)
        config, weights = Config(**state["config"]), state["model"]
    model = Llama(config)
    model.load_state_dict(weights)
    return model.to(device).eval(), tokenizer


def export(model: Llama, tokenizer: Tokenizer, folder: Path) -> None:
    """Weights in float16, tokenizer, chat template and configurations."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {f"model.{name}": p.detach().cpu().half().contiguous() for name, p in model.named_parameters()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **model.config.to_json(),
        "head_dim": model.config.head_dim,
        "tie_word_embeddings": True,
        "hidden_act": "silu",
        "torch_dtype": "float16",
        "bos_token_id": None,
        "eos_token_id": tokens.END,
        "pad_token_id": tokens.PAD,
        "attention_bias": False,
    }
    tokenizer_config = {
        "chat_template": TEMPLATE,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": model.config.max_position_embeddings,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    generation = {"eos_token_id": tokens.END, "temperature": 0.8, "do_sample": True, "suppress_tokens": tokens.MARKS}
    for name, content in (("config", config), ("tokenizer_config", tokenizer_config), ("generation_config", generation)):
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2))
