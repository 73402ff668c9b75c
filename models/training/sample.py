"""Samples solutions of training problems from a checkpoint, for training the other roles on real mistakes.

python sample.py --model out/roles --problems 3000 --samples 4 --out out/samples.jsonl
"""

import argparse
import json
import random
from pathlib import Path

import torch

from pebble.problems import random_problem
from pebble.sampling import generate
from pebble.solutions import Candidate, first_wrong
from pebble.store import load_checkpoint

STEPS = (2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a = parser.add_argument
    a("--model", type=Path, required=True)
    a("--out", type=Path, required=True)
    a("--problems", type=int, default=3000)
    a("--samples", type=int, default=4)
    a("--temperature", type=float, default=0.9)
    a("--seed", type=int, default=1)
    a("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    a("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, tokenizer = load_checkpoint(options.model, options.device)
    rng = random.Random(f"{options.seed}:samples")
    right = total = 0
    with open(options.out, "w") as out:
        for start in range(0, options.problems, 100):
            problems = [random_problem(rng, rng.choice(STEPS)) for _ in range(min(100, options.problems - start))]
            prompts = [("solve", p.text) for p in problems for _ in range(options.samples)]
            texts = generate(model, tokenizer, prompts, options.temperature, seed=options.seed * 100_003 + start)
            for n, problem in enumerate(problems):
                samples = texts[n * options.samples : (n + 1) * options.samples]
                right += sum(first_wrong(problem, Candidate.read(text)) is None for text in samples)
                total += len(samples)
                out.write(json.dumps({**problem.to_json(), "samples": samples}) + "\n")
            print(f"{start + len(problems)} problems, {right / total:.1%} of {total} samples right", flush=True)


if __name__ == "__main__":
    main()
