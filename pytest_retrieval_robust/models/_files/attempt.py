"""Foreign code that runs while a model is loaded: what it raises becomes one of our errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ...core.errors import RobustError
from ...core.foreign import FOREIGN, let_go
from .network import note_failure

T = TypeVar("T")

_REPOSITORY = r"(?:\w[\w.-]*/)?\w[\w.-]*"
"""ORG/NAME of the hub, or one of its old names without ORG."""
_PACKAGES = (
    "sentencepiece",
    "protobuf",
    "tiktoken",
    "timm",
    "ftfy",
    "einops",
    "sacremoses",
)
"""Packages that libraries name only in the text of an error, by the names that pip uses."""


def attempt(
    read: Callable[[], T], explain: Callable[[BaseException], RobustError]
) -> T:
    """What `read` returns; if foreign code in it raises, the error that `explain` makes of it.

    The foreign error is neither the cause nor the context of ours: its text may quote a
    report or a path, and its frames may hold a whole model.
    """
    try:
        return read()
    except RobustError:
        raise
    except FOREIGN as error:
        # First: what the explanation advises depends on it.
        note_failure(error)
        refusal = explain(error)
        let_go(error)
    # Outside of the handler, so that the foreign error does not become the context.
    raise refusal


def missing_package(error: BaseException) -> str | None:
    """The package that an error reports as not installed, or None.

    Nothing else of the error's text is used.
    """
    text = str(error).lower()
    if not isinstance(error, ImportError) and "installed" not in text:
        return None
    return next((package for package in _PACKAGES if package in text), None)


def shown_path(typed: str | Path) -> str:
    """A user's text as a message may show it.

    Of an absolute path, or one with `..`, only the last part is shown.
    """
    path = Path(typed)
    if path.is_absolute() or ".." in path.parts:
        return path.resolve().name
    return str(typed)


def is_path_like(place: str) -> bool:
    """Whether a user's text can only mean a path of this machine: it names no repository."""
    if Path(place).is_absolute() or Path(place).exists():
        return True
    return re.fullmatch(_REPOSITORY, place) is None
