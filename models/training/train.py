"""Trains one stage; run it again with the same arguments to resume it from its last checkpoint.

python train.py --stage solver --out out/solver --tokens 8e6
python train.py --stage roles --out out/roles --init out/solver --tokens 6e6
"""

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

import torch
import torch.distributed as dist
from tokenizers import Tokenizer
from torch import nn
from torch.utils.data import DataLoader

from pebble import tokens
from pebble.batches import Batch, Batches, Phase
from pebble.graphs import Graphs
from pebble.induction import write_induction
from pebble.losses import loss_of, shaped_loss
from pebble.model import Config, Llama
from pebble.muon import Muon
from pebble.probes import probe_examples, report
from pebble.stages import STAGES
from pebble.store import load_checkpoint

EMBEDDING_RATE = 0.25
WARM_UP = 60
# Batches that each process keeps ready.
AHEAD = 8
COOLING = 0.4


class Optimisers:
    """Muon for the matrices of the layers, AdamW for the embedding and the norms."""

    def __init__(self, model: Llama, lr: float, dtype: torch.dtype):
        named = list(model.named_parameters())
        matrices = [p for name, p in named if p.dim() > 1 and "embed" not in name]
        others = [p for name, p in named if p.dim() < 2 or "embed" in name]
        # A tied embedding of small tokens moves too far at the rate that suits orthogonal updates.
        self.rates = (lr, lr * EMBEDDING_RATE)
        adam = torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
        self.parts = [Muon(matrices, lr, dtype=dtype), adam]

    def step(self, rate: float) -> None:
        for part, lr in zip(self.parts, self.rates):
            for group in part.param_groups:
                group["lr"] = lr * rate
            part.step()


def share_gradients(model: Llama, seen: int, seconds: float) -> tuple[int, float]:
    """Averages gradients over the processes of torchrun, if any; returns the tokens that all of them saw and their mean
    time: a stage that ends by the clock has to end for all at one step."""
    if not dist.is_initialized():
        return seen, seconds
    gradients = [p.grad for p in model.parameters()]
    flat = torch.cat([*(g.flatten() for g in gradients), gradients[0].new_tensor([float(seen), seconds])])
    dist.all_reduce(flat)
    flat[:-2] /= dist.get_world_size()
    for gradient, part in zip(gradients, flat[:-2].split([g.numel() for g in gradients])):
        gradient.copy_(part.view_as(gradient))
    return round(flat[-2].item()), flat[-1].item() / dist.get_world_size()


