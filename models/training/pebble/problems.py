"""Random arithmetic word problems from a graph of quantities, with a canonical step-by-step solution.

A solution first reads backwards from the question, a line for each quantity it needs ("Ben: Ann * 3", "Ann: 12"), then
computes forwards ("Ben: Ann 12 * 3 = 36"). Each line depends on one or two earlier places only, which is what a small
model can learn, and says whose values it takes, so that each is found by the name before it; each can be checked on its
own. Results are written down at once: what long numbers cost the solver is what a reviewer, who works them out digit by
digit (arithmetic.py), can find.
"""

import hashlib
import random
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Callable

from . import lexicon, wordings
from .arithmetic import OPERATIONS

LARGEST_VALUE = 9999
LARGEST_COST = 50_000
# Larger quantities are not divided.
LARGEST_DIVIDED = 999
# Quantities above one a computation; where some are given as plain numbers, fewer are left to be not needed.
UNNEEDED = (0, 0, 1, 1, 2, 2, 3, 4)
DISTRACTOR = ""
QUESTION_LABELS = {"total": "+", "difference": "-", "cost": "*", "left": "-", "share": "/"}
Operand = int | str


@dataclass(frozen=True)
class Relation:
    """How a quantity is known: a plain number (`operation` empty, `left` the value) or `left operation right`."""

    left: Operand
    operation: str = ""
    right: Operand = 0

    @property
    def swapped(self) -> "Relation":
        return replace(self, left=self.right, right=self.left)

    @property
    def sources(self) -> list[str]:
        return [side for side in (self.left, self.right) if isinstance(side, str)]

    def operands(self, values: dict[str, int]) -> tuple[int, int]:
        """Left and right, with the values of the quantities that are named."""
        left, right = (values[side] if isinstance(side, str) else side for side in (self.left, self.right))
        return left, right

    def result(self, values: dict[str, int]) -> int:
        left, right = self.operands(values)
        return OPERATIONS[self.operation](left, right) if self.operation else left

    def __str__(self) -> str:
        return f"{self.left} {self.operation} {self.right}" if self.operation else str(self.left)

    def computed(self, left: int, right: int, value: int) -> str:
        """With the numbers of both sides, each behind the name of the quantity it is of, and the result."""
        sides = (f"{side} {n}" if isinstance(side, str) else str(n) for side, n in ((self.left, left), (self.right, right)))
        return f" {self.operation} ".join(sides) + f" = {value}"


@dataclass(frozen=True)
class Problem:
    """`difficulty` counts the computations that the answer needs."""

    text: str
    relations: dict[str, Relation]
    question: str

    @cached_property
    def values(self) -> dict[str, int]:
        return evaluate(self.relations)

    @property
    def answer(self) -> int:
        return self.values[self.question]

    @cached_property
    def lines(self) -> list[str]:
        return solution_lines(self.relations, self.question)

    @property
    def difficulty(self) -> int:
        return sum(bool(self.relations[label].operation) for label in plan(self.relations, self.question))

    def to_json(self) -> dict:
        relations = {label: [r.left, r.operation, r.right] for label, r in self.relations.items()}
        return {"text": self.text, "relations": relations, "question": self.question}

    @staticmethod
    def from_json(data: dict) -> "Problem":
        return Problem(data["text"], {k: Relation(*v) for k, v in data["relations"].items()}, data["question"])


def evaluate(relations: dict[str, Relation]) -> dict[str, int]:
    """The value of each quantity; sources may be defined in any order but not in a circle."""
    values: dict[str, int] = {}

    def find(label: str) -> None:
        if label not in values:
            for source in relations[label].sources:
                find(source)
            values[label] = relations[label].result(values)

    for label in relations:
        find(label)
    return values


def plan(relations: dict[str, Relation], question: str) -> list[str]:
    """The quantities that the question needs, in the order in which reading backwards meets them (depth first)."""
    order: list[str] = []
    pending = [question]
    while pending:
        label = pending.pop()
        if label not in order:
            order.append(label)
            pending += reversed(relations[label].sources)
    return order


def solution_lines(
    relations: dict[str, Relation], question: str, slips: dict[str, tuple[int, int, int]] | None = None
) -> list[str]:
    """Canonical lines without marks, the answer line last. `slips` replaces (left, right, value) of computed lines."""
    slips = slips or {}
    values: dict[str, int] = {}
    order = plan(relations, question)
    lines = []
    for label in order:
        relation = relations[label]
        if relation.sources:
            lines.append(f"{label}: {relation}")
        elif relation.operation:
            lines.append(_computed(label, relation, values, slips))
        else:
            values[label] = relation.left
            lines.append(f"{label}: {relation.left}")
    lines += [_computed(label, relations[label], values, slips) for label in reversed(order) if relations[label].sources]
    return [*lines, f"#### {values[question]}"]


def _computed(label: str, relation: Relation, values: dict[str, int], slips: dict[str, tuple[int, int, int]]) -> str:
    left, right = relation.operands(values)
    left, right, value = slips.get(label) or (left, right, OPERATIONS[relation.operation](left, right))
    values[label] = value
    return f"{label}: {relation.computed(left, right, value)}"


def computable(relations: dict[str, Relation], question: str) -> bool:
    """Whether the reversed plan meets every source before it is used."""
    order = plan(relations, question)
    known = {label for label in order if not relations[label].sources}
    for label in reversed(order):
        if not known.issuperset(relations[label].sources):
            return False
        known.add(label)
    return True


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


