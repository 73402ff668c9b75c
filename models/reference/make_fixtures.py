"""Writes the reference values: python make_fixtures.py ../../test/fixtures/checkpoints"""

import json
import sys
from pathlib import Path

from architectures import IDS, VOCABULARY, head_models, language_models
from export_reference import exported
from gguf_reference import gguf_models
from tokenizers_reference import TEMPLATE, TEXTS, byte_level, byte_level_cases, sentence_piece
from unigram_reference import unigram


def write(path: Path, contents: dict) -> None:
    path.write_text(json.dumps(contents, ensure_ascii=False, separators=(",", ":")) + "\n")


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = byte_level(VOCABULARY)
    write(folder / "tokenizer.json", json.loads(tokenizer.to_str()))
    write(folder / "tokenizer_config.json", {
        "chat_template": TEMPLATE, "bos_token": "<|im_start|>", "eos_token": "<|im_end|>"})
    models = {
        "ids": IDS,
        "language": language_models(),
        "heads": head_models(),
        "gguf": gguf_models(folder, tokenizer),
        "export": exported(folder),
    }
    write(folder / "models.json", models)
    write(folder / "tokenizers.json", {
        "texts": TEXTS, "byte_level": byte_level_cases(tokenizer), "sentence_piece": sentence_piece()})
    write(folder / "unigram.json", unigram())


if __name__ == "__main__":
    main()
