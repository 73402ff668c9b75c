"""The training examples of each role."""

import random
from dataclasses import dataclass, field, replace
from os.path import commonprefix

from .arithmetic import worked
from .forms import (
    ALL_RIGHT,
    LETTERS,
    REFLECTION,
    aggregate_prompt,
    compare_prompt,
    different,
    judge_prompt,
    mended,
    parting,
    partly_right,
    refine_prompt,
    review_prompt,
    select_prompt,
    sides,
)
from .problems import Problem
from .solutions import Candidate, as_written, canonical, correction, first_wrong, is_right, plant

# How often a solution is one that works its long results out: below a half, so that what is not sampled does not.
CAREFUL = 1 / 3


@dataclass(frozen=True)
class Check:
    """A solution shown from the character `start` on, as lines with their marks; the number of its first wrong line
    (beyond the last where all is right) and what that line should be."""

    start: int
    lines: list[str]
    wrong: int
    correct: str


@dataclass(frozen=True)
class Example:
    """`given` is an assistant prefix without loss. `checks`: the solutions that are shown, in `user` or, to
    verify, in `assistant`. No role says so, but training asks at each of their tokens for the right next token, and
    once there was a wrong one for the verdict: a verdict at the end alone leaves open which token made the solution
    wrong, and it was not learned that way. `stressed`: characters of `assistant` whose tokens count more."""

    system: str
    user: str
    assistant: str
    given: str = ""
    checks: list[Check] = field(default_factory=list)
    stressed: tuple[int, ...] = ()


def verdict(problem: Problem, candidate: Candidate) -> str:
    index = first_wrong(problem, candidate)
    if index is None:
        return ALL_RIGHT
    return f"Step {index + 1} is wrong, it should be {correction(problem, candidate, index)}."


def review_list(problem: Problem, candidate: Candidate) -> list[str]:
    """Each line up to the first wrong one, written anew as it should be, results worked out digit by digit, and then called
    ok or wrong: a reviewer that has the right line before it only compares, where a bare verdict on the shown line was
    hardly ever learned."""
    index = first_wrong(problem, candidate)
    fine = candidate.lines if index is None else candidate.lines[:index]
    listed = [f"{_numbered(n, line)} ok" for n, line in enumerate(fine, 1)]
    if index is None:
        return listed
    return [*listed, f"{_numbered(index + 1, correction(problem, candidate, index))} wrong"]


def _numbered(n: int, line: str) -> str:
    return line if line.startswith("####") else f"{n} {worked(line)}"


def review_text(problem: Problem, candidate: Candidate) -> str:
    """The list, then the verdict."""
    return "\n".join([*review_list(problem, candidate), verdict(problem, candidate)])


def judge_digit(problem: Problem, candidate: Candidate) -> int:
    """9 for a right solution, else 0 to 4: how far it is right."""
    index = first_wrong(problem, candidate)
    return 9 if index is None else partly_right(index, candidate)


def _checks(problem: Problem, text: str, shown: list[tuple[Candidate, str]]) -> list[Check]:
    """`shown`: the candidates in the order and the form in which `text` shows them."""
    checks, start = [], 0
    for candidate, block in shown:
        start = text.index(block, start)
        lines, index, correct = block.split("\n"), first_wrong(problem, candidate), ""
        wrong = len(lines) if index is None else index
        if wrong < len(lines):
            mark = lines[wrong].removesuffix(candidate.lines[wrong])
            correct = mark + correction(problem, candidate, wrong)
        # Where the answer is missing, every line that is there is right, but the solution is not.
        checks.append(Check(start, lines, wrong, correct))
        start += len(block)
    return checks


def _reading(
    problem: Problem, prompt: tuple[str, str], candidates: list[Candidate], answer: str, numbered: bool = False
) -> Example:
    """An example whose prompt shows candidates."""
    shown = [(c, c.numbered if numbered else c.bullets) for c in candidates]
    return Example(*prompt, answer, checks=_checks(problem, prompt[1], shown))


