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
            yield f"system\nsolve review refine judge compare verify aggregate\nuser\n{example.user}\nassistant\n{example.assistant}\n"

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
    """Token ids and, for each position, the token to predict there; `prompt` counts the positions before the answer."""

    ids: list[int]
    targets: list[int]
    prompt: int


def prompt_ids(tokenizer: Tokenizer, system: str, user: str, given: str = "") -> list[int]:
    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    turns = [START, *encode(f"system\n{system}"), END, *encode("\n"), START, *encode(f"user\n{user}"), END, *encode("\n")]
    return [*turns, START, *encode("assistant\n"), *(encode(given) if given else [])]


def encode(tokenizer: Tokenizer, example: roles.Example) -> Encoded:
    """Targets cover the prompt too (the trainer weighs them); at a step mark the target is the verdict."""
    prompt = prompt_ids(tokenizer, example.system, example.user, example.given)
    if not example.marks:
        ids = [*prompt, *tokenizer.encode(example.assistant, add_special_tokens=False).ids, END]
        return Encoded(ids[:-1], ids[1:], len(prompt) - 1)
    ids = list(prompt)
    targets = [*prompt[1:], IGNORED]
    newline = tokenizer.encode("\n", add_special_tokens=False).ids
    for line, mark in zip(example.assistant.split("\n"), example.marks):
        line_ids = tokenizer.encode(line, add_special_tokens=False).ids
        ids += [*line_ids, STEP, *newline]
        targets += [IGNORED] * len(line_ids) + [GOOD if mark else BAD] + [IGNORED] * len(newline)
    return Encoded(ids, targets, len(prompt) - 1)
