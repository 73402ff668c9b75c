"""Small Unigram tokenizers, with a small SentencePiece normaliser, and what the tokenizers package makes of some texts."""

import json
import struct

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tokenizers_reference import CORPUS, TEXTS

RULES = {
    "\t": " ", "\n": " ", "\u00a0": " ", "\u3000": " ", "\u200b": "", "ﬁ": "fi", "①": "1", "Ａ": "A", "ｂ": "b",
    "e\u0301": "é", "\u0301": "", "№": "No", "…": "...",
}
ODD = [
    "", " ", "\ufb01ne \uff21\uff42c \u2460\u3000e\u0301 u\u0301 e\u0301\u0301 \u2116\u2026",
    "the  \u00a0 dog\u200bs\tand\nlines", "日本 \ud7a3 x 𝒳𝒴 👩‍👩‍👧 z", "a<mask> dog <new>brown</new>", "dogdogdogdogdog" * 20,
    "\x85\ufeff\u180ex", "The▁quick ▁ brown",
]


def double_array(keys: dict[bytes, int]) -> list[int]:
    """As Darts lays it out: a unit holds a label, whether a key ends there, and the way to the children."""
    trie: dict = {}
    for key, value in keys.items():
        node = trie
        for byte in key:
            node = node.setdefault(byte, {})
        node["value"] = value
    units, used, todo = [0] * 4096, {0}, [(0, trie)]
    while todo:
        at, node = todo.pop(0)
        labels = sorted(label for label in node if label != "value") + ([0] if "value" in node else [])
        base = next(base for base in range(1, 4096) if all(base ^ label not in used for label in labels))
        units[at] |= (at ^ base) << 10 | ("value" in node) << 8
        for label in labels:
            used.add(base ^ label)
            if label == 0:
                units[base] = 1 << 31 | node["value"]
            else:
                units[base ^ label] = label
                todo.append((base ^ label, node[label]))
    return units[: 256 * (max(used) // 256 + 1)]


def charsmap() -> bytes:
    texts, keys = b"", {}
    for key, replacement in RULES.items():
        keys[key.encode()] = len(texts)
        texts += replacement.encode() + b"\0"
    units = double_array(keys)
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + texts


def trained() -> list[tuple[str, float]]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=160, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    vocabulary = json.loads(tokenizer.to_str())["model"]["vocab"]
    return [(token, round(score, 4)) for token, score in vocabulary]


def kinds(vocabulary: list[tuple[str, float]]) -> dict[str, Tokenizer]:
    single_spaces = normalizers.Replace(Regex(" {2,}"), " ")
    t5 = Tokenizer(models.Unigram(vocabulary, 0, False))
    t5.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap()), single_spaces])
    t5.pre_tokenizer = pre_tokenizers.Metaspace()
    t5.decoder = decoders.Metaspace()
    t5.add_special_tokens([AddedToken("<mask>", lstrip=True), "<pad>"])
    t5.add_tokens([AddedToken("<new>", rstrip=True, normalized=True)])
    xlm = Tokenizer(models.Unigram(vocabulary, 0, False))
    xlm.normalizer = normalizers.Precompiled(charsmap())
    xlm.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    xlm.decoder = decoders.Metaspace()
    bytes_ = [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    whole = Tokenizer(models.Unigram([*vocabulary, *bytes_], 0, True))
    whole.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    whole.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return {"t5": t5, "xlm": xlm, "byte-fallback": whole}


def unigram() -> dict:
    """Files without the vocabulary, which they share: its first tokens, and all of it."""
    vocabulary = trained()
    texts = [*TEXTS, *ODD]
    cases = {}
    for name, tokenizer in kinds(vocabulary).items():
        contents = json.loads(tokenizer.to_str())
        del contents["model"]["vocab"]
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        cases[name] = {"file": contents, "ids": ids}
    return {"vocabulary": vocabulary, "texts": texts, "cases": cases}
