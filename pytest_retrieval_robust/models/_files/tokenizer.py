"""Files of a tokenizer: whether they are on this machine, and the errors for bad ones.

Imports no model library.
"""

from __future__ import annotations

from pathlib import Path

from ...core.errors import ModelError, NotOnThisMachineError, RobustError
from ...core.foreign import described
from .attempt import is_path_like, missing_package, shown_path
from .checkpoint import require_regular_members
from .hub_cache import first_cached
from .network import get_with

VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
)
"""Files that hold a tokenizer's words.

Without any of them, transformers invents a tokenizer that reads every text as unknown.
"""
_INVENTED_WORDS = 5
"""Words of the tokenizer that transformers invents: every report would read the same."""


def has_vocabulary(folder: Path) -> bool:
    return any((folder / name).is_file() for name in VOCABULARIES)


def missing_tokenizer(name: str, repository: str) -> str | None:
    """The sentence for a tokenizer that is not cached on this machine, or None."""
    if first_cached(repository, VOCABULARIES) is not None:
        return None
    return (
        f"the tokenizer of {name} ({repository}) is not on this machine;"
        f" {get_with('it', f'`hf download {repository}`')}, or pass a folder as its"
        " tokenizer"
    )


def check_tokenizer(name: str, source: str) -> None:
    """Raise for a path that is no folder, or a folder with files that never end."""
    path = Path(source)
    if path.is_dir():
        require_regular_members(name, path)
    elif is_path_like(source):
        raise no_tokenizer(name, source, "no such folder")


def require_fit(
    name: str, words: int, rows: int | None, source: str = "its own"
) -> None:
    """`ModelError` for a tokenizer without a vocabulary, or with more words than `rows`.

    `rows` are those of the model's embedding table, None if they are unknown.
    """
    is_too_large = rows is not None and words > rows
    if words > _INVENTED_WORDS and not is_too_large:
        return
    fitting = "with a vocabulary"
    if rows is not None:
        fitting = f"that fits the {rows} rows of {name}'s embedding table"
    raise ModelError(
        f"Expected a tokenizer {fitting}, got tokenizer={shown_path(source)!r} with"
        f" vocabulary={words}. Use the whole tokenizer that the checkpoint was trained"
        " with (tokenizer.json or vocab.txt)."
    )


def unreadable_tokenizer(name: str, source: str, error: BaseException) -> RobustError:
    """The error for a tokenizer whose files a library could not read."""
    # Installing a package is easier than replacing a tokenizer, so it comes first.
    package = missing_package(error)
    if package is not None:
        return needs_package(name, "tokenizer", package)
    return no_tokenizer(name, source, described(error))


def failing_tokenizer(name: str, error: BaseException) -> ModelError:
    """The error for a tokenizer that could be read, but fails on a text."""
    return ModelError(
        f"Expected a tokenizer of {name} that cuts and pads texts, got one that fails:"
        f" {described(error)}. Copy tokenizer_config.json, which names its padding"
        " token, beside its vocabulary, or pass tokenizer=FOLDER."
    )


def needs_package(name: str, part: str, package: str) -> ModelError:
    return ModelError(
        f"Expected the package {package}, which the {part} of {name} needs, got an"
        f" environment without it. Run `pip install {package}`."
    )


def no_tokenizer(name: str, source: str, why: str) -> NotOnThisMachineError:
    # A path is no repository, so that no download helps.
    if is_path_like(source):
        how = "Fix the path"
    else:
        how = f"Run `hf download {source}` on a machine with network access"
    return NotOnThisMachineError(
        f"Expected the tokenizer of {name}, got tokenizer={shown_path(source)!r} that"
        f" cannot be opened: {why}. {how}, or pass tokenizer=FOLDER with its"
        " vocabulary."
    )
