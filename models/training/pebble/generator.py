"""Random problems: a graph of quantities, its numbers, and its sentences."""

import hashlib
import random
from dataclasses import dataclass
from typing import Callable

from . import lexicon, wordings
from .problems import Problem, Relation, computable

# Larger quantities are not divided.
LARGEST_DIVIDED = 9_999
# Quantities above one a computation; where some are given as plain numbers, fewer are left to be not needed.
UNNEEDED = (0, 0, 1, 1, 2, 2, 3, 4)
DISTRACTOR = ""
QUESTION_LABELS = {"total": "+", "difference": "-", "cost": "*", "left": "-", "share": "/"}


@dataclass(frozen=True)
class Numbers:
    """No quantity is above `largest` (costs go up to five times that); numbers that are given are drawn up to one of `amounts`, which
    have weights."""

    largest: int
    amounts: dict[int, int]


@dataclass(frozen=True)
class Structure:
    """A problem without names and numbers: (kind, source, second source) for each quantity, and what is asked."""

    nodes: list[tuple[str, int, int]]
    asked: str
    other: int

    @property
    def steps(self) -> int:
        """The computations that the answer needs."""
        needed, pending = set(), [len(self.nodes) - 1]
        if self.asked in ("total", "difference"):
            pending.append(self.other)
        while pending:
            index = pending.pop()
            if index not in needed:
                needed.add(index)
                kind, source, second = self.nodes[index]
                pending += [] if kind in ("base", "rate") else [source, second] if kind == "s" else [source]
        return sum(self.nodes[index][0] != "base" for index in needed) + (self.asked != "one")


def random_structure(rng: random.Random, quantities: int, kinds: dict[str, int]) -> Structure:
    nodes = []
    for index in range(quantities):
        if index == 0 or rng.random() < 0.12:
            nodes.append((rng.choice(("base", "base", "base", "rate")), 0, 0))
            continue
        source = index - 1 if rng.random() < 0.7 else rng.randrange(max(0, index - 4), index)
        possible = kinds if index > 1 else {kind: weight for kind, weight in kinds.items() if kind != "s"}
        kind = rng.choices(list(possible), list(possible.values()))[0]
        second = rng.choice([n for n in range(index) if n != source]) if kind == "s" else 0
        nodes.append((kind, source, second))
    asked = rng.choice(("one", "one", "one", "total", "total", "difference", "cost", "left", "share"))
    return Structure(nodes, asked, rng.randrange(quantities - 1) if quantities > 1 else 0)


def assign_numbers(
    rng: random.Random, structure: Structure, labels: list[str], numbers: Numbers
) -> tuple[dict[str, Relation], str] | None:
    """Relations with numbers and the label of the question; None where the numbers drawn do not fit."""
    relations: dict[str, Relation] = {}
    known: dict[str, int] = {}
    values: list[int] = []
    for label, (kind, source, second) in zip(labels, structure.nodes):
        relation = _relation(rng, kind, labels[source], labels[second], values[source] if values else 0, numbers)
        if relation is None:
            return None
        relations[label] = relation
        known[label] = relation.result(known)
        values.append(known[label])
        if not 0 < values[-1] <= numbers.largest:
            return None
    target = labels[-1]
    if structure.asked == "one":
        return relations, target
    question = _question(rng, structure, target, labels[structure.other], values, numbers)
    if question is None:
        return None
    return {**relations, structure.asked: question}, structure.asked


def _amount(rng: random.Random, numbers: Numbers) -> int:
    return rng.randint(2, rng.choices(list(numbers.amounts), list(numbers.amounts.values()))[0])


def _part(rng: random.Random, value: int, numbers: Numbers) -> int:
    """Less than `value`."""
    amount = _amount(rng, numbers)
    return amount if amount < value else rng.randint(1, value - 1)


def _multiple(rng: random.Random) -> int:
    return rng.randint(2, 9)


def _relation(rng: random.Random, kind: str, source: str, second: str, value: int, numbers: Numbers) -> Relation | None:
    """The numbers of one relation, given the value of its source."""
    divisors = [k for k in wordings.FRACTIONS if k < value <= LARGEST_DIVIDED and value % k == 0]
    if kind == "base":
        return Relation(_amount(rng, numbers))
    if kind == "rate":
        return Relation(rng.randint(2, 9), "*", rng.randint(2, 9))
    if kind == "+":
        return Relation(source, "+", _amount(rng, numbers))
    if kind == "-":
        return Relation(source, "-", _part(rng, value, numbers)) if value > 3 else None
    if kind == "*":
        return Relation(source, "*", _multiple(rng))
    if kind == "/":
        return Relation(source, "/", rng.choice(divisors)) if divisors else None
    return Relation(source, "+", second)


def _question(
    rng: random.Random, structure: Structure, target: str, other: str, values: list[int], numbers: Numbers
) -> Relation | None:
    asked, operation, value = structure.asked, QUESTION_LABELS[structure.asked], values[-1]
    if asked in ("total", "difference"):
        if len(values) < 2 or (asked == "difference" and value <= values[structure.other]):
            return None
        return Relation(target, operation, other)
    if asked == "cost":
        price = _multiple(rng)
        return Relation(target, "*", price) if value * price <= 5 * numbers.largest else None
    if asked == "left":
        return Relation(target, "-", _part(rng, value, numbers)) if value > 3 else None
    return _relation(rng, "/", target, target, value, numbers)


