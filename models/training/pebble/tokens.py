"""The tokenizer and the chat form of an example.

A pre-tokenizer cuts capitals and digits off one by one, so that a name is a capital and a few small pieces that are the
same wherever the name stands; every name is copied by the same means, known or not.
"""

import random
import re
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from . import generator, roles

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|step|>", "<|good|>", "<|bad|>"]
PAD, START, END, STEP, GOOD, BAD = range(6)
# Read, never written.
MARKS = [STEP, GOOD, BAD]
PIECES = r"\n| ?[A-Z]| ?[a-z]+| ?[0-9]| ?[^\sA-Za-z0-9]+|\s+"
_SPLIT = re.compile(PIECES).findall
IGNORED = -100
# One token of these decides what a hundred tokens of a solution spell out.
VERDICT_WEIGHT = 4.0
# One or two tokens of a whole review or refinement are where copying the shown solution would be wrong.
STRESSED_WEIGHT = 8.0
# What follows a mistake is known to be wrong.
AFTERWARDS_WEIGHT = 0.25
VERDICTS = ("verify", "select")


def build(size: int, seed: int = 11) -> Tokenizer:
    """A byte-level BPE of at most `size` tokens, trained on solver and review examples."""
    rng = random.Random(seed)

    def texts():
        for _ in range(6000):
            problem = generator.random_problem(rng, rng.randint(1, 5))
            example = roles.planted(rng, "review", problem)
            yield f"system\nsolve review refine judge compare verify aggregate select\nuser\n{example.user}\nassistant\n{example.assistant}\n"

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


_pieces: WeakKeyDictionary[Tokenizer, dict[str, list[int]]] = WeakKeyDictionary()
# More pieces than a lexicon has, fewer than made-up names have.
REMEMBERED = 200_000


def text_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """The tokens of a text without special tokens. Pieces never join, so each is looked up once: a fifth of the time that
    the tokenizer takes for short lines."""
    known = _pieces.setdefault(tokenizer, {})
    ids: list[int] = []
    for piece in _SPLIT(text):
        found = known.get(piece)
        if found is None:
            found = tokenizer.encode(piece, add_special_tokens=False).ids
            if len(known) < REMEMBERED:
                known[piece] = found
        ids += found
    return ids


def prompt_ids(tokenizer: Tokenizer, system: str, user: str, given: str = "") -> list[int]:
    def encoded(text: str) -> list[int]:
        return text_ids(tokenizer, text)

    turns = [START, *encoded(f"system\n{system}"), END, *encoded("\n"), START, *encoded(f"user\n{user}"), END, *encoded("\n")]
    return [*turns, START, *encoded("assistant\n"), *(encoded(given) if given else [])]


def encode(tokenizer: Tokenizer, example: roles.Example, prompt_weight: float = 0.0) -> Encoded:
    """Targets cover the prompt too, with `prompt_weight`; in solutions that are shown they are those of `_checked`."""
    prompt = prompt_ids(tokenizer, example.system, example.user, example.given)
    if example.system in ("verify", "check"):
        return _verified(tokenizer, example, prompt)
    ids = [*prompt, *text_ids(tokenizer, example.assistant), END]
    ids, targets = ids[:-1], ids[1:]
    answer_weight = VERDICT_WEIGHT if example.system in VERDICTS else 1.0
    weights = [prompt_weight] * (len(prompt) - 1) + [answer_weight] * (len(ids) - len(prompt) + 1)
    if example.stressed:
        spans = tokenizer.encode(example.assistant, add_special_tokens=False).offsets
        for character in example.stressed:
            # Beyond the last character the end of the turn is meant.
            first = next((n for n, (_, end) in enumerate(spans) if end > character), len(spans))
            weights[len(prompt) - 1 + first] = STRESSED_WEIGHT
    for check in example.checks:
        # A solution begins on a new line, where a piece begins.
        position = prompt.index(START, 1) + 1 + len(text_ids(tokenizer, f"user\n{example.user[: check.start]}"))
        for n in range(len(check.lines)):
            # The line break or the end of the turn that follows is where the verdict on the line stands.
            for target, weight in _checked(tokenizer, check, n, prompt[position + _length(tokenizer, check, n)]):
                targets[position], weights[position] = target, weight
                position += 1
    return Encoded(ids, targets, weights, len(prompt) - 1)


def _length(tokenizer: Tokenizer, check: roles.Check, n: int) -> int:
    return len(text_ids(tokenizer, check.lines[n]))


def _verified(tokenizer: Tokenizer, example: roles.Example, prompt: list[int]) -> Encoded:
    """A step mark follows each line of the answer, and the line break the mark."""
    newline = text_ids(tokenizer, "\n")
    ids, targets, weights = list(prompt), [*prompt[1:], IGNORED], [0.0] * len(prompt)
    for check, n, line in ((check, n, line) for check in example.checks for n, line in enumerate(check.lines)):
        ids += [*text_ids(tokenizer, line), STEP, *newline]
        pairs = [*_checked(tokenizer, check, n, STEP), *((IGNORED, 0.0) for _ in newline)]
        targets += [target for target, _ in pairs]
        weights += [weight for _, weight in pairs]
    return Encoded(ids, targets, weights, len(prompt) - 1)


def _checked(tokenizer: Tokenizer, check: roles.Check, n: int, end: int) -> list[tuple[int, float]]:
    """Target and weight at each token of line `n` and at `end`, the token that follows it: the right next token, BAD
    once there was a wrong one, and at the end the verdict on all up to there."""
    ids = text_ids(tokenizer, check.lines[n])
    if n < check.wrong:
        return [*((token, 1.0) for token in [*ids[1:], end]), (GOOD, VERDICT_WEIGHT)]
    if n > check.wrong:
        return [*((BAD, AFTERWARDS_WEIGHT) for _ in ids), (BAD, 1.0)]
    true = [*text_ids(tokenizer, check.correct), end]
    same = next(k for k, (shown, right) in enumerate(zip([*ids, end], true)) if shown != right)
    before = [(token, 1.0) for token in true[1 : same + 1]]
    wrong = [(BAD, VERDICT_WEIGHT if k == same else AFTERWARDS_WEIGHT) for k in range(same, len(ids))]
    return [*before, *wrong, (BAD, VERDICT_WEIGHT)]
