"""The four operations, and how they are worked out digit by digit."""

import random
import re
from dataclasses import dataclass
from typing import Callable

OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left // right if right else 0,
}
# From these on, sums and differences, products, and what is divided, are worked out.
LONG = 100
LONG_PRODUCT = 1000
LONG_DIVIDED = 1000
_COMPUTED = re.compile(r".*?(\d+) ([-+*/]) (?:[A-Za-z]+ )?(\d+) = (\d+)")
_STEPS = re.compile(r"= [\d ]+ = ")
_WRITTEN = re.compile(r"- [A-Z]: ((\d+) ([-+*/]) (\d+) =) (\d+)")


@dataclass(frozen=True)
class Reckoned:
    """Computations that the solver wrote at once ("347 * 6 = 2082"), and the wrong ones among them."""

    all: list[str]
    wrong: list[str]

    @staticmethod
    def read(texts: list[str]) -> "Reckoned":
        found = [line for text in texts for line in map(_WRITTEN.fullmatch, text.split("\n")) if line]
        # What does not divide has no result to be right.
        written = [f"{line[1]} {line[5]}" for line in found if line[3] != "/" or _divides(int(line[4]), int(line[2]))]
        return Reckoned(written, [line for line in written if corrected(line) != line])

    def draw(self, rng: random.Random) -> str:
        """As often a wrong one as any."""
        return rng.choice(self.wrong if rng.random() < 0.45 else self.all)


def _divides(divisor: int, dividend: int) -> bool:
    return divisor > 0 and dividend % divisor == 0


def corrected(line: str) -> str:
    """The computation at the end of a line, with the right result."""
    left, operation, right = line.split(" ")[-5:-2]
    return f"{line[: line.rindex(' ')]} {OPERATIONS[operation](int(left), int(right))}"


def worked(line: str) -> str:
    """A line with what its result is made of before the result, where that is long; any other line as it is.

    "Ben: Ann 347 * 6 = 2082" becomes "Ben: Ann 347 * 6 = 7 42 42 4 24 28 3 18 20 = 2082": the digits from the last on, each
    with what it makes without and with the carry before it; a quotient from the first on. So all of a long computation is in
    tables, a step at a time. Short ones are as sure at once."""
    found = _COMPUTED.fullmatch(line)
    steps = found and _steps(int(found[1]), found[2], int(found[3]))
    return f"{line[: line.rindex('=')]}= {' '.join(steps)} = {found[4]}" if found and steps else line


def plain(line: str) -> str:
    """A line as it was before it was worked out."""
    return _STEPS.sub("= ", line)


def _steps(left: int, operation: str, right: int) -> list[str]:
    """Empty where there is no such way."""
    if operation == "*":
        small, large = sorted((left, right))
        return _product(large, small) if small < 10 and small * large >= LONG_PRODUCT else []
    if operation == "/":
        return _quotient(left, right) if left >= LONG_DIVIDED and 0 < right < 10 else []
    if max(left, right) < LONG:
        return []
    if operation == "+":
        return _carried(left, right, lambda one, other, carry: one + other + carry)
    # Ten is borrowed beforehand; a number of ten and more gives it back.
    return _carried(left, right, lambda one, other, kept: 9 + one - other + kept, 1) if left >= right else []


def _carried(left: int, right: int, combined: Callable[[int, int, int], int], carry: int = 0) -> list[str]:
    """A digit of each, and two digits that they make."""
    width = len(str(max(left, right)))
    steps = []
    for one, other in zip(reversed(f"{left:0{width}}"), reversed(f"{right:0{width}}")):
        value = combined(int(one), int(other), carry)
        carry = value // 10
        steps.append(f"{one} {other} {value:02}")
    return steps


def _product(left: int, right: int) -> list[str]:
    """A digit, and two digits that it makes without and with the carry."""
    carry, steps = 0, []
    for digit in reversed(str(left)):
        product = int(digit) * right
        steps.append(f"{digit} {product:02} {product + carry:02}")
        carry = (product + carry) // 10
    return steps


def _quotient(left: int, right: int) -> list[str]:
    """From the first digit on: two digits to be divided, what they give, and what is left to stand before the next one."""
    rest, steps = 0, []
    for digit in str(left):
        part = 10 * rest + int(digit)
        rest = part % right
        steps.append(f"{part:02} {part // right} {rest}")
    return steps
