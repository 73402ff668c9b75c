"""Samples solutions of training problems, judgements of some of them, and sums, from a checkpoint, for training the other roles
on real mistakes.

python sample.py --model out/roles --problems 3000 --samples 4 --out out/samples.jsonl
"""

import argparse
import json
import random
from itertools import islice
from pathlib import Path

import torch

from pebble import forms
from pebble.generator import random_problem
from pebble.model import rotary_tables
from pebble.practice import LABELS
from pebble.sampling import generate
from pebble.solutions import Candidate, first_wrong
from pebble.store import load_checkpoint

STEPS = (2, 3, 4, 5, 6, 7, 7, 8, 8, 9, 9, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a = parser.add_argument
    a("--model", type=Path, required=True)
    a("--out", type=Path, required=True)
    a("--problems", type=int, default=3000)
    a("--samples", type=int, default=4)
    a("--judged", type=int, default=2, help="samples of each problem that are judged")
    a("--sums", type=int, default=1000, help="texts of ten computations each")
    a("--temperature", type=float, default=0.9)
    a("--rows", type=int, default=400, help="samples that are drawn at once")
    a("--seed", type=int, default=1)
    a("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    a("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, tokenizer = load_checkpoint(options.model, options.device)
    if options.device == "cuda":
        # Half the memory to read; what it shifts in a sample is one more slip to learn from.
        model = model.bfloat16()
        model.cos, model.sin = (table.to(options.device) for table in rotary_tables(model.config))
    rng = random.Random(f"{options.seed}:samples")
    right = total = 0
    step = max(1, options.rows // options.samples)
    # A file is complete or absent under its name.
    writing = options.out.with_suffix(".writing")
    with open(writing, "w") as out:
        for start in range(0, options.problems, step):
            problems = [random_problem(rng, rng.choice(STEPS)) for _ in range(min(step, options.problems - start))]
            prompts = [("solve", p.text) for p in problems for _ in range(options.samples)]
            seed = options.seed * 100_003 + start
            texts = generate(model, tokenizer, prompts, options.temperature, seed=seed, rows=options.rows)
            rows = [texts[n * options.samples : (n + 1) * options.samples] for n in range(len(problems))]
            shown = [(p, Candidate.read(text)) for p, row in zip(problems, rows) for text in row[: options.judged]]
            judge = [forms.judge_prompt(p.text, candidate) for p, candidate in shown]
            written = iter(generate(model, tokenizer, judge, rows=options.rows // 2))
            for problem, samples in zip(problems, rows):
                right += sum(first_wrong(problem, Candidate.read(text)) is None for text in samples)
                total += len(samples)
                judgements = list(islice(written, len(samples[: options.judged])))
                out.write(json.dumps({**problem.to_json(), "samples": samples, "judgements": judgements}) + "\n")
            print(f"{start + len(problems)} problems, {right / total:.1%} of {total} samples right", flush=True)
        for start in range(0, options.sums, options.rows):
            prompts = [("sum", rng.choice(LABELS)) for _ in range(min(options.rows, options.sums - start))]
            seed = options.seed * 100_019 + start
            for text in generate(model, tokenizer, prompts, options.temperature, seed=seed, rows=options.rows):
                out.write(json.dumps({"sum": text}) + "\n")
            print(f"{start + len(prompts)} texts of sums", flush=True)
    writing.replace(options.out)


if __name__ == "__main__":
    main()
