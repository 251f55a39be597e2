"""Reports to token ids with a BERT vocabulary, cut at the context length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from transformers import BertTokenizer

from ...errors import ConfigError
from .. import LoadRequest
from .._files.attempt import attempt
from .._files.checkpoint import require_fit, require_regular_members
from .._files.hub import (
    has_vocabulary,
    no_tokenizer,
    repository_folder,
    unreadable_tokenizer,
)
from .._files.inputs import inputs_digest

BIOMED_BERT = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
CLINICAL_BERT = "emilyalsentzer/Bio_ClinicalBERT"
"""A cased vocabulary that all its users lower-case: its repository has no tokenizer
settings, and lower-casing is the default of the library. Left so: it is what the
published models were trained with.
"""


class WordPieces:
    """A tokenizer with the context length that a model cuts reports at."""

    def __init__(
        self,
        tokenizer: Any,
        context: int,
        clean: Callable[[str], str] = str,
        digest: str = "",
    ) -> None:
        self._tokenizer, self.context, self._clean, self.digest = (
            tokenizer,
            context,
            clean,
            digest,
        )

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with the special tokens, at most `context` of them, without padding."""
        cut = self._tokenizer(
            self._cleaned(texts), truncation=True, max_length=self.context
        )["input_ids"]
        return [list(row) for row in cut]

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has before it is cut, special tokens counted."""
        whole = self._tokenizer(self._cleaned(texts), truncation=False, verbose=False)[
            "input_ids"
        ]
        return [len(row) for row in whole]

    def _cleaned(self, texts: Sequence[str]) -> list[str]:
        return [self._clean(text) for text in texts]


def load_word_pieces(
    name: str,
    default: str,
    request: LoadRequest,
    *,
    rows: int,
    positions: int,
    context: int,
    clean: Callable[[str], str] = str,
) -> WordPieces:
    """The tokenizer asked for, else `default` from the hub's cache; it must fit an
    embedding table of `rows`.

    `clean` is what the authors do to a text before it is tokenised.

    `context_length` of the request's options overrides `context`; `ConfigError` where
    the network has fewer positions.
    """
    wanted = request.options.get("context_length", context)
    if (
        not isinstance(wanted, int)
        or isinstance(wanted, bool)
        or not 2 < wanted <= positions
    ):
        raise ConfigError(
            f"Expected a context length of 3 to {positions} tokens for {name}, got"
            f" context_length={wanted!r}. Fix it."
        )
    source = request.tokenizer or default
    folder = _folder_of(name, source, request)
    require_regular_members(name, folder)
    # By its class: a folder may name one of its own, whose code would have to be run.
    tokenizer = attempt(
        lambda: BertTokenizer.from_pretrained(str(folder), local_files_only=True),
        partial(unreadable_tokenizer, name, source),
    )
    require_fit(name, len(tokenizer), rows, Path(source).name)
    return WordPieces(tokenizer, wanted, clean, inputs_digest([folder]))


def _folder_of(name: str, source: str, request: LoadRequest) -> Path:
    """Where the vocabulary lies; without one the library would make up a tokenizer of
    five words.
    """
    folder = Path(source)
    if not folder.is_dir():
        if folder.is_absolute():
            raise no_tokenizer(name, source, "no such folder")
        folder = repository_folder(
            name,
            source,
            request,
            ["vocab.txt", "tokenizer*.json", "special_tokens_map.json"],
        )
    if not has_vocabulary(folder):
        raise no_tokenizer(name, source, "no vocab.txt and no tokenizer.json")
    return folder
