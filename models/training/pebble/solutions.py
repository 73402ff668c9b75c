"""Candidate solutions: reading them, checking each line exactly, planting mistakes."""

import random
import re
from dataclasses import dataclass, replace

from .arithmetic import OPERATIONS, plain
from .problems import Problem, Relation, computable, evaluate, plan, solution_lines

_MARK = re.compile(r"^(?:-|\d+\.)\s+")


@dataclass(frozen=True)
class Candidate:
    """Lines without marks; the answer is the text after "####", empty where a solution has none."""

    steps: list[str]
    answer: str

    @property
    def lines(self) -> list[str]:
        return [*self.steps, f"#### {self.answer}"] if self.answer else self.steps

    @property
    def bullets(self) -> str:
        return "\n".join([*(f"- {step}" for step in self.steps), *self.lines[len(self.steps) :]])

    @property
    def numbered(self) -> str:
        return "\n".join([*(f"{n}. {step}" for n, step in enumerate(self.steps, 1)), *self.lines[len(self.steps) :]])

    @staticmethod
    def read(text: str) -> "Candidate":
        """Of a refinement, whose lines may be worked out, what it shows to the roles that read it."""
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        answers = [line.removeprefix("####").strip() for line in lines if line.startswith("####")]
        steps = [plain(_MARK.sub("", line)) for line in lines if not line.startswith("####")]
        return Candidate(steps, answers[-1] if answers else "")

    @staticmethod
    def of(lines: list[str]) -> "Candidate":
        return Candidate(lines[:-1], lines[-1].removeprefix("####").strip())


def canonical(problem: Problem) -> Candidate:
    return Candidate.of(problem.lines)


def is_right(problem: Problem, candidate: Candidate) -> bool:
    return candidate.answer == str(problem.answer)


def line_is_right(problem: Problem, line: str) -> bool:
    """Whether a step states the truth: the relation the problem gives, or a computation with the true operands."""
    label, _, body = line.partition(": ")
    relation = problem.relations.get(label)
    if relation is None:
        return False
    values = problem.values
    if "=" not in body:
        return body in map(str, _forms(relation))
    return body in (form.computed(*form.operands(values), values[label]) for form in _forms(relation))


def _forms(relation: Relation) -> list[Relation]:
    """The ways of writing a relation: both orders where the operation allows it."""
    return [relation, relation.swapped] if relation.operation in ("+", "*") else [relation]


def as_written(problem: Problem, candidate: Candidate) -> Problem:
    """The problem with its relations in the order of sides in which the candidate writes them, so that what should follow
    its first right lines continues them."""
    relations = dict(problem.relations)
    for step in candidate.steps[: first_wrong(problem, candidate)]:
        label, _, body = step.partition(": ")
        if body == str(relations[label].swapped):
            relations[label] = relations[label].swapped
    return replace(problem, relations=relations) if computable(relations, problem.question) else problem


def first_wrong(problem: Problem, candidate: Candidate) -> int | None:
    """Index of the first wrong line, len(steps) where only the answer is wrong or missing, None where all is right."""
    for index, step in enumerate(candidate.steps):
        if not line_is_right(problem, step):
            return index
    return None if is_right(problem, candidate) else len(candidate.steps)


def misreckons(problem: Problem, candidate: Candidate, index: int) -> bool:
    """Whether the line at `index`, the first wrong one, has the true numbers and a wrong result."""
    if index >= len(candidate.steps):
        return False
    head, _, _ = candidate.steps[index].rpartition(" = ")
    value = problem.values.get(head.partition(": ")[0])
    return head != "" and line_is_right(problem, f"{head} = {value}")


