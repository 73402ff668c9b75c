"""The commands of the pipeline one after the other, on a budget of a few thousand tokens (about two minutes)."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).parent.parent
TINY = "--hidden 64 --layers 1 --heads 2 --ffn 64 --vocab 400 --batch 512 --threads 1 --probe 1 --no-compile --no-induction".split()


class Commands(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name)

    def run_python(self, *arguments) -> str:
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        command = [sys.executable, *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def train(self, stage: str, tokens: int, *more) -> list[dict]:
        self.run_python("train.py", "--stage", stage, "--out", self.out / stage, "--tokens", tokens, *TINY, *more)
        return [json.loads(line) for line in (self.out / stage / "log.jsonl").read_text().splitlines()]

    def test_training_sampling_export_reference_and_evaluation_run_from_beginning_to_end(self):
        out = self.out
        first = self.train("copying", 1500)[-1]
        again = self.train("copying", 4000)[-1]
        self.assertGreater(again["steps"], first["steps"])
        self.assertGreater(again["seconds"], first["seconds"])
        self.train("roles", 1500, "--init", out / "copying", "--layers", 2)
        self.run_python("sample.py", "--model", out / "roles", "--problems", 3, "--samples", 2, "--sums", 2, "--out", out / "samples.jsonl")
        rows = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
        self.assertEqual([len(row["samples"]) for row in rows if "samples" in row], [2, 2, 2])
        self.assertEqual(sum("sum" in row for row in rows), 2)
        self.train("cooling", 1500, "--init", out / "roles", "--layers", 2, "--samples", out / "samples.jsonl")
        self.run_python("export.py", "--model", out / "cooling", "--out", out / "exported")
        self.run_python("reference.py", "--model", out / "exported", "--out", out / "reference.json")
        reference = json.loads((out / "reference.json").read_text())
        self.assertEqual([case["name"] for case in reference["cases"]], ["solve", "review", "unicode"])
        printed = self.run_python("evaluate.py", "--model", out / "exported", "--limit", 2, "--sampled", 2, "--k", 2)
        for figure in ("solver, greedy, usual", "pass@2", "step verifier", "judge", "compare", "reviewer", "refiner", "wordings"):
            self.assertIn(figure, printed)

    def test_processes_that_share_gradients_end_at_the_same_step_by_the_clock(self):
        several = "-m torch.distributed.run --nproc-per-node 2 train.py --stage copying --tokens 1e9 --minutes 0.1".split()
        self.run_python(*several, "--out", self.out, *TINY)
        done = json.loads((self.out / "log.jsonl").read_text().splitlines()[-1])
        self.assertGreaterEqual(done["seconds"], 6)
        self.assertGreater(done["steps"], 0)

    def test_all_stages_in_one_process_leave_weights_and_samples_of_the_solver(self):
        few = "--problems 2 --samples 2 --sums 1 --rows 4 --workers 1 --report 600 --batch 256".split()
        # On a busy machine the samples of a short run are overtaken.
        for minutes in (0.7, 4):
            out = self.out / str(minutes)
            self.run_python("pipeline.py", "--out", out, "--minutes", minutes, *TINY, *few)
            found = [*out.glob("solver-*/samples.jsonl")]
            if found:
                break
        stages = [json.loads(line)["steps"] for line in (out / "log.jsonl").read_text().splitlines()]
        self.assertEqual(len(stages), 7)
        self.assertTrue(all(stages))
        self.assertTrue((out / "exported" / "model.safetensors").exists())
        self.assertTrue(found)
        samples = found[0]
        rows = [json.loads(line) for line in samples.read_text().splitlines()]
        self.assertEqual([len(row.get("samples", [])) for row in rows], [2, 2, 0])


if __name__ == "__main__":
    unittest.main()