@dataclass
class Progress:
    """Of one stage. `pool` is where a resumed run starts again; `best` the best score so far."""

    seen: int = 0
    steps: int = 0
    pool: int = 0
    seconds: float = 0.0
    best: float = -1.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a = parser.add_argument
    a("--stage", choices=STAGES, required=True)
    a("--samples", type=Path, nargs="*", default=[], help="the solver's samples (sample.py), for the stages policy and cooling")
    a("--tokens", type=float, required=True, help="tokens to train on in this stage")
    a("--minutes", type=float, default=float("inf"), help="the stage ends after these, if its tokens are not seen before")
    add_arguments(parser)
    return parser.parse_args()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those that pipeline.py has too."""
    a = parser.add_argument
    a("--out", type=Path, required=True)
    a("--init", type=Path, help="folder of the stage before, or of exported weights")
    a("--batch", type=int, default=2048, help="tokens of a batch")
    a("--lr", type=float, default=3e-3)
    a("--hidden", type=int, default=128)
    a("--layers", type=int, default=5, help="more than the stage before had: new ones are put on top")
    a("--heads", type=int, default=4)
    a("--ffn", type=int, default=384)
    a("--vocab", type=int, default=900)
    a("--cool", action="store_true", help="end the learning rate near zero, for weights to be used as they are")
    a("--induction", action=argparse.BooleanOptionalAction, default=True, help="start with heads that copy")
    a("--seed", type=int, default=1)
    a("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    a("--threads", type=int, default=2)
    a("--workers", type=int, default=0, help="processes that make batches")
    a("--compile", action=argparse.BooleanOptionalAction, default=True)
    a("--graphs", action=argparse.BooleanOptionalAction, default=True, help="replay recorded steps on a GPU")
    a("--half", action=argparse.BooleanOptionalAction, default=True, help="matrix products in bfloat16")
    a("--probe", type=int, default=16, help="examples of each kind in a report")
    a("--report", type=float, default=240, help="seconds between reports and checkpoints")


def start(options: argparse.Namespace) -> tuple[Llama, Tokenizer, dict | None]:
    """The model and the state of a checkpoint: this stage's own, else that of the stage before, else a new model."""
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    own = options.out / "checkpoint.pt"
    if not own.exists() and options.init and (options.init / "model.safetensors").exists():
        # Exported weights have no optimiser's state: it warms up again.
        model, tokenizer = load_checkpoint(options.init, options.device)
        return model.train(), tokenizer, None
    source = own if own.exists() else options.init / "checkpoint.pt" if options.init else None
    if source is None:
        tokenizer = tokens.build(options.vocab)
        model = new_model(options, tokenizer.get_vocab_size())
        return model.to(options.device), tokenizer, None
    tokenizer = Tokenizer.from_file(str(source.parent / "tokenizer.json"))
    state = torch.load(source, map_location="cpu", weights_only=True)
    model = Llama(Config(**state["config"]))
    model.load_state_dict(state["model"])
    if source != own:
        # Every stage has a data stream and a schedule of its own; what came before is history.
        before = {"stage": source.parent.name, **state["progress"]}
        state = {**state, "progress": vars(Progress()), "history": [*state["history"], before]}
        if options.layers > model.config.num_hidden_layers:
            model, state = model.grown(options.layers), {**state, "optimisers": []}
    return model.to(options.device), tokenizer, state


def new_model(options: argparse.Namespace, vocab_size: int) -> Llama:
    heads = options.heads
    model = Llama(Config(vocab_size, options.hidden, options.layers, heads, heads, options.ffn))
    if options.induction:
        write_induction(model, options.seed)
    return model


def grouped(figures: dict) -> dict[str, list[float]]:
    """The exact shares of a report by skill: whatever names and steps."""
    groups: dict[str, list[float]] = {}
    for name, value in figures.items():
        if isinstance(value, float):
            groups.setdefault(name.split(" seen")[0].split(" unseen")[0], []).append(value)
    return groups


