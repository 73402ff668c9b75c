"""Quick measures by one forward pass: an answer is exact when every target token is the most probable one, which is the
same as greedy generation writing just that answer."""

import random
import re
from collections import Counter, defaultdict
from dataclasses import replace

import torch
from tokenizers import Tokenizer

from . import lexicon, practice, roles, tokens
from .batches import collate
from .generator import USUAL_SURFACE, random_structured_problem
from .model import Llama
from .problems import Problem
from .solutions import canonical, plant

UNSEEN = replace(USUAL_SURFACE, names=lexicon.names_held_out, thing=lexicon.thing_held_out)


def probe_examples(seed: int = 7, count: int = 40) -> dict[str, list[roles.Example]]:
    """Examples for each probe, on the held-out side of the split."""
    rng = random.Random(seed)
    out: dict[str, list[roles.Example]] = {}

    def problem(surface, steps: int) -> Problem:
        return random_structured_problem(rng, steps, surface, held_out=True)[1]

    for name, surface in (("seen", USUAL_SURFACE), ("unseen", UNSEEN)):
        out[f"copy {name}"] = [practice.copy(rng, surface.names) for _ in range(count)]
        out[f"find {name}"] = [practice.find(rng, surface.names) for _ in range(count)]
        for steps in (1, 2, 3, 4, 5, 6, 8):
            out[f"solve {name} {steps}"] = [roles.solve(problem(surface, steps)) for _ in range(count)]
        out[f"keep {name}"] = [roles.refine(p, canonical(p)) for p in (problem(surface, 1 + n % 4) for n in range(count))]
    mixed = [problem(USUAL_SURFACE, 1 + n % 4) for n in range(2 * count)]
    out["repair"] = [roles.refine(p, plant(rng, p)) for p in mixed]
    out["review right"] = [roles.review(p, canonical(p)) for p in mixed]
    out["review wrong"] = [roles.review(p, plant(rng, p)) for p in mixed]
    out["verify"] = [roles.verify(p, plant(rng, p) if n % 2 else canonical(p)) for n, p in enumerate(mixed)]
    out["judge"] = [roles.judge(p, plant(rng, p) if n % 2 else canonical(p)) for n, p in enumerate(mixed)]
    out["select"] = [roles.planted(rng, "select", p) for p in mixed]
    out["compare"] = [roles.compare(rng, p, canonical(p), plant(rng, p)) for p in mixed]
    return out


@torch.inference_mode()
def predictions(model: Llama, tokenizer: Tokenizer, examples: list[roles.Example], rows: int = 40):
    """For each example its encoding and the most probable token at each position of the answer."""
    device = next(model.parameters()).device
    for start in range(0, len(examples), rows):
        encoded = [tokens.encode(tokenizer, example) for example in examples[start : start + rows]]
        batch = collate(encoded, 0)
        best = model.logits(model(torch.from_numpy(batch.ids).to(device))).argmax(-1).tolist()
        yield from zip(encoded, best)


def exact(model: Llama, tokenizer: Tokenizer, examples: list[roles.Example]) -> float:
    hits = 0
    for encoded, best in predictions(model, tokenizer, examples):
        pairs = list(zip(encoded.targets, best))[encoded.prompt :]
        hits += all(target in (tokens.IGNORED, chosen) for target, chosen in pairs)
    return hits / len(examples)


def token_accuracy(model: Llama, tokenizer: Tokenizer, examples: list[roles.Example]) -> float:
    """Share of the answers' tokens that are the most probable ones, the tokens before being right."""
    hits = total = 0
    for encoded, best in predictions(model, tokenizer, examples):
        pairs = list(zip(encoded.targets, best))[encoded.prompt :]
        hits += sum(target == chosen for target, chosen in pairs)
        total += sum(target != tokens.IGNORED for target, _ in pairs)
    return hits / total


def _kind(line: str, offset: int) -> str:
    """What the character at `offset` of a solution line is."""
    if line.startswith("####"):
        return "answer"
    colon, equals = line.find(":"), line.find("=")
    if offset <= colon:
        return "label"
    if equals < 0:
        return "relation" if re.search("[A-Za-z]", line[colon:]) else "value"
    return "operands" if offset <= equals else "arithmetic"


def errors_by_kind(model: Llama, tokenizer: Tokenizer, examples: list[roles.Example]) -> dict[str, float]:
    """Share of wrong tokens for each part of the solver's lines, the tokens before being right."""
    wrong: Counter = Counter()
    seen: Counter = Counter()
    for encoded, best in predictions(model, tokenizer, examples):
        lines: dict[int, str] = defaultdict(str)
        places, line = [], 0
        for target in encoded.targets[encoded.prompt : -1]:
            text = tokenizer.decode([target], skip_special_tokens=False)
            places.append((line, len(lines[line])))
            lines[line] += text
            line += text == "\n"
        for (number, offset), target, chosen in zip(places, encoded.targets[encoded.prompt :], best[encoded.prompt :]):
            kind = _kind(lines[number].rstrip("\n"), offset)
            seen[kind] += 1
            wrong[kind] += target != chosen
    return {kind: wrong[kind] / seen[kind] for kind in seen}


def report(model: Llama, tokenizer: Tokenizer, examples: dict[str, list[roles.Example]]) -> dict:
    """Exact shares by probe, and errors by kind on the solver's probes."""
    result: dict = {name: round(exact(model, tokenizer, chosen), 3) for name, chosen in examples.items()}
    for names in ("seen", "unseen"):
        for skill in ("copy", "find"):
            chosen = examples[f"{skill} {names}"]
            result[f"tokens {skill} {names}"] = [round(token_accuracy(model, tokenizer, chosen), 3)]
        chosen = [e for name, es in examples.items() if name.startswith(f"solve {names}") for e in es]
        errors = errors_by_kind(model, tokenizer, chosen)
        result[f"errors {names}"] = {kind: round(share, 3) for kind, share in errors.items()}
    return result
