"""Tiny configurations of every architecture and head, and what transformers computes with them."""

import torch
import transformers
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from weights import fill

VOCABULARY = 384
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "eos_token_id": 2,
    "bos_token_id": 1,
}


def rope(kind: str, **fields) -> dict:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **fields}}


LLAMA3 = rope(
    "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32
)
ARCHITECTURES = {
    "smollm2": ("llama", {"tie_word_embeddings": True, **rope("default") | {}}),
    "llama": ("llama", {}),
    "llama-biases": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "llama3-scaling": ("llama", LLAMA3),
    "linear-scaling": ("llama", rope("linear", factor=4.0)),
    "yarn-scaling": ("llama", rope("yarn", factor=4.0, original_max_position_embeddings=32)),
    "dynamic-scaling": ("llama", rope("dynamic", factor=4.0)),
    "qwen2": ("qwen2", {"use_sliding_window": False, "sliding_window": 16}),
    "qwen3": ("qwen3", {"head_dim": 32, "tie_word_embeddings": True}),
    "mistral": ("mistral", {"head_dim": 24, "sliding_window": None}),
    "mistral-window": ("mistral", {"sliding_window": 64}),
    "mistral-short-window": ("mistral", {"sliding_window": 7}),
    "qwen2-some-windows": ("qwen2", {"use_sliding_window": True, "sliding_window": 12, "max_window_layers": 1}),
}
HEADS = {
    "sequence-labels": ("llama", "LlamaForSequenceClassification", {"num_labels": 1, "pad_token_id": 0}),
    "token-labels": ("qwen2", "Qwen2ForTokenClassification", {"num_labels": 2}),
    "no-head": ("qwen3", "Qwen3Model", {"head_dim": 32}),
}


def tokens(count: int) -> list[int]:
    generator = torch.Generator().manual_seed(7)
    return torch.randint(4, VOCABULARY, (count,), generator=generator).tolist()


IDS = tokens(48)


def rounded(values) -> list:
    return [round(float(value), 5) for value in values]


def configuration(kind: str, fields: dict):
    return AutoConfig.for_model(kind, **{**SHAPE, **fields})


def as_json(config, name: str) -> dict:
    contents = config.to_dict()
    kept = {key: contents[key] for key in contents if key in SHAPE or key in KEPT}
    return {**kept, "architectures": [name]}


KEPT = {
    "model_type", "head_dim", "rope_parameters", "sliding_window", "use_sliding_window", "attention_bias", "mlp_bias",
    "hidden_act", "id2label", "layer_types",
}


def language_case(model, ids: list[int]) -> dict:
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0]
        greedy = model.generate(
            torch.tensor([ids]), max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=0
        )
    chances = logits.log_softmax(-1)
    return {
        "last_logits": rounded(logits[-1]),
        "token_log_probabilities": rounded(chances[n, ids[n + 1]] for n in range(len(ids) - 1)),
        "greedy_ids": greedy[0][len(ids) :].tolist(),
    }


def language_models() -> list[dict]:
    cases = []
    for name, (kind, fields) in ARCHITECTURES.items():
        config = configuration(kind, fields)
        model = AutoModelForCausalLM.from_config(config).float().eval()
        shapes = fill(model)
        model.tie_weights()
        case = {"name": name, "config": as_json(config, type(model).__name__), "tensors": shapes}
        cases.append({**case, **language_case(model, IDS)})
    return cases


def process_reward() -> dict:
    """Qwen's process reward models: two layers with a ReLU on a plain Qwen2, in code of their own on the hub."""
    config = configuration("qwen2", {})
    body = AutoModel.from_config(config).float()
    hidden = config.hidden_size
    score = torch.nn.Sequential(torch.nn.Linear(hidden, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 2))
    model = torch.nn.ModuleDict({"model": body, "score": score}).eval()
    shapes = fill(model)
    with torch.inference_mode():
        result = score(body(torch.tensor([IDS])).last_hidden_state[0])
    contents = as_json(config, "Qwen2ForProcessRewardModel")
    return {"name": "process-reward", "config": contents, "tensors": shapes, "result": [rounded(row) for row in result]}


def head_models() -> list[dict]:
    cases = [process_reward()]
    for name, (kind, architecture, fields) in HEADS.items():
        config = configuration(kind, fields)
        model = getattr(transformers, architecture)(config).float().eval()
        shapes = fill(model)
        with torch.inference_mode():
            output = model(torch.tensor([IDS]))
        if name == "no-head":
            result = [rounded(output.last_hidden_state[0].mean(0))]
        else:
            result = [rounded(row) for row in output.logits.reshape(-1, config.num_labels)]
        contents = as_json(config, architecture)
        cases.append({"name": name, "config": contents, "tensors": shapes, "result": result})
    return cases
