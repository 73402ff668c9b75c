"""Practice: single skills, without a problem or without its solution, for training only."""

import random
from os.path import commonprefix

from .arithmetic import OPERATIONS, Reckoned, corrected, worked
from .forms import join
from .generator import LARGEST_DIVIDED
from .lexicon import names_for_training
from .problems import Problem, Relation
from .roles import Check, Example
from .solutions import misreckoned

LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def copy(rng: random.Random, names=names_for_training) -> Example:
    chosen = names(rng, rng.randint(1, 8))
    lines = [_arithmetic_line(rng, name, rng.choice(["", *chosen])) for name in chosen]
    text = "\n".join(f"- {line}" for line in lines)
    return Example("copy", text, text)


def find(rng: random.Random, names=names_for_training) -> Example:
    """The values of some names, in the order asked for: plain numbers and what computations give."""
    given, chosen = {}, names(rng, rng.randint(2, 12))
    for name in chosen:
        plain = rng.random() < 0.5
        given[name] = f"{name}: {rng.randint(1, 999)}" if plain else _arithmetic_line(rng, name, rng.choice(chosen))
    asked = rng.sample(list(given), len(given))
    found = [f"- {name}: {given[name].rpartition(' ')[2]}" for name in asked]
    parts = ("\n".join(f"- {line}" for line in given.values()), "\n".join(f"- {name}" for name in asked))
    return Example("find", join(*parts), "\n".join(found))


def read(rng: random.Random, problem: Problem) -> Example:
    """Every relation of a problem, in the order asked for."""
    labels = list(problem.relations)
    rng.shuffle(labels)
    lines = [f"- {label}: {problem.relations[label]}" for label in labels]
    return Example("read", join(problem.text, "\n".join(f"- {label}" for label in labels)), "\n".join(lines))


def link(rng: random.Random, problem: Problem) -> Example:
    """Half of the computed lines of a problem and all of its sums of two quantities, whose second value is what solvers look up
    worst, in an order asked for, from their relations and what all quantities are."""
    linked = [label for label, relation in problem.relations.items() if relation.sources]
    chosen = set(rng.sample(linked, (len(linked) + 1) // 2))
    asked = [label for label in linked if label in chosen or len(problem.relations[label].sources) == 2]
    rng.shuffle(asked)
    relations, values = problem.relations, problem.values
    computed = {
        label: f"- {label}: {relations[label].computed(*relations[label].operands(values), values[label])}" for label in linked
    }
    shown = [f"- {label}: {relations[label]}" for label in asked]
    known = [
        computed[label] if label in linked and label not in asked else f"- {label}: {value}" for label, value in values.items()
    ]
    rng.shuffle(known)
    parts = ("\n".join([*shown, *known]), "\n".join(f"- {label}" for label in asked))
    return Example("link", join(*parts), "\n".join(computed[label] for label in asked))


def sums(rng: random.Random) -> Example:
    """Arithmetic alone, in the form of computed lines."""
    return Example("sum", *_sums(rng))


def work(rng: random.Random) -> Example:
    """Arithmetic digit by digit, in the form of a review."""
    label, lines = _sums(rng)
    return Example("work", label, "\n".join(worked(line) for line in lines.split("\n")))


def check(rng: random.Random, reckoned: Reckoned | None = None) -> Example:
    """Whether lines of arithmetic are right, of which half are, at a mark after each, as the step verifier says it."""
    label = rng.choice(LABELS)
    lines = [_shown(rng, "- ", label, "", reckoned) for _ in range(10)]
    return Example("check", label, "\n".join(check.lines[0] for check in lines), checks=lines)


def proof(rng: random.Random, reckoned: Reckoned | None = None) -> Example:
    """Lines of arithmetic, of which half are right, worked out and called ok or wrong, as a reviewer does it."""
    label, checks, answers, stressed, start = rng.choice(LABELS), [], [], [], 0
    for n in range(1, 7):
        check = _shown(rng, f"{n}. ", label, rng.choice(("", f"{label} ")), reckoned, start)
        shown, right = (f"{n} {worked(line.partition(' ')[2])}" for line in (check.lines[0], check.correct or check.lines[0]))
        answers.append(f"{right} {'wrong' if check.correct else 'ok'}")
        written = len("\n".join(["", *answers])) - len(answers[-1]) - 1
        stressed += [written + len(right) + 1, *([written + len(commonprefix([shown, right]))] if check.correct else [])]
        start += len(check.lines[0]) + 1
        checks.append(check)
    return Example("proof", "\n".join(check.lines[0] for check in checks), "\n".join(answers), checks=checks, stressed=tuple(stressed))


def _shown(rng: random.Random, mark: str, label: str, source: str, reckoned: Reckoned | None, start: int = 0) -> Check:
    """A computed line behind its mark, half of the time with a wrong result; two in three that the solver wrote, where
    there are any. `source`: what stands before the first number."""
    if reckoned and reckoned.wrong and rng.random() < 0.67:
        line = f"{mark}{label}: {source}{reckoned.draw(rng)}"
    else:
        line = mark + _arithmetic_line(rng, label, source.strip())
        if rng.random() < 0.5:
            head, _, result = line.rpartition(" ")
            line = f"{head} {misreckoned(rng, int(result))}"
    right = corrected(line)
    return Check(start, [line], 1, "") if line == right else Check(start, [line], 0, right)


def _sums(rng: random.Random) -> tuple[str, str]:
    label = rng.choice(LABELS)
    return label, "\n".join(f"- {_arithmetic_line(rng, label)}" for _ in range(10))


def _arithmetic_line(rng: random.Random, label: str, source: str = "") -> str:
    """`source`: the name before the first number, if any."""
    operation = rng.choice("++-**/")
    large = rng.choices((60, 999, 9_999, 99_999), (2, 3, 5, 4))[0]
    if operation == "/":
        large = min(large, LARGEST_DIVIDED)
    if operation in "*/":
        right = rng.randint(2, 9)
        left = rng.randint(2, max(9, large // right))
        left, value = (left * right, left) if operation == "/" else (left, left * right)
    else:
        left, right = rng.randint(2, large), rng.randint(1, rng.choice((99, 999, large, large)))
        left, right = (max(left, right) + 1, min(left, right)) if operation == "-" else (left, right)
        value = OPERATIONS[operation](left, right)
    return f"{label}: {Relation(source or left, operation, right).computed(left, right, value)}"
