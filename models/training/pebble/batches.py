"""Endless batches of encoded examples, from numbered pools so that training can resume at any pool."""

import json
import random
from dataclasses import dataclass
from multiprocessing import Value
from pathlib import Path
from typing import Iterator

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.utils.data import IterableDataset

from . import forms, practice, roles, tokens
from .arithmetic import Reckoned
from .generator import random_problem
from .problems import Problem
from .solutions import Candidate, first_wrong, is_right

POOL = 1024
# Examples of more tokens are left out: they show many long candidates.
LONGEST = 1400
# Widths of shaped batches: multiples of so many positions up to `FINELY`, and above.
FINE, FINELY, COARSE = 32, 512, 64
WRITTEN = {"sum": practice.sums, "work": practice.work}
CHECKED = {"proof": practice.proof, "check": practice.check}
PRACTICE = ("copy", "find", "read", "link", *WRITTEN, *CHECKED)


@dataclass(frozen=True)
class Mixture:
    """Shares of roles and of step counts. `prompt_weight` is the weight of the loss on prompt tokens of "solve" and of
    practice: elsewhere prompts hold mistakes, which are never learned."""

    roles: dict[str, float]
    steps: dict[int, float]
    prompt_weight: float


@dataclass(frozen=True)
class Samples:
    """The model's own work: problems and, for each, its solutions; solutions with the list that it wrote as their judge; and
    computations."""

    entries: list[tuple[Problem, list[Candidate]]]
    judged: list[tuple[Problem, Candidate, str]]
    reckoned: Reckoned

    @staticmethod
    def read(paths: tuple[Path, ...]) -> "Samples":
        rows = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
        solved = [row for row in rows if "samples" in row]
        entries = [(Problem.from_json(row), [Candidate.read(text) for text in row["samples"]]) for row in solved]
        return Samples(entries, _judged(solved), Reckoned.read([row["sum"] for row in rows if "sum" in row]))


def _judged(rows: list[dict]) -> list[tuple[Problem, Candidate, str]]:
    """Without right answers that were reached by a wrong step, of which there is no saying what they are worth."""
    judged = []
    for row in rows:
        problem = Problem.from_json(row)
        for text, judgement in zip(row["samples"], row.get("judgements", [])):
            candidate, written = Candidate.read(text), forms.judged_list(judgement)
            if written and is_right(problem, candidate) == (first_wrong(problem, candidate) is None):
                judged.append((problem, candidate, written))
    return judged


@dataclass(frozen=True)
class Phase:
    """What is trained on for a while."""

    mixture: Mixture
    samples: tuple[Path, ...] = ()


def draw(rng: random.Random, mixture: Mixture, samples: Samples | None) -> roles.Example:
    role = rng.choices(list(mixture.roles), list(mixture.roles.values()))[0]
    if role == "copy":
        return practice.copy(rng)
    if role == "find":
        return practice.find(rng)
    if role in WRITTEN:
        return WRITTEN[role](rng)
    if role in CHECKED:
        return CHECKED[role](rng, samples and samples.reckoned)
    if role == "judge" and samples and samples.judged and rng.random() < 0.75:
        return roles.judge(*rng.choice(samples.judged))
    # Half of the examples that read solutions show real ones where there are any: more would be known by heart.
    if samples and role not in ("solve", "read", "link") and rng.random() < 0.5:
        problem, candidates = rng.choice(samples.entries)
        return roles.sampled(rng, role, problem, candidates)
    steps = rng.choices(list(mixture.steps), list(mixture.steps.values()))[0]
    problem = random_problem(rng, min(steps, 8) if role in ("aggregate", "select") else steps)
    if role == "read":
        return practice.read(rng, problem)
    if role == "link":
        return practice.link(rng, problem)
    if role == "solve":
        return roles.solve(problem, rng.random() < roles.CAREFUL)
    return roles.planted(rng, role, problem)


@dataclass(frozen=True)
class Batch:
    """`ids`, `targets` and `weights`, each [rows, positions]; padding has weight 0. Arrays, since many tensors in shared
    memory need more open files and space than a machine may allow."""

    pool: int
    ids: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    @property
    def tokens(self) -> int:
        return int((self.ids != tokens.PAD).sum())


def collate(rows: list[tokens.Encoded], pool: int, shape: tuple[int, int] | None = None) -> Batch:
    """`shape`: rows and positions of the batch, where it is not to be as small as it can."""
    width = max(len(encoded.ids) for encoded in rows)
    shape = shape or (len(rows), width + -width % 8)
    ids = np.full(shape, tokens.PAD, np.int32)
    targets = np.full(shape, tokens.IGNORED, np.int32)
    weights = np.zeros(shape, np.float32)
    for n, encoded in enumerate(rows):
        length = len(encoded.ids)
        ids[n, :length] = encoded.ids
        targets[n, :length] = encoded.targets
        weights[n, :length] = encoded.weights
    return Batch(pool, ids, targets, weights)


class Batches(IterableDataset):
    """Batches of about `batch_tokens` tokens, rows of similar length together; workers share the pools. A new pool is of
    the phase whose number `current` holds by then, so that a change of phase does not stop the workers."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        phases: list[Phase],
        batch_tokens: int,
        seed: str,
        first_pool: int,
        share: tuple[int, int] = (0, 1),
        shaped: bool = False,
    ):
        """`share`: (index, count) of the training processes that divide the pools. `shaped`: batches of a few shapes only, with
        empty rows where a batch is not full, for steps that are recorded once for each shape."""
        self.tokenizer, self.phases = tokenizer, phases
        self.batch_tokens, self.seed, self.first_pool = batch_tokens, seed, first_pool
        self.share, self.shaped = share, shaped
        self.current = Value("i", 0)

    def __iter__(self) -> Iterator[Batch]:
        worker = torch.utils.data.get_worker_info()
        index, count = self.share
        first, stride = (index * worker.num_workers + worker.id, count * worker.num_workers) if worker else (index, count)
        pool, phase, samples = self.first_pool + first, None, None
        while True:
            if phase != self.phases[self.current.value]:
                phase = self.phases[self.current.value]
                samples = Samples.read(phase.samples) if phase.samples else None
            yield from self._pool(pool, phase.mixture, samples)
            pool += stride

    def _pool(self, pool: int, mixture: Mixture, samples: Samples | None) -> Iterator[Batch]:
        rng = random.Random(f"{self.seed}:{pool}")
        rows = []
        for _ in range(POOL):
            example = draw(rng, mixture, samples)
            weight = mixture.prompt_weight if example.system in ("solve", *PRACTICE) and not example.given else 0.0
            encoded = tokens.encode(self.tokenizer, example, weight)
            if len(encoded.ids) <= LONGEST:
                rows.append(encoded)
        rows.sort(key=lambda row: len(row.ids))
        groups: list[list] = [[]]
        for row in rows:
            if (len(groups[-1]) + 1) * self._width(row) > self.batch_tokens:
                groups.append([])
            groups[-1].append(row)
        rng.shuffle(groups)
        for group in groups:
            width = self._width(group[-1])
            yield collate(group, pool, (max(len(group), self.batch_tokens // width), width) if self.shaped else None)

    def _width(self, row: tokens.Encoded) -> int:
        length = len(row.ids)
        step = 1 if not self.shaped else FINE if length <= FINELY else COARSE
        return length + -length % step
