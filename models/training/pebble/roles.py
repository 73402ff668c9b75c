"""The prompt forms (shared with src/prompts/compact.ts) and the training examples of each role."""

import random
from dataclasses import dataclass, field

from .lexicon import names_for_training
from .problems import OPERATIONS, Problem
from .solutions import Candidate, canonical, correction, first_wrong, is_right, plant

ALL_RIGHT = "All steps are right."
REFLECTION = "\nCheck it again.\n"


@dataclass(frozen=True)
class Example:
    """`given` is an assistant prefix without loss. `marks` (verify only): one per line of `assistant`."""

    system: str
    user: str
    assistant: str
    given: str = ""
    marks: list[bool] = field(default_factory=list)


def join(*parts: str) -> str:
    return "\n\n".join(parts)


def review_prompt(text: str, candidate: Candidate) -> tuple[str, str]:
    return "review", join(text, candidate.numbered)


def refine_prompt(text: str, candidate: Candidate, review: str) -> tuple[str, str]:
    return "refine", join(text, candidate.numbered, review)


def judge_prompt(text: str, candidate: Candidate) -> tuple[str, str]:
    return "judge", join(text, candidate.bullets)


def compare_prompt(text: str, first: Candidate, second: Candidate) -> tuple[str, str]:
    return "compare", join(text, f"A:\n{first.bullets}", f"B:\n{second.bullets}")


def aggregate_prompt(text: str, candidates: list[Candidate]) -> tuple[str, str]:
    return "aggregate", join(text, *(f"{letter}:\n{c.bullets}" for letter, c in zip("ABCDEFGH", candidates)))


def review_text(problem: Problem, candidate: Candidate) -> str:
    index = first_wrong(problem, candidate)
    if index is None:
        return ALL_RIGHT
    return f"Step {index + 1} is wrong, it should be {correction(problem, candidate, index)}."


def judge_digit(problem: Problem, candidate: Candidate) -> int:
    """9 for a right solution, else 0 to 4: how far it is right."""
    index = first_wrong(problem, candidate)
    if index is None:
        return 9
    return int(5 * index / (len(candidate.steps) + 1))


def solve(problem: Problem) -> Example:
    return Example("solve", problem.text, canonical(problem).bullets)


def recheck(problem: Problem, candidate: Candidate) -> Example:
    """Another solution after a first one and the reflection text, as strategies that extend a draft ask for it."""
    return Example("solve", problem.text, canonical(problem).bullets, candidate.bullets + REFLECTION)


def review(problem: Problem, candidate: Candidate) -> Example:
    return Example(*review_prompt(problem.text, candidate), review_text(problem, candidate))


def refine(problem: Problem, candidate: Candidate) -> Example:
    """A solution that is right is repeated as it stands."""
    target = candidate if first_wrong(problem, candidate) is None else canonical(problem)
    return Example(*refine_prompt(problem.text, candidate, review_text(problem, candidate)), target.bullets)


def verify(problem: Problem, candidate: Candidate) -> Example:
    index = first_wrong(problem, candidate)
    lines = candidate.bullets.split("\n")
    marks = [index is None or n < index for n in range(len(lines))]
    return Example("verify", problem.text, "\n".join(lines), marks=marks)


def judge(problem: Problem, candidate: Candidate) -> Example:
    return Example(*judge_prompt(problem.text, candidate), str(judge_digit(problem, candidate)))


def compare(rng: random.Random, problem: Problem, right: Candidate, wrong: Candidate) -> Example:
    if rng.random() < 0.5:
        return Example(*compare_prompt(problem.text, right, wrong), "A")
    return Example(*compare_prompt(problem.text, wrong, right), "B")


def aggregate(problem: Problem, candidates: list[Candidate]) -> Example:
    return Example(*aggregate_prompt(problem.text, candidates), canonical(problem).bullets)


ON_CANDIDATE = {"review": review, "refine": refine, "verify": verify, "judge": judge, "recheck": recheck}


def on_candidates(rng: random.Random, role: str, problem: Problem, right: list[Candidate], wrong: list[Candidate]) -> Example:
    """An example of a role that reads solutions; half of the solutions shown are right."""
    if role == "compare":
        return compare(rng, problem, rng.choice(right), rng.choice(wrong))
    if role == "aggregate":
        shown = [rng.choice(right if rng.random() < 0.5 else wrong) for _ in range(3)]
        return aggregate(problem, shown)
    return ON_CANDIDATE[role](problem, rng.choice(right if rng.random() < 0.5 else wrong))


def planted(rng: random.Random, role: str, problem: Problem) -> Example:
    """An example of a role with planted mistakes."""
    return on_candidates(rng, role, problem, [canonical(problem)], [plant(rng, problem) for _ in range(3)])


def sampled(rng: random.Random, role: str, problem: Problem, samples: list[Candidate]) -> Example:
    """An example with real samples of the solver, completed by canonical or planted ones where a kind is missing."""
    # A right answer reached by a wrong step teaches nothing clear: such samples are left out.
    right = [c for c in samples if first_wrong(problem, c) is None]
    wrong = [c for c in samples if not is_right(problem, c)]
    return on_candidates(rng, role, problem, right or [canonical(problem)], wrong or [plant(rng, problem)])


# Practice: skills without a problem, for training only.


def practice_copy(rng: random.Random, names=names_for_training) -> Example:
    lines = [_arithmetic_line(rng, name) for name in names(rng, rng.randint(1, 4))]
    text = "\n".join(f"- {line}" for line in lines)
    return Example("copy", text, text)


def practice_find(rng: random.Random, names=names_for_training) -> Example:
    """The values of some names, in the order asked for."""
    lines = {name: f"- {name}: {rng.randint(1, 200)}" for name in names(rng, rng.randint(2, 6))}
    asked = rng.sample(list(lines), len(lines))
    question = "\n".join(f"- {name}" for name in asked)
    return Example("find", join("\n".join(lines.values()), question), "\n".join(lines[name] for name in asked))


def practice_read(rng: random.Random, problem: Problem) -> Example:
    """Every relation of a problem, in the order asked for."""
    labels = list(problem.relations)
    rng.shuffle(labels)
    lines = [f"- {label}: {problem.relations[label]}" for label in labels]
    return Example("read", join(problem.text, "\n".join(f"- {label}" for label in labels)), "\n".join(lines))


def practice_sum(rng: random.Random) -> Example:
    """Arithmetic alone, in the form of computed lines."""
    label = rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return Example("sum", label, "\n".join(f"- {_arithmetic_line(rng, label)}" for _ in range(12)))


def _arithmetic_line(rng: random.Random, label: str) -> str:
    operation = rng.choice("+-*/")
    if operation in "*/":
        right = rng.randint(2, 5) if rng.random() < 0.8 else rng.randint(2, 9)
        left = rng.randint(2, 40 if rng.random() < 0.7 else 99)
        left, value = (left * right, left) if operation == "/" else (left, left * right)
    else:
        left = rng.randint(2, 60 if rng.random() < 0.6 else 200)
        right = rng.randint(1, 40 if rng.random() < 0.7 else 150)
        left = max(left, right + 1) if operation == "-" else left
        value = OPERATIONS[operation](left, right)
    return f"{label}: {left} {operation} {right} = {value}"
