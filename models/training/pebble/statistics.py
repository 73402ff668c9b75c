"""Wilson intervals, area under the curve, votes."""

import math
import random
from collections import Counter


def wilson(hits: int, total: int) -> str:
    """A share in percent with its 95 % Wilson interval and n."""
    if total == 0:
        return "none (n 0)"
    z, p = 1.96, hits / total
    centre = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return f"{100 * p:.1f} % [{100 * max(0, centre - half):.1f}, {100 * min(1, centre + half):.1f}] (n {total})"


def difference(before: list[bool], after: list[bool]) -> str:
    """The change of a share between paired results, in points, with its 95 % interval."""
    if not before:
        return "none (n 0)"
    changes = [int(a) - int(b) for b, a in zip(before, after)]
    n, mean = len(changes), sum(changes) / len(changes)
    half = 1.96 * math.sqrt(sum((c - mean) ** 2 for c in changes) / max(1, n - 1) / n)
    return f"{100 * mean:+.1f} points [{100 * (mean - half):+.1f}, {100 * (mean + half):+.1f}] (n {n})"


def area_under_curve(right: list[float], wrong: list[float]) -> float:
    """The chance that a right item scores above a wrong one; ties count half."""
    ranked = sorted([(score, 1) for score in right] + [(score, 0) for score in wrong])
    total, start = 0.0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        total += sum(kind for _, kind in ranked[start:end]) * (start + 1 + end) / 2
        start = end
    return (total - len(right) * (len(right) + 1) / 2) / (len(right) * len(wrong))


def auc(right: list[float], wrong: list[float], seed: int = 1) -> str:
    """The area under the curve with a 95 % bootstrap interval."""
    if not right or not wrong:
        return f"none (right {len(right)}, wrong {len(wrong)})"
    rng = random.Random(seed)
    drawn = sorted(
        area_under_curve(rng.choices(right, k=len(right)), rng.choices(wrong, k=len(wrong))) for _ in range(400)
    )
    value = area_under_curve(right, wrong)
    return f"{value:.3f} [{drawn[10]:.3f}, {drawn[389]:.3f}] (right {len(right)}, wrong {len(wrong)})"


def majority(answers: list[str]) -> str:
    """The most frequent answer, the first met among equals; empty where none was given."""
    given = [answer for answer in answers if answer]
    return Counter(given).most_common(1)[0][0] if given else ""


def show(name: str, value: str) -> None:
    print(f"{name}: {value}", flush=True)
