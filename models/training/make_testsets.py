"""Writes the fixed test sets. Their texts lie on the held-out side of the hash split, so no training seed makes them.

python make_testsets.py
"""

import argparse
import json
import random
from dataclasses import replace
from pathlib import Path

from pebble import lexicon, wordings
from pebble.generator import TRAINING_SURFACE, USUAL_SURFACE, Surface, build, is_held_out, random_structured_problem
from pebble.problems import Problem

UNSEEN_NAMES = replace(USUAL_SURFACE, names=lexicon.names_held_out, thing=lexicon.thing_held_out)
UNSEEN_WORDINGS = replace(USUAL_SURFACE, sentences=wordings.HELD_OUT)
USUAL_STEPS = (9, 10)
# What people type: shorter, with smaller numbers, all relations alike.
EVERYDAY = replace(USUAL_SURFACE, numbers=TRAINING_SURFACE.numbers[:1], kinds=TRAINING_SURFACE.kinds)
EVERYDAY_STEPS = (2, 3, 4, 5, 6, 7, 8)


def row(name: str, number: int, problem: Problem) -> dict:
    return {
        "id": f"{name}-{number:03}",
        "text": problem.text,
        "answer": problem.answer,
        "steps": problem.lines[:-1],
        "difficulty": problem.difficulty,
        "relations": problem.to_json()["relations"],
        "question": problem.question,
    }


def draw(name: str, count: int, steps: tuple[int, ...], surface: Surface, again: bool = False) -> tuple[list[dict], list[dict]]:
    """The rows of a set, and where asked each problem `again` with other names, numbers and order."""
    rng, rows, changed, texts = random.Random(name), [], [], set()
    while len(rows) < count:
        structure, problem = random_structured_problem(rng, steps[len(rows) % len(steps)], surface, held_out=True)
        other = build(rng, structure, UNSEEN_NAMES, held_out=True, attempts=2000) if again else problem
        if problem.text in texts or other is None:
            continue
        texts.add(problem.text)
        changed.append(row(f"{name}-changed", len(rows), other))
        rows.append(row(name, len(rows), problem))
    return rows, changed


def write(folder: Path, name: str, rows: list[dict]) -> None:
    assert all(is_held_out(r["text"]) for r in rows)
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "testsets")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    rows, changed = draw("usual", 500, USUAL_STEPS, USUAL_SURFACE, again=True)
    write(folder, "usual", rows)
    write(folder, "changed", changed)
    write(folder, "names", draw("names", 300, USUAL_STEPS, UNSEEN_NAMES)[0])
    write(folder, "longer", draw("longer", 300, (11, 12), USUAL_SURFACE)[0])
    write(folder, "everyday", draw("everyday", 300, EVERYDAY_STEPS, EVERYDAY)[0])
    write(folder, "wordings", draw("wordings", 300, USUAL_STEPS, UNSEEN_WORDINGS)[0])


if __name__ == "__main__":
    main()
