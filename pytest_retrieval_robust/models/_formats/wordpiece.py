"""Reports to token ids with a BERT vocabulary, cut at the context length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ...core.errors import ConfigError, NotOnThisMachineError
from ...core.foreign import described
from .. import LoadRequest
from .._files.attempt import attempt, is_path_like
from .._files.checkpoint import require_regular_members
from .._files.hub import how_to_download, repository_folder
from .._files.inputs import inputs_digest
from .._files.tokenizer import (
    has_vocabulary,
    no_tokenizer,
    require_fit,
    unreadable_tokenizer,
)
from .towers import TableSizes, table_sizes
from .transformers_versions import WordPieceTokenizer

BIOMED_BERT = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
CLINICAL_BERT = "emilyalsentzer/Bio_ClinicalBERT"
"""A cased vocabulary that all its users lower-case.

Its repository has no tokenizer settings, and lower-casing is the library's default. The
published models were trained with it, so it stays.
"""
_FILES = ["vocab.txt", "tokenizer*.json", "special_tokens_map.json"]
_LEAST_CONTEXT = 3
"""The two special tokens and one word."""


class WordPieces:
    """A tokenizer with the context length that a model cuts reports at."""

    def __init__(
        self,
        tokenizer: Any,
        context: int,
        clean: Callable[[str], str] = str,
        digest: str = "",
    ) -> None:
        self.context = context
        self.digest = digest
        self._tokenizer = tokenizer
        self._clean = clean

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with the special tokens, at most `context` of them, without padding."""
        output = self._tokenizer(
            self._cleaned(texts), truncation=True, max_length=self.context
        )
        return [list(row) for row in output["input_ids"]]

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has before it is cut, special tokens counted."""
        output = self._tokenizer(self._cleaned(texts), truncation=False, verbose=False)
        return [len(row) for row in output["input_ids"]]

    def _cleaned(self, texts: Sequence[str]) -> list[str]:
        return [self._clean(text) for text in texts]


def load_word_pieces(
    name: str,
    default: str,
    request: LoadRequest,
    tables: TableSizes,
    *,
    context: int,
    clean: Callable[[str], str] = str,
    reader: Any = WordPieceTokenizer,
) -> WordPieces:
    """The request's tokenizer, or `default` from the hub's cache; it must fit the tables.

    `clean` is what the authors do to a text before it is tokenised, `reader` the class
    of their tokenizer. `context_length` of the request's options overrides `context`;
    `ConfigError` if the network has fewer positions.
    """
    context = request.options.get("context_length", context)
    # True is an integer of Python, and no length.
    is_number = isinstance(context, int) and not isinstance(context, bool)
    if not is_number or not _LEAST_CONTEXT <= context <= tables.positions:
        raise ConfigError(
            f"Expected a context length of {_LEAST_CONTEXT} to {tables.positions}"
            f" tokens for {name}, got context_length={context!r}. Fix it."
        )
    source = request.tokenizer or default
    folder = _folder_of(name, source, request)
    require_regular_members(name, folder)
    # By its class: a folder may name one of its own, whose code would have to be run.
    tokenizer = attempt(
        lambda: reader.from_pretrained(str(folder), local_files_only=True),
        partial(unreadable_tokenizer, name, source),
    )
    require_fit(name, len(tokenizer), tables.words, Path(source).name)
    return WordPieces(tokenizer, context, clean, inputs_digest([folder]))


def bert_tokens(
    default: str,
    prefix: str,
    *,
    context: int,
    clean: Callable[[str], str] = str,
    reader: Any = WordPieceTokenizer,
) -> Callable[[str, Mapping[str, Tensor], LoadRequest], WordPieces]:
    """What loads the tokenizer of a BERT whose tensors lie under `prefix`, for a recipe.

    The arguments are those of `load_word_pieces`; a BERT of fewer positions than
    `context` cuts texts there.
    """

    def tokens(
        name: str, tensors: Mapping[str, Tensor], request: LoadRequest
    ) -> WordPieces:
        tables = table_sizes(tensors, prefix)
        return load_word_pieces(
            name,
            default,
            request,
            tables,
            context=min(context, tables.positions),
            clean=clean,
            reader=reader,
        )

    return tokens


def _folder_of(name: str, source: str, request: LoadRequest) -> Path:
    """The folder of the vocabulary; an error without one.

    The library would invent a tokenizer of five words.
    """
    folder = Path(source)
    # A name of the hub, unless it is a path that does not exist.
    if not folder.is_dir():
        if is_path_like(source):
            raise no_tokenizer(name, source, "no such folder")
        explain = partial(_absent, name, source)
        folder = repository_folder(name, source, request, _FILES, explain=explain)
    if not has_vocabulary(folder):
        raise no_tokenizer(name, source, "no vocab.txt and no tokenizer.json")
    return folder


def _absent(name: str, repository: str, error: BaseException) -> NotOnThisMachineError:
    """The error for a repository that may be that of the weights too: it says for what."""
    return NotOnThisMachineError(
        f"Expected the tokenizer of {name} ({repository}) in the Hugging Face cache or"
        f" on the hub, got {described(error)}. {how_to_download(repository, error)}, or"
        " pass tokenizer=FOLDER with its vocabulary."
    )
