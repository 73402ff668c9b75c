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

import torch
import torch.distributed as dist
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import nn

from pebble import tokens
from pebble.batches import Batch, Batches, Mixture, Samples
from pebble.induction import write_induction
from pebble.model import Config, Llama
from pebble.muon import Muon
from pebble.probes import probe_examples, report


@dataclass(frozen=True)
class Stage:
    """The learning rate goes linearly from the first to the last value of `rates` (times --lr) over the stage."""

    mixture: Mixture
    rates: tuple[float, float]


ROLE_SHARES = {"verify": 0.14, "review": 0.16, "refine": 0.12, "judge": 0.06, "compare": 0.06, "aggregate": 0.03, "recheck": 0.03}
STAGES = {
    "skills": Stage(
        Mixture({"copy": 0.05, "find": 0.15, "read": 0.3, "sum": 0.15, "solve": 0.35}, {1: 0.6, 2: 0.4}, 0.05), (1, 1)
    ),
    "solver": Stage(
        Mixture({"sum": 0.15, "read": 0.1, "solve": 0.75}, {1: 0.15, 2: 0.25, 3: 0.25, 4: 0.2, 5: 0.1, 6: 0.05}, 0.02), (1, 1)
    ),
    "roles": Stage(
        Mixture({"sum": 0.05, "solve": 0.35, **ROLE_SHARES}, {1: 0.15, 2: 0.25, 3: 0.25, 4: 0.2, 5: 0.1, 6: 0.05}, 0.0), (1, 0.5)
    ),
    "policy": Stage(
        Mixture({"solve": 0.4, **ROLE_SHARES}, {1: 0.1, 2: 0.2, 3: 0.25, 4: 0.2, 5: 0.15, 6: 0.1}, 0.0), (0.5, 0.01)
    ),
}


EMBEDDING_RATE = 0.25


class Optimisers:
    """Muon for the matrices of the layers, AdamW for the embedding and the norms."""

    def __init__(self, model: Llama, lr: float, device: str):
        named = list(model.named_parameters())
        matrices = [p for name, p in named if p.dim() > 1 and "embed" not in name]
        others = [p for name, p in named if p.dim() < 2 or "embed" in name]
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        # A tied embedding of small tokens moves too far at the rate that suits orthogonal updates.
        self.rates = (lr, lr * EMBEDDING_RATE)
        adam = torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
        self.parts = [Muon(matrices, lr, dtype=dtype), adam]

    def step(self, rate: float) -> None:
        for part, lr in zip(self.parts, self.rates):
            for group in part.param_groups:
                group["lr"] = lr * rate
            part.step()


def loss_of(model: Llama, forward, batch: Batch, device: str) -> torch.Tensor:
    ids, targets, weights = (t.to(device, non_blocking=True) for t in (batch.ids, batch.targets, batch.weights))
    chosen = weights > 0
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        logits = model.logits(forward(ids)[chosen])
    losses = F.cross_entropy(logits.float(), targets[chosen], reduction="none")
    return (losses * weights[chosen]).sum() / weights.sum()


def share_gradients(model: Llama, seen: int) -> int:
    """Averages gradients over the processes of torchrun, if any; returns the tokens that all of them saw."""
    if not dist.is_initialized():
        return seen
    gradients = [p.grad for p in model.parameters()]
    flat = torch.cat([*(g.flatten() for g in gradients), gradients[0].new_tensor([float(seen)])])
    dist.all_reduce(flat)
    flat[:-1] /= dist.get_world_size()
    for gradient, part in zip(gradients, flat[:-1].split([g.numel() for g in gradients])):
        gradient.copy_(part.view_as(gradient))
    return round(flat[-1].item())


@dataclass
class Progress:
    seen: int = 0
    steps: int = 0
    pool: int = 0
    seconds: float = 0.0
    best: float = -1.0


def save(folder: Path, model: Llama, optimisers: Optimisers, progress: Progress, history: list, name: str) -> None:
    state = {
        "config": model.config.to_json(),
        "model": model.state_dict(),
        "optimisers": [part.state_dict() for part in optimisers.parts],
        "progress": vars(progress),
        "history": history,
    }
    torch.save(state, folder / "writing.pt")
    (folder / "writing.pt").replace(folder / name)