class Trainer:
    def __init__(self, options: argparse.Namespace):
        self.options, self.stage = options, STAGES[options.stage]
        self.rank, self.processes = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        self.model, self.tokenizer, state = start(options)
        self.forward = torch.compile(self.model, dynamic=True) if options.compile else self.model
        self.graphs = Graphs(self._shaped_loss, list(self.model.parameters())) if options.graphs and options.device == "cuda" else None
        self.optimisers = Optimisers(self.model, options.lr, torch.bfloat16 if options.half else torch.float32)
        self.progress, self.history = Progress(), []
        self.warm_up = 0 if state and state["optimisers"] else WARM_UP
        if state:
            self.progress, self.history = Progress(**state["progress"]), state["history"]
            for part, saved in zip(self.optimisers.parts, state["optimisers"]):
                part.load_state_dict(saved)
        self.mean_loss: float | None = None
        self.examples = probe_examples(count=options.probe)

    def data(self, phases: list[Phase]) -> Batches:
        o, share = self.options, (self.rank, self.processes)
        return Batches(self.tokenizer, phases, o.batch, f"{o.seed}:{o.stage}", self.progress.pool, share, self.graphs is not None)

    def loader(self, data: Batches) -> DataLoader:
        workers = self.options.workers
        return DataLoader(data, batch_size=None, num_workers=workers, prefetch_factor=AHEAD if workers else None)

    def train(self, batches: Iterable[Batch]) -> None:
        """Until the stage's tokens are seen; the first process reports and saves."""
        progress = self.progress
        began = time.time() - progress.seconds
        next_report = time.time() + self.options.report / 2
        for batch in batches:
            if self.done() >= 1:
                break
            self.step(batch, time.time() - began)
            if self.rank == 0 and time.time() > next_report:
                self.report()
                next_report = time.time() + self.options.report
        if self.rank == 0:
            self.report()

    def _shaped_loss(self, ids: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return shaped_loss(self.model, self.forward, ids, targets, weights, self.options.half)

    def gradients(self, batch: Batch) -> torch.Tensor:
        """Leaves them in the parameters and returns the loss."""
        if self.graphs:
            return self.graphs.step(batch)
        self.model.zero_grad(set_to_none=True)
        loss = loss_of(self.model, self.forward, batch, self.options.device, self.options.half)
        loss.backward()
        return loss.detach()

    def step(self, batch: Batch, seconds: float) -> None:
        progress, loss = self.progress, self.gradients(batch)
        seen, progress.seconds = share_gradients(self.model, batch.tokens, seconds)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimisers.step(self.rate())
        progress.seen += seen
        progress.steps += 1
        progress.pool = batch.pool
        if progress.steps % 20 == 0:
            self.mean_loss = loss.item() if self.mean_loss is None else 0.9 * self.mean_loss + 0.1 * loss.item()

    def done(self) -> float:
        """The share of the stage that has passed, by its tokens or by its minutes."""
        progress, options = self.progress, self.options
        return min(1.0, max(progress.seen / options.tokens, progress.seconds / 60 / options.minutes))

    def rate(self) -> float:
        first, last = self.stage.rates
        done = self.done()
        rate = (first + (last - first) * done) * min(1, (self.progress.steps + 1) / max(1, self.warm_up))
        return rate * max(0.01, min(1, (1 - done) / COOLING)) if self.options.cool else rate

    def report(self) -> None:
        """Prints a progress line, appends it to log.jsonl, and saves the last and the best checkpoint."""
        progress, options = self.progress, self.options
        figures = report(self.model, self.tokenizer, self.examples)
        speed = progress.seen / max(progress.seconds, 1e-9)
        left = progress.seconds / 60 * (1 / max(self.done(), 1e-9) - 1)
        line = json.dumps({"loss": self.mean_loss and round(self.mean_loss, 4), **vars(progress), **figures})
        means = {k: round(sum(v) / len(v), 3) for k, v in grouped(figures).items()}
        print(f"{options.stage} {progress.seen / 1e6:.2f}M tokens, {speed:.0f}/s, {left:.0f} min left, loss {self.mean_loss or 0:.3f}, {means}", flush=True)
        with open(options.out / "log.jsonl", "a") as log:
            log.write(line + "\n")
        # What the best checkpoint is chosen by: the mean of the exact shares.
        shares = [value for value in figures.values() if isinstance(value, float)]
        score = sum(shares) / len(shares)
        if score > progress.best:
            progress.best = score
            self.save("best.pt")
        self.save("checkpoint.pt")

    def save(self, name: str) -> None:
        folder = self.options.out
        state = {
            "config": self.model.config.to_json(),
            "model": self.model.state_dict(),
            "optimisers": [part.state_dict() for part in self.optimisers.parts],
            "progress": vars(self.progress),
            "history": self.history,
        }
        # A file is complete or absent under its name, whenever the process ends.
        torch.save(state, folder / "writing.pt")
        (folder / "writing.pt").replace(folder / name)
        self.tokenizer.save(str(folder / "tokenizer.json"))


def main() -> None:
    options = arguments()
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("gloo")
    torch.set_num_threads(options.threads)
    trainer = Trainer(options)
    if trainer.rank == 0:
        print(f"{sum(p.numel() for p in trainer.model.parameters()):,} parameters, {options}", flush=True)
    trainer.train(trainer.loader(trainer.data([Phase(trainer.stage.mixture, tuple(options.samples))])))


if __name__ == "__main__":
    main()
