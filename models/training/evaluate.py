"""Prints what the model can do on the fixed test sets, with 95 % intervals (Wilson; bootstrap for areas).

python evaluate.py --model ../pebble                       # all of it
python evaluate.py --model out/policy --limit 100 --k 8    # a quick look
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from tokenizers import Tokenizer

from pebble import forms, roles, tokens
from pebble.arithmetic import plain
from pebble.model import Llama
from pebble.problems import Problem
from pebble.sampling import generate, next_logits, step_scores
from pebble.solutions import Candidate, canonical, first_wrong, is_right, misreckons
from pebble.statistics import auc, difference, majority, wilson
from pebble.store import load_checkpoint

SEED = 5
# That of ../pebble/generation_config.json, and one at which samples differ more.
TEMPERATURE, WARMER = 0.8, 1.0
# Room for a new solution behind a prompt that shows several.
ANSWER = 300
# Of a review, as src/strategies/parts/critique.ts takes them.
SECOND_LOOKS = 2
SETS = ("everyday", "names", "longer", "wordings")


@dataclass(frozen=True)
class Judged:
    """A solution that the model wrote, with the exact verdict on it."""

    problem: Problem
    candidate: Candidate
    wrong_at: int | None

    @property
    def right(self) -> bool:
        return self.wrong_at is None

    @property
    def misreckoned(self) -> bool:
        """Whether its first mistake is one of arithmetic."""
        return self.wrong_at is not None and misreckons(self.problem, self.candidate, self.wrong_at)


class Writers:
    """Processes of one thread that generate side by side: small products do not gain from threads."""

    _model: tuple[Llama, Tokenizer]

    def __init__(self, folder: Path, device: str, count: int):
        self.count = count
        # This kind of pool says so when a process is killed, as for memory; the other kind waits for it for ever.
        self.pool = ProcessPoolExecutor(count, get_context("spawn"), Writers._load, (folder, device))

    @staticmethod
    def _load(folder: Path, device: str) -> None:
        torch.set_num_threads(1)
        Writers._model = load_checkpoint(folder, device)

    @staticmethod
    def _write(part: tuple) -> list[str]:
        prompts, given, temperature, seed = part
        rows = 64 if next(Writers._model[0].parameters()).device.type == "cpu" else 1024
        return generate(*Writers._model, prompts, temperature, seed=seed, rows=rows, given=given)

    def write(self, prompts: list[tuple[str, str]], temperature: float, given: list[str] | None) -> list[str]:
        cuts = [slice(n, None, self.count) for n in range(self.count)]
        parts = [(prompts[c], given and given[c], temperature, SEED + n) for n, c in enumerate(cuts)]
        texts = [""] * len(prompts)
        for cut, written in zip(cuts, self.pool.map(Writers._write, parts)):
            texts[cut] = written
        return texts


class Evaluation:
    def __init__(self, folder: Path, device: str, workers: int, k: int):
        self.model, self.tokenizer = load_checkpoint(folder, device)
        self.writers, self.k = Writers(folder, device, workers), k

    def write(self, prompts: list[tuple[str, str]], temperature: float = 0.0, given: list[str] | None = None) -> list[str]:
        return self.writers.write(prompts, temperature, given)

    def solutions(self, problems: list[Problem], count: int = 1, temperature: float = 0.0) -> list[str]:
        return self.write([("solve", p.text) for p in problems for _ in range(count)], temperature)

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

    def verifier(self, items: list[Judged]) -> None:
        scores = step_scores(self.model, self.tokenizer, [(i.problem.text, i.candidate.bullets) for i in items])
        good, bad, reckoned = [], [], []
        for item, row in zip(items, scores):
            wrong_at = len(row) if item.wrong_at is None else item.wrong_at
            good += row[:wrong_at]
            bad += row[wrong_at : wrong_at + 1]
            reckoned += row[wrong_at : wrong_at + 1] if item.misreckoned else []
        show("step verifier, AUC of the first wrong step against right steps", auc(good, bad))
        show("  where its result alone is wrong", auc(good, reckoned))
        lowest = [(min(row), item.right) for row, item in zip(scores, items)]
        show("step verifier, AUC of solutions by their lowest step", auc(*split(lowest)))

    def judge(self, items: list[Judged]) -> None:
        digits = [self.tokenizer.token_to_id(str(d)) for d in range(10)]
        prompts = [forms.judge_prompt(i.problem.text, i.candidate) for i in items]
        written = self.write(prompts)
        read = [forms.read_digit(text, i.candidate) for text, i in zip(written, items)]
        lists = [f"{forms.judged_list(text)}\n" for text in written]
        chances = next_logits(self.model, self.tokenizer, prompts, lists)[:, digits].softmax(-1)
        means = (chances * torch.arange(10)).sum(-1).tolist()
        # As src/scoring/judge.ts: the expectation where the digit said is the one that is read.
        expected = [mean if digit is None or text.endswith(f"\n{digit}") else digit for mean, digit, text in zip(means, read, written)]
        show("judge, AUC of the expected digit alone", auc(*split([(m, i.right) for m, i in zip(means, items)])))
        show("judge, AUC", auc(*split([(e, i.right) for e, i in zip(expected, items)])))
        for low in range(0, 9, 2):
            chosen = [i.right for e, i in zip(expected, items) if low <= e < low + 2 or (low == 8 and e >= 8)]
            show(f"  right where the score is {low} to {low + 2 if low < 8 else 9}", wilson(sum(chosen), len(chosen)))

    def compare(self, pairs: list[tuple[Judged, Judged]]) -> None:
        def choices(swapped: bool) -> list[int]:
            """0 or 1, -1 where no letter is written."""
            shown = [(b, a) if swapped else (a, b) for a, b in pairs]
            prompts = [forms.compare_prompt(a.problem.text, a.candidate, b.candidate) for a, b in shown]
            drafts = [(a.candidate, b.candidate) for a, b in shown]
            said = [forms.read_comparison(text, *pair) for text, pair in zip(self.write(prompts), drafts)]
            picked = ["AB".index(letter) if letter else -1 for letter in said]
            return [1 - p if swapped and p >= 0 else p for p in picked]

        if not pairs:
            return show("compare", wilson(0, 0))
        first, second = choices(False), choices(True)
        right = [choice == int(b.right) for both in (first, second) for choice, (_, b) in zip(both, pairs)]
        show("compare, right (both orders)", wilson(sum(right), len(right)))
        show("compare, changed by swapping", wilson(sum(x != y for x, y in zip(first, second)), len(pairs)))

    def reviewer(self, items: list[Judged]) -> list[str]:
        """Prints how well reviews locate mistakes; returns their verdicts."""
        reviews = self.write([forms.review_prompt(i.problem.text, i.candidate) for i in items])
        at_once = [forms.read_verdict(review, i.candidate) != forms.ALL_RIGHT for review, i in zip(reviews, items) if i.right]
        show("reviewer, false alarms without a second look", wilson(sum(at_once), len(at_once)))
        doubted = list(range(len(items)))
        for _ in range(SECOND_LOOKS):
            doubted = self.look_again(items, reviews, doubted)
        verdicts = [forms.read_verdict(review, i.candidate) for review, i in zip(reviews, items)]
        wrong = [(v, i) for v, i in zip(verdicts, items) if not i.right]
        located = [(v.startswith(f"Step {i.wrong_at + 1} is wrong"), i.misreckoned) for v, i in wrong]
        of_results = [found for found, misreckoned in located if misreckoned]
        corrected = sum(v == roles.verdict(i.problem, i.candidate) for v, i in wrong)
        alarms = [v != forms.ALL_RIGHT for v, i in zip(verdicts, items) if i.right]
        show("reviewer, first wrong step located", wilson(sum(found for found, _ in located), len(wrong)))
        show("  where its result alone is wrong", wilson(sum(of_results), len(of_results)))
        show("reviewer, located and corrected", wilson(corrected, len(wrong)))
        show("reviewer, wrong solutions called wrong", wilson(sum(v != forms.ALL_RIGHT for v, _ in wrong), len(wrong)))
        show("reviewer, false alarms on right solutions", wilson(sum(alarms), len(alarms)))
        return verdicts

    def look_again(self, items: list[Judged], reviews: list[str], doubted: list[int]) -> list[int]:
        """Takes a second look at what the `doubted` reviews find; those whose finding falls go on behind that line, in place. Returns
        which they are."""
        looks = {n: forms.second_look(items[n].problem.text, items[n].candidate, reviews[n]) for n in doubted}
        asked = [n for n, prompt in looks.items() if prompt]
        said = self.write([looks[n] for n in asked])
        fallen = [n for n, text in zip(asked, said) if forms.still_stands(text, items[n].candidate, reviews[n])]
        show("reviewer, second looks; findings that fell", f"{len(asked)}; {len(fallen)}")
        kept = [forms.kept_list(items[n].candidate, reviews[n]) for n in fallen]
        rest = self.write([forms.review_prompt(items[n].problem.text, items[n].candidate) for n in fallen], given=kept)
        for n, begun, text in zip(fallen, kept, rest):
            reviews[n] = begun + text
        return fallen

    def refiner(self, items: list[Judged], verdicts: list[str]) -> None:
        exact = [roles.verdict(i.problem, i.candidate) for i in items]
        after = self._refined(items, exact)
        fixed = [now for now, i in zip(after, items) if not i.right]
        kept = [now for now, i in zip(after, items) if i.right]
        show("refiner, repairs with a right review", wilson(sum(fixed), len(fixed)))
        show("refiner, right solutions stay right with a right review", wilson(sum(kept), len(kept)))
        before = [is_right(i.problem, i.candidate) for i in items]
        # As strategies do: what the reviewer clears is not refined.
        after = [b if v == forms.ALL_RIGHT else a for a, b, v in zip(self._refined(items, verdicts), before, verdicts)]
        pairs = list(zip(before, after))
        show("own review and refiner, right stay right (CL)", wilson(sum(b and a for b, a in pairs), sum(before)))
        show("own review and refiner, wrong become right (CS)", wilson(sum(a and not b for b, a in pairs), len(pairs) - sum(before)))
        show("own review and refiner, net change", difference(before, after))

    def _refined(self, items: list[Judged], reviews: list[str]) -> list[bool]:
        prompts = [forms.refine_prompt(i.problem.text, i.candidate, review) for i, review in zip(items, reviews)]
        given = [forms.refine_beginning(i.candidate, review) for i, review in zip(items, reviews)]
        texts = self.write(prompts, given=given)
        return [is_right(i.problem, Candidate.read(begun + text)) for i, begun, text in zip(items, given, texts)]

    def copies(self, name: str, problems: list[Problem]) -> None:
        """The copy probe: canonical solutions that the refiner repeats exactly."""
        prompts = [forms.refine_prompt(p.text, canonical(p), forms.ALL_RIGHT) for p in problems]
        same = [text == canonical(p).bullets for p, text in zip(problems, self.write(prompts))]
        show(f"copy probe, right solutions repeated exactly, {name}", wilson(sum(same), len(same)))

    def continuation(self, problems: list[Problem]) -> None:
        """Half of a right solution is given as the beginning of the answer."""
        given = [c.bullets[: c.bullets.index("\n", len(c.bullets) // 2) + 1] for c in map(canonical, problems)]
        texts = self.write([("solve", p.text) for p in problems], given=given)
        right = [is_right(p, Candidate.read(g + t)) for p, g, t in zip(problems, given, texts)]
        show("continue from half of a right solution", wilson(sum(right), len(right)))

    def fits(self, prompt: tuple[str, str]) -> bool:
        return len(tokens.prompt_ids(self.tokenizer, *prompt)) + ANSWER <= self.model.config.max_position_embeddings

    def together(self, problems: list[Problem], shown: int = 4) -> None:
        """The roles that read several samples, against a vote among the same samples."""
        candidates = list(map(Candidate.read, self.solutions(problems, shown, TEMPERATURE)))
        drawn = [(p, candidates[n * shown : (n + 1) * shown]) for n, p in enumerate(problems)]
        fitting = [(p, row) for p, row in drawn if self.fits(forms.aggregate_prompt(p.text, row))]
        show(f"{shown} solutions fit the context beside a new one", wilson(len(fitting), len(drawn)))
        problems, rows = [p for p, _ in fitting], [row for _, row in fitting]
        texts = self.write([forms.aggregate_prompt(p.text, row) for p, row in zip(problems, rows)])
        made = [is_right(p, Candidate.read(text)) for p, text in zip(problems, texts)]
        letters = [self.tokenizer.token_to_id(letter) for letter in forms.LETTERS[:shown]]
        prompts = [forms.select_prompt(p.text, row) for p, row in zip(problems, rows)]
        picked = next_logits(self.model, self.tokenizer, prompts)[:, letters].argmax(-1).tolist()
        named = [is_right(p, row[n]) for p, row, n in zip(problems, rows, picked)]
        votes = [majority([c.answer for c in row]) == str(p.answer) for p, row in zip(problems, rows)]
        best = [any(is_right(p, c) for c in row) for p, row in zip(problems, rows)]
        for name, right in (("aggregate", made), ("select", named), ("majority", votes), ("any", best)):
            show(f"of {shown} samples, {name}", wilson(sum(right), len(right)))


def is_careful(text: str) -> bool:
    """Whether a solution works a long result out."""
    return any(plain(line) != line for line in text.split("\n"))


def split(scored: list[tuple[float, bool]]) -> tuple[list[float], list[float]]:
    return [s for s, right in scored if right], [s for s, right in scored if not right]


def show(name: str, value: str) -> None:
    print(f"{name}: {value}", flush=True)


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
    e = Evaluation(options.model, options.device, options.workers, options.k)
    usual = read(options.sets, "usual", options.limit)
    right = e.greedy("usual", usual)
    e.by_difficulty(usual, right)
    changed = e.greedy("the same problems with other names, numbers and order", read(options.sets, "changed", options.limit))
    show("  change", difference(right, changed))
    items, pairs = e.sampled(usual[: options.sampled], right[: options.sampled])
    e.verifier(items)
    e.judge(items)
    e.compare(pairs)
    e.refiner(items, e.reviewer(items))
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
