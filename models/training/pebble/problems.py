"""Arithmetic word problems as a graph of quantities, with a canonical step-by-step solution.

A solution first reads backwards from the question, a line for each quantity it needs ("Ben: Ann * 3", "Ann: 12"), then
computes forwards ("Ben: Ann 12 * 3 = 36"). Each line depends on one or two earlier places only, which is what a small
model can learn, and says whose values it takes, so that each is found by the name before it; each can be checked on its
own. Results are written down at once: what long numbers cost the solver is what a reviewer, who works them out digit by
digit (arithmetic.py), can find.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from .arithmetic import OPERATIONS

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
