"""Reference values of exported weights from transformers (float32), after a check against our own forward pass.

python reference.py --model ../pebble --out ../../test/fixtures/pebble/reference.json
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pebble.store import load_checkpoint

PROBLEM = (
    "Ann has 12 pens. Ben has 3 times as many pens as Ann. Cara has 7 fewer pens than Ben. "
    "How many pens do Cara and Ann have together?"
)
# The last step is wrong on purpose: 29 + 12 is 41.
STEPS = """1. total: Cara + Ann
2. Cara: Ben - 7
3. Ben: Ann * 3
4. Ann: 12
5. Ben: Ann 12 * 3 = 36
6. Cara: Ben 36 - 7 = 29
7. total: Cara 29 + Ann 12 = 42
#### 42"""
CASES = (
    ("solve", "solve", PROBLEM),
    ("review", "review", f"{PROBLEM}\n\n{STEPS}"),
    ("unicode", "solve", "Zoë’s naïve café — 東京 🙂 12.5%"),
)
TOLERANCE = 2e-3
# As in test/inference/model-fixture.ts.
GREEDY_TOKENS = 96


def case(tokenizer, model, own, name: str, system: str, user: str) -> dict:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    batch = torch.tensor([ids])
    with torch.inference_mode():
        logits = model(batch).logits[0]
        difference = (logits - own.logits(own(batch))[0]).abs().max().item()
        greedy = model.generate(batch, max_new_tokens=GREEDY_TOKENS, do_sample=False)[0][len(ids) :].tolist()
    assert difference < TOLERANCE, f"{name}: {difference}"
    chances = logits.log_softmax(-1)
    top = logits[-1].topk(10)
    return {
        "name": name,
        "messages": messages,
        "text": text,
        "ids": ids,
        "last_logits_first_8": [round(float(v), 5) for v in logits[-1][:8]],
        "last_logits_mean": float(logits[-1].mean()),
        "last_logits_top": [[int(i), round(float(v), 5)] for v, i in zip(top.values, top.indices)],
        "token_log_probabilities": [round(float(chances[n, ids[n + 1]]), 5) for n in range(len(ids) - 1)],
        "greedy_ids": greedy,
        "greedy_text": tokenizer.decode(greedy, skip_special_tokens=True),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    own, _ = load_checkpoint(options.model)
    digest = hashlib.sha256((options.model / "model.safetensors").read_bytes()).hexdigest()
    cases = [case(tokenizer, model, own, *fields) for fields in CASES]
    reference = {"checkpoint": "model.safetensors", "sha256": digest, "by": "transformers, float32", "cases": cases}
    options.out.write_text(json.dumps(reference, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
