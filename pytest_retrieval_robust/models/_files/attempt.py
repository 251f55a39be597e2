"""Foreign code that is called while a model is loaded: what it raises becomes one error
of this package.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ...errors import RobustError
from ...foreign import FOREIGN, let_go

T = TypeVar("T")

_PACKAGES = (
    "sentencepiece",
    "protobuf",
    "tiktoken",
    "timm",
    "ftfy",
    "einops",
    "sacremoses",
)
"""Packages that libraries ask for by a text alone, under the names that pip knows them by."""


def attempt(
    read: Callable[[], T], explain: Callable[[BaseException], RobustError]
) -> T:
    """What `read` returns; where foreign code in it raises, the error that `explain` makes of that.

    The foreign error is neither the cause nor the context of ours: its text may quote a
    report or a path, and its frames may hold a whole model.
    """
    try:
        return read()
    except RobustError:
        raise
    except FOREIGN as error:
        refusal = explain(error)
        let_go(error)
    raise refusal


def missing_package(error: BaseException) -> str | None:
    """The package that an error says is not installed, or None.

    Nothing else of its text is used.
    """
    text = str(error).lower()
    asks = isinstance(error, ImportError) or "installed" in text
    return (
        next((package for package in _PACKAGES if package in text), None)
        if asks
        else None
    )


def shown_path(typed: str | Path) -> str:
    """What a user typed, as it may stand in a message: an absolute path, or one with
    `..`, by its last part alone.
    """
    path = Path(typed)
    return (
        path.resolve().name if path.is_absolute() or ".." in path.parts else str(typed)
    )