def random_structure(rng: random.Random, quantities: int) -> Structure:
    nodes = []
    for index in range(quantities):
        if index == 0 or rng.random() < 0.12:
            nodes.append((rng.choice(("base", "base", "base", "rate")), 0, 0))
            continue
        source = index - 1 if rng.random() < 0.7 else rng.randrange(max(0, index - 4), index)
        kind = rng.choice("++--**//sss" if index > 1 else "+-*/")
        second = rng.choice([n for n in range(index) if n != source]) if kind == "s" else 0
        nodes.append((kind, source, second))
    asked = rng.choice(("one", "one", "one", "total", "total", "difference", "cost", "left", "share"))
    return Structure(nodes, asked, rng.randrange(quantities - 1) if quantities > 1 else 0)


def assign_numbers(rng: random.Random, structure: Structure, labels: list[str]) -> tuple[dict[str, Relation], str] | None:
    """Relations with numbers and the label of the question; None where the numbers drawn do not fit."""
    relations: dict[str, Relation] = {}
    known: dict[str, int] = {}
    values: list[int] = []
    for label, (kind, source, second) in zip(labels, structure.nodes):
        relation = _relation(rng, kind, labels[source], labels[second], values[source] if values else 0)
        if relation is None:
            return None
        relations[label] = relation
        known[label] = relation.result(known)
        values.append(known[label])
        if not 0 < values[-1] <= LARGEST_VALUE:
            return None
    target = labels[-1]
    if structure.asked == "one":
        return relations, target
    question = _question(rng, structure, target, labels[structure.other], values)
    if question is None:
        return None
    return {**relations, structure.asked: question}, structure.asked


def _amount(rng: random.Random) -> int:
    return rng.randint(2, rng.choices((40, 99, 999, 4000), (2, 2, 3, 5))[0])


def _part(rng: random.Random, value: int) -> int:
    """Less than `value`."""
    amount = _amount(rng)
    return amount if amount < value else rng.randint(1, value - 1)


def _multiple(rng: random.Random) -> int:
    return rng.randint(2, 9)


def _relation(rng: random.Random, kind: str, source: str, second: str, value: int) -> Relation | None:
    """The numbers of one relation, given the value of its source."""
    divisors = [k for k in wordings.FRACTIONS if k < value <= LARGEST_DIVIDED and value % k == 0]
    if kind == "base":
        return Relation(_amount(rng))
    if kind == "rate":
        return Relation(rng.randint(2, 9), "*", rng.randint(2, 9))
    if kind == "+":
        return Relation(source, "+", _amount(rng))
    if kind == "-":
        return Relation(source, "-", _part(rng, value)) if value > 3 else None
    if kind == "*":
        return Relation(source, "*", _multiple(rng))
    if kind == "/":
        return Relation(source, "/", rng.choice(divisors)) if divisors else None
    return Relation(source, "+", second)


def _question(rng: random.Random, structure: Structure, target: str, other: str, values: list[int]) -> Relation | None:
    asked, operation, value = structure.asked, QUESTION_LABELS[structure.asked], values[-1]
    if asked in ("total", "difference"):
        if len(values) < 2 or (asked == "difference" and value <= values[structure.other]):
            return None
        return Relation(target, operation, other)
    if asked == "cost":
        price = _multiple(rng)
        return Relation(target, "*", price) if value * price <= LARGEST_COST else None
    if asked == "left":
        return Relation(target, "-", _part(rng, value)) if value > 3 else None
    return _relation(rng, "/", target, target, value)


@dataclass(frozen=True)
class Surface:
    """Where names, things and sentences come from; `elliptic`: how often a sentence leaves out what the one before it has said."""

    names: Callable[[random.Random, int], list[str]]
    thing: Callable[[random.Random], str]
    sentences: dict
    elliptic: float


TRAINING_SURFACE = Surface(lexicon.names_for_training, lexicon.thing_for_training, wordings.TRAINING, 0.2)
# What is asked of a trained model.
USUAL_SURFACE = Surface(lexicon.names_for_training, lexicon.thing_for_training, wordings.USUAL, 0.12)


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
    labels = surface.names(rng, len(structure.nodes))
    for _ in range(attempts):
        numbers = assign_numbers(rng, structure, labels)
        if numbers is None:
            continue
        relations, question = numbers
        text = render(rng, relations, question, structure, surface.thing(rng), surface)
        if is_held_out(text) == held_out:
            return Problem(text, relations, question)
    return None


def random_structured_problem(
    rng: random.Random, steps: int, surface: Surface = TRAINING_SURFACE, held_out: bool = False
) -> tuple[Structure, Problem]:
    """A problem of exactly `steps` computations (1 to 14), with up to four quantities that are not needed."""
    while True:
        structure = random_structure(rng, max(1, steps + rng.choice(UNNEEDED)))
        if structure.steps != steps:
            continue
        problem = build(rng, structure, surface, held_out, attempts=64 if held_out else 3)
        if problem and computable(problem.relations, problem.question):
            return structure, problem


def random_problem(rng: random.Random, steps: int) -> Problem:
    """A training problem of exactly `steps` computations."""
    return random_structured_problem(rng, steps)[1]
