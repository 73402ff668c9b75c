"""The prompt forms, and how replies are read: those of src/prompts/compact.ts."""

import re
from dataclasses import dataclass
from itertools import takewhile, zip_longest

from .arithmetic import plain
from .solutions import Candidate

ALL_RIGHT = "All steps are right."
REFLECTION = "\nCheck it again.\n"
LETTERS = "ABCDEFGH"
DIGITS = tuple("0123456789")
_LISTED = re.compile(r"(?:(\d{1,3} .+)|(####.*)) (ok|wrong)")
_VERDICT = re.compile(r"Step (\d{1,3}) is wrong, it should be (.+)\.")


def join(*parts: str) -> str:
    return "\n\n".join(parts)


def review_prompt(text: str, candidate: Candidate) -> tuple[str, str]:
    return "review", join(text, candidate.numbered)


def refine_prompt(text: str, candidate: Candidate, review: str) -> tuple[str, str]:
    """Shows what the review leaves of a solution: a refiner that saw the wrong line and what follows from it beside the review
    repeated them in half of its failures."""
    return "refine", join(text, mended(candidate, review).numbered)


def refine_beginning(candidate: Candidate, review: str) -> str:
    """What the answer to `refine_prompt` is given to begin with, so that no step that stands is written anew."""
    return Candidate(mended(candidate, review).steps, "").bullets + "\n"


def mended(candidate: Candidate, review: str) -> Candidate:
    """The lines before the one that a review calls wrong, and that line as the review gives it; what comes after it falls.
    All of a solution of which the review says nothing of the kind."""
    found = _VERDICT.fullmatch(review)
    if not found or not 0 < int(found[1]) <= len(candidate.steps) + 1:
        return candidate
    return _with_line(candidate.steps[: int(found[1]) - 1], found[2])


def judge_prompt(text: str, candidate: Candidate) -> tuple[str, str]:
    return "judge", join(text, candidate.numbered)


def compare_prompt(text: str, first: Candidate, second: Candidate) -> tuple[str, str]:
    """Shows the lines that both solutions begin with, and the next line of each: one that has to find where two long solutions
    part finds little else."""
    parted = parting(first, second)
    shown = [Candidate(first.steps[:parted], "").numbered, sides(first, second)]
    return "compare", join(text, *filter(None, shown))


def parting(first: Candidate, second: Candidate) -> int:
    """Index of the first line that two solutions do not share; of the last line where they share all."""
    pairs = list(zip_longest(first.lines, second.lines, fillvalue=""))
    return next((n for n, (a, b) in enumerate(pairs) if a != b), max(0, len(pairs) - 1))


def sides(first: Candidate, second: Candidate) -> str:
    parted = parting(first, second)
    return "\n".join(f"{letter}. {''.join(c.lines[parted : parted + 1])}".rstrip() for letter, c in zip("AB", (first, second)))


def read_comparison(said: str, first: Candidate, second: Candidate) -> str:
    """The letter of a comparison, as src/prompts/compact.ts reads it: that of the solution that has the line derived, whatever letter
    is written below it; the written one where neither has it, empty where there is none."""
    line, _, letter = said.rpartition("\n")
    parted = parting(first, second)
    having = [name for name, c in zip("AB", (first, second)) if c.lines[parted : parted + 1] == [plain(line)]]
    return having[0] if len(having) == 1 else letter if letter in ("A", "B") else ""


def aggregate_prompt(text: str, candidates: list[Candidate]) -> tuple[str, str]:
    return "aggregate", join(text, *(f"{letter}:\n{c.bullets}" for letter, c in zip(LETTERS, candidates)))


def different(candidates: list[Candidate]) -> list[Candidate]:
    """What is the same is shown once to who makes one solution of several."""
    return list({candidate.bullets: candidate for candidate in candidates}.values())


def aggregate_beginning(candidates: list[Candidate]) -> str:
    """What the answer to `aggregate_prompt` is given to begin with: the steps that all begin with."""
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*(candidate.steps for candidate in candidates)))
    return "".join(f"- {column[0]}\n" for column in columns)