def correction(problem: Problem, candidate: Candidate, index: int) -> str:
    """What the line at `index`, the first wrong one, should be."""
    if index == len(candidate.steps):
        return f"#### {problem.answer}"
    problem = as_written(problem, candidate)
    if candidate.steps[:index] == problem.lines[:index]:
        return problem.lines[index]
    label, _, body = candidate.steps[index].partition(": ")
    lines = problem.lines
    same_label = [line for line in lines if line.startswith(f"{label}: ")]
    if not same_label:
        return next((line for line in lines if line not in candidate.steps[:index]), lines[-1])
    return same_label[-1] if "=" in body else same_label[0]


def plant(rng: random.Random, problem: Problem) -> Candidate:
    """A solution with one mistake whose consequences are carried on; the answer is wrong."""
    while True:
        candidate = rng.choices((_wrong_relation, _slip, _cut_short), (4, 6, 1))[0](rng, problem)
        if candidate is not None and not is_right(problem, candidate):
            return candidate


def _wrong_relation(rng: random.Random, problem: Problem) -> Candidate | None:
    label = rng.choice(plan(problem.relations, problem.question))
    true = problem.relations[label]
    others = [other for other in problem.relations if other != label]
    numbers = [int(n) for n in re.findall(r"\d+", problem.text)]
    kind = rng.random()
    if not true.operation:
        wrong = replace(true, left=rng.choice(numbers))
    elif kind < 0.35:
        wrong = replace(true, operation=rng.choice([o for o in OPERATIONS if o != true.operation]))
    elif kind < 0.7 and true.sources and others:
        wrong = replace(true, left=rng.choice(others)) if rng.random() < 0.7 else replace(true, right=rng.choice(others))
    elif isinstance(true.right, int):
        wrong = replace(true, right=rng.choice([*numbers, max(2, true.right + rng.choice((-1, 1, 10)))]))
    else:
        return None
    relations = {**problem.relations, label: wrong}
    if wrong == true or _circular(relations) or not computable(relations, problem.question):
        return None
    if wrong.operation == "/" and not _divides(relations, wrong) or min(evaluate(relations).values()) < 0:
        return None
    return Candidate.of(solution_lines(relations, problem.question))


def _circular(relations: dict[str, Relation]) -> bool:
    known: set[str] = set()
    while len(known) < len(relations):
        ready = [label for label, r in relations.items() if label not in known and known.issuperset(r.sources)]
        if not ready:
            return True
        known.update(ready)
    return False


def _divides(relations: dict[str, Relation], relation: Relation) -> bool:
    values = evaluate(relations)
    left, right = relation.operands(values)
    return right != 0 and left % right == 0


def _slip(rng: random.Random, problem: Problem) -> Candidate | None:
    """Wrong arithmetic or a wrong operand in one computed line."""
    computed = [label for label, relation in problem.relations.items() if relation.operation]
    label = rng.choice([label for label in plan(problem.relations, problem.question) if label in computed])
    relation, values = problem.relations[label], problem.values
    left, right = relation.operands(values)
    value = OPERATIONS[relation.operation](left, right)
    if rng.random() < 0.7:
        value = misreckoned(rng, value)
    else:
        left = rng.choice([*values.values(), left + rng.choice((1, 10))])
        if relation.operation == "/" and left % max(right, 1):
            return None
        value = OPERATIONS[relation.operation](left, right)
    if value < 0:
        return None
    return Candidate.of(solution_lines(problem.relations, problem.question, {label: (left, right, value)}))


def misreckoned(rng: random.Random, value: int) -> int:
    """A number that is not `value`, most often with one digit a little off, as when a carry is forgotten."""
    unit = 10 ** rng.randrange(len(str(value)))
    wrong = value + rng.choice((-1, 1)) * rng.choice((1, 1, 1, 2, 3, 9)) * unit
    return wrong if wrong >= 0 else value + unit


def _cut_short(rng: random.Random, problem: Problem) -> Candidate | None:
    """Stops before the last computation and answers with the value reached."""
    steps = problem.lines[:-2]
    return Candidate(steps, steps[-1].rpartition(" ")[2]) if steps and steps[-1][-1].isdigit() else None
