"""All stages in one process, for a GPU: from nothing to weights in so many minutes. The solver's samples are drawn beside the
training, by a process of its own on the same device.

python pipeline.py --out out --minutes 7 --workers 14
python pipeline.py --out out --minutes 7 --workers 14 --init ../pebble
"""

import argparse
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Callable

import torch

from pebble.batches import Batches, Phase
from pebble.stages import STAGES
from pebble.store import export
from train import Progress, Trainer, add_arguments

# Shares of the time, and before which stages the solver is sampled.
PLAN = {"copying": 0.02, "skills": 0.04, "lookup": 0.1, "solver": 0.08, "roles": 0.2, "policy": 0.2, "cooling": 0.36}
# Of weights that fill every role.
FURTHER = {"policy": 0.5, "cooling": 0.5}
SAMPLED = ("policy", "cooling")


class Sampler:
    """Runs sample.py on the weights of a moment, and calls `came` when its file is there."""

    def __init__(self, options: argparse.Namespace, came: Callable[[Path], None]):
        self.options, self.came = options, came
        self.running: subprocess.Popen | None = None
        self.failed = False

    def start(self, trainer: Trainer, stage: str) -> None:
        """For `stage`. Samples of weights that have been overtaken are not waited for."""
        self.stop()
        out = samples_of(self.options, stage)
        export(trainer.model, trainer.tokenizer, out.parent)
        o = self.options
        sizes = ("--problems", o.problems, "--samples", o.samples, "--sums", o.sums, "--rows", o.rows, "--device", o.device)
        command = (sys.executable, "sample.py", "--model", out.parent, "--out", out, *sizes)
        self.running = subprocess.Popen([*map(str, command)], cwd=Path(__file__).parent)
        Thread(target=self._wait, args=(self.running, out), daemon=True).start()

    def _wait(self, process: subprocess.Popen, out: Path) -> None:
        code = process.wait()
        if code == 0:
            self.came(out)
        self.failed |= code > 0

    def stop(self) -> None:
        if self.running:
            self.running.kill()
            self.running.wait()


class Schedule:
    """Which phase the stage and the samples that are there make."""

    def __init__(self, options: argparse.Namespace):
        files = [samples_of(options, stage) for stage in SAMPLED]
        # Which files are there: none, the first, the second, both.
        self.sources = [(), (files[0],), (files[1],), tuple(files)]
        self.keys = [(stage, source) for stage in options.plan for source in self.sources]
        self.phases = [Phase(STAGES[stage].mixture, source) for stage, source in self.keys]
        self.stage, self.source = options.stage, self.sources[0]
        self.data: Batches | None = None

    def change(self, stage: str | None = None, came: tuple[Path, ...] = ()) -> None:
        self.stage, self.source = stage or self.stage, self.source + came
        self.data.current.value = self.keys.index((self.stage, self.source))


def samples_of(options: argparse.Namespace, stage: str) -> Path:
    return options.out / f"solver-{stage}" / "samples.jsonl"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a = parser.add_argument
    a("--minutes", type=float, required=True, help="for all stages together")
    a("--problems", type=int, default=3000, help="training problems that the solver is sampled on, each time")
    a("--samples", type=int, default=4, help="samples of each")
    a("--sums", type=int, default=3000, help="texts of ten computations that the solver writes, each time")
    a("--rows", type=int, default=4096, help="samples that are drawn at once")
    add_arguments(parser)
    options = parser.parse_args()
    options.out = options.out.resolve()
    # Each stage ends by the clock.
    options.tokens, options.total = float("inf"), options.minutes
    options.plan = FURTHER if options.init else PLAN
    options.stage = next(iter(options.plan))
    return options


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    torch.set_float32_matmul_precision("high")
    trainer, schedule = Trainer(options), Schedule(options)
    schedule.data = trainer.data(schedule.phases)
    sampler = Sampler(options, lambda path: schedule.change(came=(path,)))
    batches = iter(trainer.loader(schedule.data))
    print(f"{sum(p.numel() for p in trainer.model.parameters()):,} parameters, {options}", flush=True)
    for _ in range(2):
        # What is compiled for two shapes serves all.
        trainer.gradients(next(batches))
    try:
        for stage, share in options.plan.items():
            if stage in SAMPLED:
                sampler.start(trainer, stage)
            options.stage, options.minutes = stage, options.total * share
            trainer.stage, trainer.progress = STAGES[stage], Progress()
            schedule.change(stage)
            trainer.train(batches)
            trainer.warm_up = 0
    finally:
        sampler.stop()
    export(trainer.model, trainer.tokenizer, options.out / "exported")
    if sampler.failed:
        raise SystemExit("The weights are there, but sample.py failed: they have not seen the solver's own mistakes.")


if __name__ == "__main__":
    main()