def select_prompt(text: str, candidates: list[Candidate]) -> tuple[str, str]:
    return "select", aggregate_prompt(text, candidates)[1]


@dataclass(frozen=True)
class Listed:
    """A line of the list of a review: the step as the reviewer derives it, or the answer; and whether it calls the shown one wrong."""

    line: str
    is_called_wrong: bool


def review_lines(review: str) -> list[Listed]:
    """The beginning of a review or of a judgement, as far as it is a list."""
    found = takewhile(bool, map(_LISTED.fullmatch, review.split("\n")))
    return [Listed(plain(line[1].split(" ", 1)[1]) if line[1] else line[2], line[3] == "wrong") for line in found]


def differing(listed: list[Listed], candidate: Candidate) -> int | None:
    """Index of the first line that is derived otherwise than the solution has it."""
    pairs = zip_longest([found.line for found in listed], candidate.lines[: len(listed)])
    return next((n for n, (line, shown) in enumerate(pairs) if line != shown), None)


def found_wrong(review: str, candidate: Candidate) -> tuple[int, str] | None:
    """Index of the first wrong line by the list of a review, and what it should be: the first that is derived otherwise, whatever it
    is called, else the first that is called wrong."""
    listed = review_lines(review)
    at = differing(listed, candidate)
    if at is None:
        at = next((n for n, found in enumerate(listed) if found.is_called_wrong), None)
    return None if at is None else (at, listed[at].line)


def read_verdict(review: str, candidate: Candidate) -> str:
    """The verdict of a review, as src/prompts/compact-review.ts reads it: what its list finds, else what it says in the end."""
    found = found_wrong(review, candidate)
    return review.rpartition("\n")[2] if found is None else f"Step {found[0] + 1} is wrong, it should be {found[1]}."


def second_look(text: str, candidate: Candidate, review: str) -> tuple[str, str] | None:
    """Asks once more about the line that a review derives otherwise than the solution has it: of two lines that differ one is a slip,
    and as often as not the reviewer's. The solution's is A. None where the review finds no such line."""
    other = _derived(candidate, review)
    return other and compare_prompt(text, candidate, other)


def still_stands(said: str, candidate: Candidate, review: str) -> bool:
    """Whether the reply to a second look leaves the solution its line."""
    return read_comparison(said, candidate, _derived(candidate, review)) == "A"


def kept_list(candidate: Candidate, review: str) -> str:
    """What a review goes on from whose finding fell: its list before the line, and the solution's line, right."""
    at = differing(review_lines(review), candidate)
    shown = candidate.lines[at]
    mark = "" if shown.startswith("####") else f"{at + 1} "
    return "".join(f"{line}\n" for line in [*review.split("\n")[:at], f"{mark}{shown} ok"])


def _derived(candidate: Candidate, review: str) -> Candidate | None:
    """A solution up to the first line that a review derives otherwise, with the line derived."""
    listed = review_lines(review)
    at = differing(listed, candidate)
    return None if at is None or at >= len(candidate.lines) else _with_line(candidate.steps[:at], listed[at].line)


def _with_line(steps: list[str], line: str) -> Candidate:
    return Candidate(steps, line.removeprefix("####").strip()) if line.startswith("####") else Candidate([*steps, line], "")


def read_digit(judgement: str, candidate: Candidate) -> int | None:
    """What a judge says, as src/prompts/compact.ts reads it: where its list finds a wrong line, how far the solution is right by it (0
    to 4), whatever digit follows; else that digit, None where there is none."""
    found, last = found_wrong(judgement, candidate), judgement.rpartition("\n")[2]
    if found is not None:
        return partly_right(found[0], candidate)
    return int(last) if last in DIGITS else None


def partly_right(wrong: int, candidate: Candidate) -> int:
    """The digit of a solution whose first wrong line is the one at `wrong`: 0 to 4."""
    return min(4, 5 * wrong // (len(candidate.steps) + 1))


def judged_list(judgement: str) -> str:
    """The list before the digit of what the model wrote as a judge; empty where it has none."""
    return judgement.rpartition("\n")[0]
