"""Generation with a key-value cache for many prompts at once."""

import torch
from tokenizers import Tokenizer

from . import tokens
from .model import Cache, Llama

KEPT = 0.7


@torch.inference_mode()
def generate(
    model: Llama,
    tokenizer: Tokenizer,
    prompts: list[tuple[str, str]],
    temperature: float = 0.0,
    seed: int = 0,
    limit: int = 800,
    rows: int = 128,
    given: list[str] | None = None,
) -> list[str]:
    """One completion for each (system, user) prompt, greedy at temperature 0. `given` are assistant prefixes."""
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    encoded = [tokens.prompt_ids(tokenizer, *prompt, given[n] if given else "") for n, prompt in enumerate(prompts)]
    order = sorted(range(len(encoded)), key=lambda n: len(encoded[n]))
    texts = [""] * len(encoded)
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        for n, ids in zip(chosen, _batch(model, [encoded[n] for n in chosen], temperature, generator, limit)):
            texts[n] = tokenizer.decode(ids, skip_special_tokens=False)
    return texts


def _batch(model: Llama, prompts: list[list[int]], temperature: float, generator: torch.Generator, limit: int) -> list[list[int]]:
    """Prompts are padded on the left and the padding is masked: rotary positions are relative, so it changes nothing."""
    device = generator.device
    width = max(map(len, prompts))
    total = min(width + limit, model.config.max_position_embeddings)
    ids = torch.tensor([[tokens.PAD] * (width - len(p)) + p for p in prompts], device=device)
    seen = torch.arange(total, device=device)[None] >= torch.tensor([[width - len(p)] for p in prompts], device=device)
    own = torch.eye(width, dtype=torch.bool, device=device)
    mask = (torch.ones(width, width, dtype=torch.bool, device=device).tril() & seen[:, None, :width]) | own
    c = model.config
    shape = (len(prompts), c.num_key_value_heads, total, c.head_dim)
    dtype = model.embed_tokens.weight.dtype
    caches = [Cache(*(torch.empty(shape, device=device, dtype=dtype) for _ in "kv")) for _ in model.layers]
    written: list[list[int]] = [[] for _ in prompts]
    rows, going = list(range(len(prompts))), torch.ones(len(prompts), dtype=torch.bool, device=device)
    states = model(ids, mask[:, None], caches)
    while True:
        chosen = _choose(model.logits(states[:, -1]), temperature, generator)
        going &= chosen != tokens.END
        for row, token, goes_on in zip(rows, chosen.tolist(), going.tolist()):
            if goes_on:
                written[row].append(token)
        position, left = caches[0].length + 1, int(going.sum())
        if left == 0 or position >= total:
            return written
        if left < KEPT * len(rows):
            # Rows that have ended are dropped, many at once: it copies the caches.
            rows = [row for row, goes_on in zip(rows, going.tolist()) if goes_on]
            chosen, seen = chosen[going], seen[going]
            for cache in caches:
                cache.keys, cache.values = cache.keys[going], cache.values[going]
            going = going[going]
        states = model(chosen[:, None], seen[:, None, None, :position], caches)


def _choose(logits: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
    logits[:, tokens.MARKS] = -torch.inf
    if temperature == 0:
        return logits.argmax(-1)
    return torch.multinomial((logits.float() / temperature).softmax(-1), 1, generator=generator)[:, 0]


@torch.inference_mode()
def next_logits(
    model: Llama, tokenizer: Tokenizer, prompts: list[tuple[str, str]], given: list[str] | None = None, rows: int = 64
) -> torch.Tensor:
    """Logits of the first token of each answer, or of that behind its `given` beginning, [prompts, vocabulary], on the CPU."""
    begun = given or [""] * len(prompts)
    return states_at(model, [tokens.prompt_ids(tokenizer, *prompt, text) for prompt, text in zip(prompts, begun)], rows)


@torch.inference_mode()
def states_at(model: Llama, sequences: list[list[int]], rows: int = 64) -> torch.Tensor:
    """Logits at the last position of each sequence."""
    device = next(model.parameters()).device
    order = sorted(range(len(sequences)), key=lambda n: len(sequences[n]))
    out = torch.empty(len(sequences), model.config.vocab_size)
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        width = max(len(sequences[n]) for n in chosen)
        ids = torch.tensor([sequences[n] + [tokens.PAD] * (width - len(sequences[n])) for n in chosen], device=device)
        last = torch.tensor([len(sequences[n]) - 1 for n in chosen], device=device)
        states = model(ids)[torch.arange(len(chosen), device=device), last]
        out[chosen] = model.logits(states).float().cpu()
    return out


@torch.inference_mode()
def step_scores(model: Llama, tokenizer: Tokenizer, items: list[tuple[str, str]], rows: int = 64) -> list[list[float]]:
    """Probability of "good" at each step mark for (problem text, solution in bullets), one pass each."""
    device = next(model.parameters()).device
    newline = tokenizer.encode("\n", add_special_tokens=False).ids
    scores = []
    for start in range(0, len(items), rows):
        sequences = []
        for text, solution in items[start : start + rows]:
            ids = tokens.prompt_ids(tokenizer, "verify", text)
            for line in solution.split("\n"):
                ids += [*tokenizer.encode(line, add_special_tokens=False).ids, tokens.STEP, *newline]
            sequences.append(ids)
        width = max(map(len, sequences))
        ids = torch.tensor([s + [tokens.PAD] * (width - len(s)) for s in sequences], device=device)
        logits = model.logits(model(ids))[..., [tokens.GOOD, tokens.BAD]].float().softmax(-1)[..., 0]
        scores += [logits[n][ids[n] == tokens.STEP].tolist() for n in range(len(sequences))]
    return scores
