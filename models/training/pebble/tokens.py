"""The tokenizer and the chat form of an example.

A pre-tokenizer cuts capitals and digits off one by one, so that a name is a capital and a few small pieces that are the
same wherever the name stands; every name is copied by the same means, known or not.
"""

import random
from dataclasses import dataclass

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from . import problems, roles

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|step|>", "<|good|>", "<|bad|>"]
PAD, START, END, STEP, GOOD, BAD = range(6)
PIECES = r"\n| ?[A-Z]| ?[a-z]+| ?[0-9]| ?[^\sA-Za-z0-9]+|\s+"
IGNORED = -100


def build(size: int, seed: int = 11) -> Tokenizer:
    """A byte-level BPE of at most `size` tokens, trained on solver and review examples."""
    rng = random.Random(seed)

    def texts():
        for _ in range(6000):
            problem = problems.random_problem(rng, rng.randint(1, 5))
            example = roles.planted(rng, "review", problem)
            yield f"system\nsolve review refine judge compare verify aggregate select\n1 ok\n2 ok\n3 wrong\nuser\n{example.user}\nassistant\n{example.assistant}\n"

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


@dataclass(frozen=True)
class Encoded:
    """Token ids and, for each position, the token to predict there and the weight of that prediction; `prompt` counts
    the positions before the answer."""

    ids: list[int]
    targets: list[int]
    weights: list[float]
    prompt: int


def prompt_ids(tokenizer: Tokenizer, system: str, user: str, given: str = "") -> list[int]:
    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    turns = [START, *encode(f"system\n{system}"), END, *encode("\n"), START, *encode(f"user\n{user}"), END, *encode("\n")]
    return [*turns, START, *encode("assistant\n"), *(encode(given) if given else [])]


def encode(tokenizer: Tokenizer, example: roles.Example, prompt_weight: float = 0.0) -> Encoded:
    """Targets cover the prompt too, with `prompt_weight`; at a step mark and at the end of a checked line of the prompt
    the target is the verdict."""
    prompt = prompt_ids(tokenizer, example.system, example.user, example.given)
    ids, targets = _answer(tokenizer, example, prompt)
    weights = [prompt_weight] * (len(prompt) - 1) + [1.0] * (len(ids) - len(prompt) + 1)
    for position, good in _checked(tokenizer, prompt, example.checks):
        targets[position], weights[position] = GOOD if good else BAD, 1.0
    weights = [0.0 if target == IGNORED else weight for target, weight in zip(targets, weights)]
    return Encoded(ids, targets, weights, len(prompt) - 1)


def _answer(tokenizer: Tokenizer, example: roles.Example, prompt: list[int]) -> tuple[list[int], list[int]]:
    if not example.marks:
        ids = [*prompt, *tokenizer.encode(example.assistant, add_special_tokens=False).ids, END]
        return ids[:-1], ids[1:]
    ids = list(prompt)
    targets = [*prompt[1:], IGNORED]
    newline = tokenizer.encode("\n", add_special_tokens=False).ids
    for line, mark in zip(example.assistant.split("\n"), example.marks):
        line_ids = tokenizer.encode(line, add_special_tokens=False).ids
        ids += [*line_ids, STEP, *newline]
        targets += [IGNORED] * len(line_ids) + [GOOD if mark else BAD] + [IGNORED] * len(newline)
    return ids, targets


def _checked(tokenizer: Tokenizer, prompt: list[int], checks: dict[int, bool]) -> list[tuple[int, bool]]:
    """The places of the checks: the newline or the end of the turn that follows each line of the user's text."""
    if not checks:
        return []
    newline = tokenizer.token_to_id("Ċ")
    # Before the user's text stand the lines "system", its content with the end of the turn, and "user".
    begin = [n for n, token in enumerate(prompt) if token == newline][2] + 1
    ends = [n for n in range(begin, len(prompt)) if prompt[n] in (newline, END)]
    return [(ends[line], good) for line, good in checks.items()]
