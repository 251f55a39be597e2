"""A digest of what decides a model's numbers beside its weights.

That is: configuration, tokenizer and preprocessing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ...core.files import is_regular
from .checkpoint import sha256_of

_DECIDING = (
    "config.json",
    "open_clip_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "*.model",
    "*.tiktoken",
    "*.bpe",
    "*.py",
)
"""Files of a folder that bear on embeddings.

`*.py` is the code of a model that runs its own.
"""
SENTENCES = (
    "No acute cardiopulmonary process.",
    (
        "FINDINGS: Stable MODERATE cardiomegaly; small bilateral pleural effusions, a"
        " right-sided PICC ends in the SVC."
    ),
    (
        "pneumothorax? 3.2 cm nodule in the left upper lobe (new since 01/2019) &amp;"
        " interstitial oedema: 50% [sic] ___"
    ),
    "Épanchement pleural à gauche; naïve Größe, ﬁbrosis “quoted” – dash…",
    " \t two  spaces\nand a new line ",
    "",
)
"""Sentences that tell tokenizers apart: case, punctuation, numbers, accents, entities
and blanks.
"""


def inputs_digest(
    folders: Iterable[Path], settings: object = None, vocabulary: bytes = b""
) -> str:
    """One hash of the deciding files of folders, of settings, and of a vocabulary.

    Files enter by their names and contents.
    """
    digest = hashlib.sha256()
    for folder in folders:
        for file in _deciding_files(folder):
            digest.update(f"{file.name} {sha256_of([file])}\n".encode())
        digest.update(b"\n")
    digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    digest.update(vocabulary)
    return digest.hexdigest()


def _deciding_files(folder: Path) -> list[Path]:
    """The regular files of `_DECIDING` in the order of their names, each one once."""
    by_name: dict[str, Path] = {}
    for pattern in _DECIDING:
        for file in folder.glob(pattern):
            if is_regular(file):
                by_name[file.name] = file
    return [by_name[name] for name in sorted(by_name)]


def token_ids_digest(ids: Callable[[Sequence[str]], Iterable[Sequence[int]]]) -> str:
    """The hash of the token ids that a model reads of fixed sentences, each one alone."""
    rows: list[list[int]] = []
    for text in SENTENCES:
        for row in ids([text]):
            # Tensors and numpy integers would not be JSON.
            rows.append([int(number) for number in row])
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def vocabulary_of(tokenizer: Any) -> bytes:
    """A tokenizer of transformers as bytes: its words, merges and settings."""
    # The state in memory, not the files: a tokenizer may come from anywhere.
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return bytes(backend.to_str().encode())
    pieces = getattr(tokenizer, "sp_model", None)
    if pieces is not None:
        return bytes(pieces.serialized_model_proto())
    return json.dumps(sorted(tokenizer.get_vocab().items())).encode()
