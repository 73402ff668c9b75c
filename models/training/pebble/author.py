"""What an evaluation is written with."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from tokenizers import Tokenizer

from .model import Llama
from .sampling import generate
from .store import load_checkpoint

SEED = 5


class Author:
    """A model that writes in several processes of one thread: small products do not gain from threads."""

    _model: tuple[Llama, Tokenizer]

    def __init__(self, folder: Path, device: str, processes: int):
        self.model, self.tokenizer = load_checkpoint(folder, device)
        self.processes = processes
        # This kind of pool says so when a process is killed, as for memory; the other kind waits for it for ever.
        self.pool = ProcessPoolExecutor(processes, get_context("spawn"), Author._load, (folder, device))

    @staticmethod
    def _load(folder: Path, device: str) -> None:
        torch.set_num_threads(1)
        Author._model = load_checkpoint(folder, device)

    @staticmethod
    def _write(part: tuple) -> list[str]:
        prompts, given, temperature, seed = part
        rows = 64 if next(Author._model[0].parameters()).device.type == "cpu" else 1024
        return generate(*Author._model, prompts, temperature, seed=seed, rows=rows, given=given)

    def write(self, prompts: list[tuple[str, str]], temperature: float = 0.0, given: list[str] | None = None) -> list[str]:
        """As `sampling.generate`."""
        cuts = [slice(n, None, self.processes) for n in range(self.processes)]
        parts = [(prompts[c], given and given[c], temperature, SEED + n) for n, c in enumerate(cuts)]
        texts = [""] * len(prompts)
        for cut, written in zip(cuts, self.pool.map(Author._write, parts)):
            texts[cut] = written
        return texts