def load(path: Path) -> dict:
    return torch.load(path, map_location="cpu", weights_only=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a = parser.add_argument
    a("--stage", choices=STAGES, required=True)
    a("--out", type=Path, required=True)
    a("--init", type=Path, help="folder of the stage before")
    a("--samples", type=Path, help="the solver's samples (sample.py), for the stage policy")
    a("--tokens", type=float, required=True, help="tokens to train on in this stage")
    a("--batch", type=int, default=1536, help="tokens of a batch")
    a("--lr", type=float, default=2e-2)
    a("--hidden", type=int, default=128)
    a("--layers", type=int, default=5)
    a("--heads", type=int, default=4)
    a("--ffn", type=int, default=384)
    a("--vocab", type=int, default=900)
    a("--induction", action=argparse.BooleanOptionalAction, default=True, help="start with heads that copy")
    a("--seed", type=int, default=1)
    a("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    a("--threads", type=int, default=2)
    a("--workers", type=int, default=0, help="processes that make batches")
    a("--compile", action=argparse.BooleanOptionalAction, default=torch.cuda.is_available())
    a("--probe", type=int, default=16, help="examples of each kind in a report")
    a("--report", type=float, default=240, help="seconds between reports and checkpoints")
    return parser.parse_args()


def prepare(options: argparse.Namespace) -> tuple[Llama, Tokenizer, dict | None]:
    """A new model, or that of a checkpoint: this stage's own, else that of the stage before."""
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    own = options.out / "checkpoint.pt"
    source = own if own.exists() else options.init / "checkpoint.pt" if options.init else None
    tokenizer_file = (source.parent if source else options.out) / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(tokenizer_file)) if source else tokens.build(options.vocab)
    tokenizer.save(str(options.out / "tokenizer.json"))
    state = load(source) if source else None
    if state:
        config = Config(**state["config"])
    else:
        o = options
        config = Config(tokenizer.get_vocab_size(), o.hidden, o.layers, o.heads, o.heads, o.ffn)
    model = Llama(config)
    if not state and options.induction:
        write_induction(model, options.seed)
    if state:
        model.load_state_dict(state["model"])
        if source != own:
            # Every stage has a data stream and a schedule of its own; the time and tokens before it are history.
            before = {"stage": source.parent.name, **state["progress"]}
            state = {**state, "progress": vars(Progress()), "history": [*state["history"], before]}
    return model.to(options.device), tokenizer, state


def score(figures: dict) -> float:
    """What the best checkpoint is chosen by: the mean of the exact shares."""
    shares = [value for value in figures.values() if isinstance(value, float)]
    return sum(shares) / len(shares)


def main() -> None:
    options = arguments()
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("gloo")
    torch.set_num_threads(options.threads)
    stage = STAGES[options.stage]
    model, tokenizer, state = prepare(options)
    optimisers = Optimisers(model, options.lr, options.device)
    progress, history = Progress(), []
    if state:
        progress, history = Progress(**state["progress"]), state["history"]
        for part, saved in zip(optimisers.parts, state["optimisers"]):
            part.load_state_dict(saved)
    warm_up = 0 if state else 60
    rank, processes = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    samples = Samples.read(options.samples) if options.samples else None
    data = Batches(tokenizer, stage.mixture, samples, options.batch, f"{options.seed}:{options.stage}", progress.pool, (rank, processes))
    forward = torch.compile(model, dynamic=True) if options.compile else model
    examples = probe_examples(count=options.probe)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {options}", flush=True)
    started = time.time() - progress.seconds
    smooth, next_report = None, time.time() + options.report / 2
    batches = torch.utils.data.DataLoader(data, batch_size=None, num_workers=options.workers)
    for batch in batches:
        done = progress.seen / options.tokens
        if done >= 1:
            break
        first, last = stage.rates
        rate = (first + (last - first) * done) * min(1, (progress.steps + 1) / max(1, warm_up))
        loss = loss_of(model, forward, batch, options.device)
        loss.backward()
        progress.seen += share_gradients(model, int((batch.ids != tokens.PAD).sum()))
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimisers.step(rate)
        model.zero_grad(set_to_none=True)
        progress.steps += 1
        progress.pool = batch.pool
        progress.seconds = time.time() - started
        if progress.steps % 20 == 0:
            smooth = loss.item() if smooth is None else 0.9 * smooth + 0.1 * loss.item()
        if rank == 0 and time.time() > next_report:
            record(options, model, tokenizer, optimisers, progress, history, examples, smooth)
            next_report = time.time() + options.report
    if rank == 0:
        record(options, model, tokenizer, optimisers, progress, history, examples, smooth)


def record(options, model, tokenizer, optimisers, progress: Progress, history: list, examples: dict, smooth) -> None:
    """Prints a progress line, appends it to log.jsonl, and saves the last and the best checkpoint."""
    figures = report(model, tokenizer, examples)
    speed = progress.seen / max(progress.seconds, 1e-9)
    left = (options.tokens - progress.seen) / max(speed, 1e-9)
    line = {"loss": smooth and round(smooth, 4), **vars(progress), **figures}
    print(f"{progress.seen / 1e6:.2f}M tokens, {speed:.0f}/s, {max(0, left) / 60:.0f} min left, {json.dumps(line)}", flush=True)
    with open(options.out / "log.jsonl", "a") as log:
        log.write(json.dumps(line) + "\n")
    value = score(figures)
    if value > progress.best:
        progress.best = value
        save(options.out, model, optimisers, progress, history, "best.pt")
    save(options.out, model, optimisers, progress, history, "checkpoint.pt")


if __name__ == "__main__":
    main()
