"""What the roles that read solutions make of a model's own ones, with 95 % intervals."""

from dataclasses import dataclass

import torch

from . import forms, roles
from .author import Author
from .problems import Problem
from .sampling import next_logits, step_scores
from .solutions import Candidate, is_right, misreckons
from .statistics import auc, difference, show, wilson

# Of a review, as src/strategies/parts/critique.ts takes them.
SECOND_LOOKS = 2


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


class Readers:
    """Prints what each role is worth."""

    def __init__(self, author: Author):
        self.author = author

    def verifier(self, items: list[Judged]) -> None:
        scores = step_scores(self.author.model, self.author.tokenizer, [(i.problem.text, i.candidate.bullets) for i in items])
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
        digits = [self.author.tokenizer.token_to_id(str(d)) for d in range(10)]
        prompts = [forms.judge_prompt(i.problem.text, i.candidate) for i in items]
        written = self.author.write(prompts)
        read = [forms.read_digit(text, i.candidate) for text, i in zip(written, items)]
        lists = [f"{forms.judged_list(text)}\n" for text in written]
        chances = next_logits(self.author.model, self.author.tokenizer, prompts, lists)[:, digits].softmax(-1)
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
            said = [forms.read_comparison(text, *pair) for text, pair in zip(self.author.write(prompts), drafts)]
            picked = ["AB".index(letter) if letter else -1 for letter in said]
            return [1 - p if swapped and p >= 0 else p for p in picked]

        if not pairs:
            return show("compare", wilson(0, 0))
        first, second = choices(False), choices(True)
        right = [choice == int(b.right) for both in (first, second) for choice, (_, b) in zip(both, pairs)]
        show("compare, right (both orders)", wilson(sum(right), len(right)))
        show("compare, changed by swapping", wilson(sum(x != y for x, y in zip(first, second)), len(pairs)))

    def reviewer(self, items: list[Judged]) -> list[str]:
        """Prints how well reviews locate mistakes, without second looks and with them; returns their verdicts in the end."""
        reviews = self.author.write([forms.review_prompt(i.problem.text, i.candidate) for i in items])
        self.located("reviewer, without second looks", items, reviews)
        doubted = list(range(len(items)))
        for _ in range(SECOND_LOOKS):
            doubted = self.look_again(items, reviews, doubted)
        return self.located("reviewer", items, reviews)

    def located(self, name: str, items: list[Judged], reviews: list[str]) -> list[str]:
        verdicts = [forms.read_verdict(review, i.candidate) for review, i in zip(reviews, items)]
        wrong = [(v, i) for v, i in zip(verdicts, items) if not i.right]
        located = [(v.startswith(f"Step {i.wrong_at + 1} is wrong"), i.misreckoned) for v, i in wrong]
        of_results = [found for found, misreckoned in located if misreckoned]
        corrected = sum(v == roles.verdict(i.problem, i.candidate) for v, i in wrong)
        alarms = [v != forms.ALL_RIGHT for v, i in zip(verdicts, items) if i.right]
        show(f"{name}, first wrong step located", wilson(sum(found for found, _ in located), len(wrong)))
        show("  where its result alone is wrong", wilson(sum(of_results), len(of_results)))
        show(f"{name}, located and corrected", wilson(corrected, len(wrong)))
        show(f"{name}, wrong solutions called wrong", wilson(sum(v != forms.ALL_RIGHT for v, _ in wrong), len(wrong)))
        show(f"{name}, false alarms on right solutions", wilson(sum(alarms), len(alarms)))
        return verdicts

    def look_again(self, items: list[Judged], reviews: list[str], doubted: list[int]) -> list[int]:
        """Takes a second look at what the `doubted` reviews find; those whose finding falls go on behind that line, in place. Returns
        which they are."""
        looks = {n: forms.second_look(items[n].problem.text, items[n].candidate, reviews[n]) for n in doubted}
        asked = [n for n, prompt in looks.items() if prompt]
        said = self.author.write([looks[n] for n in asked])
        fallen = [n for n, text in zip(asked, said) if forms.still_stands(text, items[n].candidate, reviews[n])]
        show("reviewer, second looks; findings that fell", f"{len(asked)}; {len(fallen)}")
        kept = [forms.kept_list(items[n].candidate, reviews[n]) for n in fallen]
        rest = self.author.write([forms.review_prompt(items[n].problem.text, items[n].candidate) for n in fallen], given=kept)
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
        texts = self.author.write(prompts, given=given)
        return [is_right(i.problem, Candidate.read(begun + text)) for i, begun, text in zip(items, given, texts)]


def split(scored: list[tuple[float, bool]]) -> tuple[list[float], list[float]]:
    return [s for s, right in scored if right], [s for s, right in scored if not right]