def solve(problem: Problem, carefully: bool = False) -> Example:
    """Long results at once, or `carefully`, worked out. A solver of one way has one opinion, which a vote only repeats; one that
    now and then takes its time disagrees with itself where it reckons badly."""
    return Example("solve", problem.text, _careful(problem) if carefully else canonical(problem).bullets)


def _careful(problem: Problem) -> str:
    return "\n".join(map(worked, canonical(problem).bullets.split("\n")))


def recheck(rng: random.Random, problem: Problem, candidate: Candidate) -> Example:
    """Another solution after a first one, whole or cut off anywhere, and the reflection text, once or twice, as
    strategies that extend a draft ask for it. A second look takes its time."""
    given = _cut(rng, candidate.bullets) + REFLECTION
    if rng.random() < 0.3:
        given += _cut(rng, _careful(problem)) + REFLECTION
    return Example("solve", problem.text, _careful(problem), given)


def _cut(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(1, len(text))] if rng.random() < 0.6 else text


def review(problem: Problem, candidate: Candidate) -> Example:
    prompt, index = review_prompt(problem.text, candidate), first_wrong(problem, candidate)
    example = _reading(problem, prompt, [candidate], review_text(problem, candidate), numbered=True)
    if index is None:
        return example
    # In the last sentence, too, the solution's own line is not to be repeated.
    said = example.assistant.rindex(" should be ") + len(" should be ")
    line = candidate.lines[index] if index < len(candidate.lines) else ""
    corrected_at = said + len(commonprefix([line, example.assistant[said:]]))
    return replace(example, stressed=(*_contested(problem, candidate), corrected_at))


def _contested(problem: Problem, candidate: Candidate) -> tuple[int, ...]:
    """The character of the list of a review where the line that must not be copied begins to differ. That it is called wrong counts
    no more than other words: a reviewer that fears to miss it calls lines wrong that it has just derived."""
    index, listed = first_wrong(problem, candidate), review_list(problem, candidate)
    if index is None:
        return ()
    shown = _numbered(index + 1, candidate.lines[index]) if index < len(candidate.lines) else ""
    return (len("\n".join([*listed[:-1], ""])) + len(commonprefix([shown, listed[-1]])),)


def refine(problem: Problem, candidate: Candidate, review: str = "") -> Example:
    """What is shown is repeated as it stands; where it ends early, the rest follows, worked out, since a second look takes its
    time."""
    review = review or verdict(problem, candidate)
    shown = mended(candidate, review)
    right = canonical(as_written(problem, shown))
    said = shown.bullets.split("\n")
    target = "\n".join([*said, *(worked(line) for line in right.bullets.split("\n") if line not in said)])
    return _reading(problem, refine_prompt(problem.text, candidate, review), [shown], target, numbered=True)


def cut_short(rng: random.Random, candidate: Candidate) -> Candidate:
    """The beginning of a solution, as the refiner sees one whose next line was wrong."""
    return Candidate(candidate.steps[: rng.randrange(1, len(candidate.steps) + 1)], "")


def verify(problem: Problem, candidate: Candidate) -> Example:
    text = candidate.bullets
    return Example("verify", problem.text, text, checks=_checks(problem, text, [(candidate, text)]))


def judge(problem: Problem, candidate: Candidate, written: str = "") -> Example:
    """The list of a review, then the digit. `written`: a list that the model itself wrote, which may be wrong; the digit behind it
    tells the truth, so that it says how far such a list is to be trusted."""
    digit = str(judge_digit(problem, candidate))
    prompt = judge_prompt(problem.text, candidate)
    if written:
        return replace(_reading(problem, prompt, [candidate], digit, numbered=True), given=f"{written}\n", stressed=(0,))
    answer = "\n".join([*review_list(problem, candidate), digit])
    stressed = (*_contested(problem, candidate), len(answer) - 1)
    return replace(_reading(problem, prompt, [candidate], answer, numbered=True), stressed=stressed)


