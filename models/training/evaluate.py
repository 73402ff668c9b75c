"""Prints what the model can do on the fixed test sets, with 95 % intervals (Wilson; bootstrap for areas).

python evaluate.py --model ../pebble                       # all of it
python evaluate.py --model out/policy --limit 100 --k 8    # a quick look
"""

import argparse
import json
from pathlib import Path

import torch

from pebble import forms, tokens
from pebble.arithmetic import plain
from pebble.author import Author
from pebble.problems import Problem
from pebble.readers import Judged, Readers
from pebble.sampling import next_logits
from pebble.solutions import Candidate, canonical, first_wrong, is_right
from pebble.statistics import difference, majority, show, wilson

# That of ../pebble/generation_config.json, and one at which samples differ more.
TEMPERATURE, WARMER = 0.8, 1.0
# Room for a new solution behind a prompt that shows several.
ANSWER = 300
SETS = ("everyday", "names", "longer", "wordings")


class Evaluation:
    """Prints what the model is worth as a solver, and where it writes solutions out of others."""

    def __init__(self, author: Author, k: int):
        self.author, self.k = author, k

    def solutions(self, problems: list[Problem], count: int = 1, temperature: float = 0.0) -> list[str]:
        return self.author.write([("solve", p.text) for p in problems for _ in range(count)], temperature)

    def greedy(self, name: str, problems: list[Problem]) -> list[bool]:
        texts = self.solutions(problems)
        right = [is_right(p, Candidate.read(text)) for p, text in zip(problems, texts)]
        show(f"solver, greedy, {name}", wilson(sum(right), len(right)))
        show("  long results worked out", wilson(sum(map(is_careful, texts)), len(texts)))
        return right

    def by_difficulty(self, problems: list[Problem], right: list[bool]) -> None:
        for steps in sorted({p.difficulty for p in problems}):
            hits = [r for p, r in zip(problems, right) if p.difficulty == steps]
            show(f"  {steps} steps", wilson(sum(hits), len(hits)))

    def sampled(self, problems: list[Problem], greedy: list[bool]) -> tuple[list[Judged], list[tuple[Judged, Judged]]]:
        """Prints pass@k and majority@k at both temperatures; returns two samples of each problem for the roles that read
        solutions, and for each problem that has both the first right and the first wrong sample, in the order in which they came."""
        self.drawn(problems, greedy, WARMER)
        rows = self.drawn(problems, greedy, TEMPERATURE)
        judged = [[Judged(p, c, first_wrong(p, c)) for c in row if c.answer] for p, row in zip(problems, rows)]
        pairs = []
        for row in judged:
            first = {right: next((n for n, i in enumerate(row) if i.right == right), None) for right in (True, False)}
            if None not in first.values():
                a, b = sorted(first.values())
                pairs.append((row[a], row[b]))
        return [item for row in judged for item in row[:2]], pairs

    def drawn(self, problems: list[Problem], greedy: list[bool], temperature: float) -> list[list[Candidate]]:
        """Prints what k samples of each problem are worth; returns them by problem."""
        k, texts = self.k, self.solutions(problems, self.k, temperature)
        rows = [list(map(Candidate.read, texts[n * k : (n + 1) * k])) for n in range(len(problems))]
        right = [[is_right(p, c) for c in row] for p, row in zip(problems, rows)]
        votes = [majority([c.answer for c in row]) == str(p.answer) for p, row in zip(problems, rows)]
        show(f"solver, one sample at {temperature}", wilson(sum(map(sum, right)), k * len(rows)))
        show("  long results worked out", wilson(sum(map(is_careful, texts)), len(texts)))
        show(f"solver, pass@{k} at {temperature}", wilson(sum(map(any, right)), len(rows)))
        show(f"solver, majority@{k} at {temperature}", wilson(sum(votes), len(votes)))
        show(f"  over greedy on the same problems, at {temperature}", difference(greedy, votes))
        return rows

    def copies(self, name: str, problems: list[Problem]) -> None:
        """The copy probe: canonical solutions that the refiner repeats exactly."""
        prompts = [forms.refine_prompt(p.text, canonical(p), forms.ALL_RIGHT) for p in problems]
        same = [text == canonical(p).bullets for p, text in zip(problems, self.author.write(prompts))]
        show(f"copy probe, right solutions repeated exactly, {name}", wilson(sum(same), len(same)))

    def continuation(self, problems: list[Problem]) -> None:
        """Half of a right solution is given as the beginning of the answer."""
        given = [c.bullets[: c.bullets.index("\n", len(c.bullets) // 2) + 1] for c in map(canonical, problems)]
        texts = self.author.write([("solve", p.text) for p in problems], given=given)
        right = [is_right(p, Candidate.read(g + t)) for p, g, t in zip(problems, given, texts)]
        show("continue from half of a right solution", wilson(sum(right), len(right)))

    def fits(self, prompt: tuple[str, str], given: str, room: int) -> bool:
        """Whether `room` tokens are left behind prompt and beginning."""
        length = len(tokens.prompt_ids(self.author.tokenizer, *prompt, given))
        return length + room <= self.author.model.config.max_position_embeddings

    def fit_together(self, text: str, row: list[Candidate]) -> bool:
        aggregate = forms.aggregate_prompt(text, forms.different(row))
        return self.fits(aggregate, forms.aggregate_beginning(row), ANSWER) and self.fits(forms.select_prompt(text, row), "", 1)

    def together(self, problems: list[Problem], shown: int = 4) -> None:
        """The roles that read several samples, against a vote among the same samples."""
        candidates = list(map(Candidate.read, self.solutions(problems, shown, TEMPERATURE)))
        drawn = [(p, candidates[n * shown : (n + 1) * shown]) for n, p in enumerate(problems)]
        fitting = [(p, row) for p, row in drawn if self.fit_together(p.text, row)]
        show(f"{shown} solutions fit the context beside a new one", wilson(len(fitting), len(drawn)))
        problems, rows = [p for p, _ in fitting], [row for _, row in fitting]
        given = list(map(forms.aggregate_beginning, rows))
        prompts = [forms.aggregate_prompt(p.text, forms.different(row)) for p, row in zip(problems, rows)]
        texts = self.author.write(prompts, given=given)
        made = [is_right(p, Candidate.read(begun + text)) for p, begun, text in zip(problems, given, texts)]
        letters = [self.author.tokenizer.token_to_id(letter) for letter in forms.LETTERS[:shown]]
        prompts = [forms.select_prompt(p.text, row) for p, row in zip(problems, rows)]
        picked = next_logits(self.author.model, self.author.tokenizer, prompts)[:, letters].argmax(-1).tolist()
        named = [is_right(p, row[n]) for p, row, n in zip(problems, rows, picked)]
        votes = [majority([c.answer for c in row]) == str(p.answer) for p, row in zip(problems, rows)]
        best = [any(is_right(p, c) for c in row) for p, row in zip(problems, rows)]
        for name, right in (("aggregate", made), ("select", named), ("majority", votes), ("any", best)):
            show(f"of {shown} samples, {name}", wilson(sum(right), len(right)))


def is_careful(text: str) -> bool:
    """Whether a solution works a long result out."""
    return any(plain(line) != line for line in text.split("\n"))


def read(folder: Path, name: str, limit: int) -> list[Problem]:
    lines = (folder / f"{name}.jsonl").read_text().splitlines()[:limit]
    return [Problem.from_json(json.loads(line)) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a = parser.add_argument
    a("--model", type=Path, required=True)
    a("--sets", type=Path, default=Path(__file__).parent / "testsets")
    a("--limit", type=int, default=500, help="problems of each set")
    a("--sampled", type=int, default=300, help="problems of the usual set that are sampled k times")
    a("--k", type=int, default=16)
    a("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    a("--workers", type=int, default=2, help="processes that generate; 1 on a GPU")
    options = parser.parse_args()
    torch.set_num_threads(1)
    author = Author(options.model, options.device, options.workers)
    e, readers = Evaluation(author, options.k), Readers(author)
    usual = read(options.sets, "usual", options.limit)
    right = e.greedy("usual", usual)
    e.by_difficulty(usual, right)
    changed = e.greedy("the same problems with other names, numbers and order", read(options.sets, "changed", options.limit))
    show("  change", difference(right, changed))
    items, pairs = e.sampled(usual[: options.sampled], right[: options.sampled])
    readers.verifier(items)
    readers.judge(items)
    readers.compare(pairs)
    readers.refiner(items, readers.reviewer(items))
    e.together(usual[: options.sampled])
    e.continuation(usual)
    e.copies("usual", usual[: options.sampled])
    for name in SETS:
        problems = read(options.sets, name, options.limit)
        e.greedy(name, problems)
        if name == "names":
            e.copies("unseen names", problems)


if __name__ == "__main__":
    main()