@dataclass(frozen=True)
class Surface:
    """Where names, things and sentences come from; `elliptic`: how often a sentence leaves out what the one before it has said;
    `numbers`: one of these for each problem; `kinds`: the relations and how frequent they are."""

    names: Callable[[random.Random, int], list[str]]
    thing: Callable[[random.Random], str]
    sentences: dict
    elliptic: float
    numbers: tuple[Numbers, ...]
    kinds: dict[str, int]


SMALL = {40: 2, 99: 2, 999: 3, 4_000: 5}
TRAINING_SURFACE = Surface(
    lexicon.names_for_training,
    lexicon.thing_for_training,
    wordings.TRAINING,
    0.2,
    (Numbers(9_999, SMALL), Numbers(99_999, {**SMALL, 40_000: 3})),
    {"+": 2, "-": 2, "*": 2, "/": 2, "s": 3},
)
# What is asked of a trained model: what it finds hard at once, long numbers and differences, is more frequent.
USUAL_SURFACE = Surface(
    lexicon.names_for_training,
    lexicon.thing_for_training,
    wordings.USUAL,
    0.12,
    (Numbers(99_999, {40_000: 1}),),
    {"+": 4, "-": 12, "*": 1, "/": 1, "s": 6},
)


def render(
    rng: random.Random, relations: dict[str, Relation], question: str, structure: Structure, things: str, surface: Surface
) -> str:
    """The problem as text: a sentence for each relation, some distractors, a shuffled order, the question last."""
    kinds = {label: kind for label, (kind, _, _) in zip(relations, structure.nodes)}
    order: list[str] = list(kinds)
    draw = rng.random()
    if draw < 0.25:
        rng.shuffle(order)
    elif draw < 0.5:
        rest = order[1:]
        rng.shuffle(rest)
        order[1:] = rest
    while rng.random() < 0.2:
        order.insert(rng.randint(0, len(order)), DISTRACTOR)
    sentences = [
        _sentence(rng, label, kinds, relations, before, things, surface) for label, before in zip(order, ["", *order])
    ]
    return " ".join([*sentences, _asking(rng, relations[question], question, order, things, surface)])


def _sentence(
    rng: random.Random, label: str, kinds: dict[str, str], relations: dict[str, Relation], before: str, things: str, surface: Surface
) -> str:
    """`before` is the quantity that the sentence before this one tells."""
    if label == DISTRACTOR:
        return rng.choice(surface.sentences["distractor"]).format(b=rng.choice(list(kinds)), v=rng.randint(2, 30), i=things)
    relation, kind = relations[label], kinds[label]
    k = relation.right
    elliptic = kind in wordings.ELLIPTIC and relation.left == before and rng.random() < surface.elliptic
    form = rng.choice(wordings.ELLIPTIC[kind] if elliptic else surface.sentences["sum" if kind == "s" else kind])
    return form.format(
        b=label, v=relation.left, a=relation.left, c=relation.right, k=k, i=things, h=lexicon.verb_for_training(rng),
        f=wordings.FRACTIONS.get(k, ""), t=wordings.TIMES.get(k, ""),
    )


def _asking(rng: random.Random, asked: Relation, question: str, order: list[str], things: str, surface: Surface) -> str:
    kind = question if question in QUESTION_LABELS else "one"
    # "They" can only be the two last named.
    they = kind == "total" and {asked.left, asked.right} == set(order[-2:]) and rng.random() < surface.elliptic
    form = rng.choice(wordings.ELLIPTIC["ask total"] if they else surface.sentences[f"ask {kind}"])
    a = question if kind == "one" else asked.left
    return form.format(a=a, c=asked.right, k=asked.right, i=things, h=lexicon.verb_for_training(rng))


def is_held_out(text: str) -> bool:
    """One text in 32, by its hash, belongs to the test sets: training never uses it, test sets use nothing else."""
    return hashlib.sha256(text.encode()).digest()[0] < 8


def build(
    rng: random.Random, structure: Structure, surface: Surface, held_out: bool, attempts: int = 60
) -> Problem | None:
    """A problem of the given structure on the wanted side of the split; None where no numbers fit in `attempts` draws."""
    labels, numbers = surface.names(rng, len(structure.nodes)), rng.choice(surface.numbers)
    for _ in range(attempts):
        assigned = assign_numbers(rng, structure, labels, numbers)
        if assigned is None:
            continue
        relations, question = assigned
        text = render(rng, relations, question, structure, surface.thing(rng), surface)
        if is_held_out(text) == held_out:
            return Problem(text, relations, question)
    return None


def random_structured_problem(
    rng: random.Random, steps: int, surface: Surface = TRAINING_SURFACE, held_out: bool = False
) -> tuple[Structure, Problem]:
    """A problem of exactly `steps` computations (1 to 14), with up to four quantities that are not needed."""
    while True:
        structure = random_structure(rng, max(1, steps + rng.choice(UNNEEDED)), surface.kinds)
        if structure.steps != steps:
            continue
        problem = build(rng, structure, surface, held_out, attempts=64 if held_out else 3)
        if problem and computable(problem.relations, problem.question):
            return structure, problem


def random_problem(rng: random.Random, steps: int) -> Problem:
    """A training problem of exactly `steps` computations."""
    return random_structured_problem(rng, steps)[1]