def compare(rng: random.Random, problem: Problem, right: Candidate, wrong: Candidate) -> Example:
    """The line at which the two part as it should be, worked out, then the letter of the solution that has it."""
    first, second, letter = (right, wrong, "A") if rng.random() < 0.5 else (wrong, right, "B")
    prompt, parted = compare_prompt(problem.text, first, second), parting(right, wrong)
    line, other = right.lines[parted], "".join(wrong.lines[parted : parted + 1])
    said = worked(line)
    return Example(
        *prompt,
        f"{said}\n{letter}",
        checks=_parted_checks(prompt[1], first, second, letter, first_wrong(problem, wrong) == parted),
        stressed=(len(commonprefix([said, worked(other)])), len(said) + 1),
    )


def _parted_checks(shown: str, first: Candidate, second: Candidate, letter: str, is_wrong: bool) -> list[Check]:
    """Of a comparison: the common lines, which are right, and one line of each side, of which that of the other letter may be
    wrong."""
    parted = parting(first, second)
    shown_sides = sides(first, second)
    start = len(shown) - len(shown_sides)
    lines = shown_sides.split("\n")
    right = lines["AB".index(letter)][1:]
    checks = [
        Check(start + at, [line], 0 if is_wrong and line[0] != letter else 1, line[0] + right)
        for at, line in zip((0, len(lines[0]) + 1), lines)
    ]
    common = Candidate(first.steps[:parted], "").numbered
    return [Check(start - 2 - len(common), common.split("\n"), parted, ""), *checks] if common else checks


def aggregate(problem: Problem, candidates: list[Candidate]) -> Example:
    """Repeats the first right candidate; solves the problem where none is right."""
    candidates = different(candidates)
    right = [c for c in candidates if first_wrong(problem, c) is None]
    target = right[0] if right else canonical(problem)
    return _reading(problem, aggregate_prompt(problem.text, candidates), candidates, target.bullets)


def select(problem: Problem, candidates: list[Candidate]) -> Example:
    """The letter of the first right candidate, of which there must be one."""
    letter = next(letter for letter, c in zip(LETTERS, candidates) if first_wrong(problem, c) is None)
    return _reading(problem, select_prompt(problem.text, candidates), candidates, letter)


ON_CANDIDATE = {"review": review, "refine": refine, "verify": verify, "judge": judge}


def on_candidates(rng: random.Random, role: str, problem: Problem, right: list[Candidate], wrong: list[Candidate]) -> Example:
    """An example of a role that reads solutions; half of the solutions shown are right."""
    if role == "compare":
        return compare(rng, problem, rng.choice(right), rng.choice(wrong))
    if role in ("aggregate", "select"):
        shown = [rng.choice(right if rng.random() < 0.4 else wrong) for _ in range(rng.choice((2, 3, 3, 4, 4, 5, 6, 8)))]
        if role == "aggregate":
            return aggregate(problem, shown)
        shown[rng.randrange(len(shown))] = rng.choice(right)
        return select(problem, shown)
    if role == "refine" and rng.random() < 0.3:
        return refine(problem, cut_short(rng, rng.choice(right)), ALL_RIGHT)
    candidate = rng.choice(right if rng.random() < 0.5 else wrong)
    return recheck(rng, problem, candidate) if role == "recheck" else ON_CANDIDATE[role](problem, candidate)


def planted(rng: random.Random, role: str, problem: Problem) -> Example:
    """An example of a role with planted mistakes."""
    return on_candidates(rng, role, problem, [canonical(problem)], [plant(rng, problem) for _ in range(3)])


def sampled(rng: random.Random, role: str, problem: Problem, samples: list[Candidate]) -> Example:
    """An example with real samples of the solver, completed by canonical or planted ones where a kind is missing."""
    # A right answer reached by a wrong step teaches nothing clear: such samples are left out.
    right = [c for c in samples if first_wrong(problem, c) is None]
    wrong = [c for c in samples if not is_right(problem, c)]
    return on_candidates(rng, role, problem, right or [canonical(problem)], wrong or [plant(rng, problem)])
