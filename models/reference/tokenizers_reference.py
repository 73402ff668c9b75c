"""Small tokenizers, and what the tokenizers package makes of some texts with each way to split them."""

import json

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and the dog didn't care.",
    "Ann has 12 pens. Ben has 3 times as many pens as Ann; together they've 48 pens!",
    "for (let index = 0; index < count; index++) {\n  total += values[index]\n}\n",
    "naïve café, Straße, здравствуй мир, 東京 and 北京 — dashes, ellipses…",
] * 4
TEXTS = [
    "Hello world, don't PANIC: it's 12345.67 pens!",
    "  two  spaces\n\n\tand a tab\r\n  end  ",
    "naïve café — 東京 🙂 Straße №٣",
    "We'LL'VE camelCase snake_case http://x.y/z?q=1&r=2",
    "<|im_start|>user\nHi<|im_end|>\n",
    "e\u0301 is not \u00e9",
]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)


def split(pattern: str):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def splittings() -> dict:
    """As the original tokenizer.json of a model of each kind splits."""
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return {
        "gpt-2": (plain, None),
        "smollm": (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), plain]), None),
        "llama-bpe": (split(WORDS % "{1,3}"), None),
        "qwen2": (split(WORDS % ""), normalizers.NFC()),
        "tekken": (split(TEKKEN), None),
    }


def byte_level(vocabulary: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def encodings(tokenizer: Tokenizer) -> list[list[int]]:
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]


def byte_level_cases(tokenizer: Tokenizer) -> dict:
    cases = {}
    for name, (pre, normalizer) in splittings().items():
        contents = json.loads(tokenizer.to_str())
        contents["model"]["ignore_merges"] = name in ("llama-bpe", "tekken")
        other = Tokenizer.from_str(json.dumps(contents))
        other.pre_tokenizer = pre
        if normalizer is not None:
            other.normalizer = normalizer
        cases[name] = encodings(other)
    return cases


def sentence_piece() -> dict:
    """Pieces with scores, as a llama GGUF holds them, of a tokenizer whose merges are known."""
    source = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    source.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=560, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False
    )
    source.train_from_iterator(CORPUS, trainer)
    contents = json.loads(source.to_str())
    # Only <s> and </s> are recognised in a text.
    contents["added_tokens"] = [token for token in contents["added_tokens"] if token["content"] in ("<s>", "</s>")]
    tokenizer = Tokenizer.from_str(json.dumps(contents))
    vocabulary = contents["model"]["vocab"]
    ranks = {"".join(merge): -float(rank) for rank, merge in reversed(list(enumerate(contents["model"]["merges"])))}
    tokens = sorted(vocabulary, key=vocabulary.get)
    kinds = {"<unk>": 2, "<s>": 3, "</s>": 3, **dict.fromkeys(bytes_, 6)}
    texts = [text for text in TEXTS if "<|" not in text] + ["<s>Hi there</s>"]
    return {
        "tokens": tokens,
        "scores": [ranks.get(token, -1e6 if kinds.get(token, 1) == 1 else 0.0) for token in tokens],
        "types": [kinds.get(token, 1) for token in tokens],
        "texts": texts,
        "ids": [tokenizer.encode(text, add_special_tokens=False).ids for text in texts],
    }
