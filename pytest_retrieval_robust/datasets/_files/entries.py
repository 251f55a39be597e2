"""Catalogue entries of data sets of files: a reader's own options, and the choices that
all readers share.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import RobustError
from ...core.foreign import let_go
from ..entry import DatasetEntry

if TYPE_CHECKING:
    from .collection import ReportDataset
    from .records import Found

_CHOICES: Mapping[str, Callable[[str], object]] = {
    "text": str,
    "relevance": str,
    "view": str,
    "images_per_study": int,
    "minimum_length": int,
    "subset": str,
    "masks": str,
    "on_error": str,
    "most_skipped": float,
    "bits": int,
}
_PATHS = (
    "reports",
    "images",
    "path",
    "root",
    "views",
    "labels",
    "sections",
    "metadata",
    "subset",
    "masks",
)


def entry_of(
    name: str, summary: str, find: Callable[..., Found], *, text: str
) -> DatasetEntry:
    """The entry of a reader: `find(name=..., **own options)`; `text` is its default text policy."""
    defaults = {
        key: parameter.default
        for key, parameter in inspect.signature(find).parameters.items()
        if key != "name"
    }
    own: dict[str, Callable[[str], object]] = {
        key: _reader_of(default) for key, default in defaults.items()
    }

    # A table of one's own calls its column `text`; the policy is then `text_policy`.
    choices = {"text_policy" if key in own else key: key for key in _CHOICES}

    def load(name: str = name, **options: Any) -> ReportDataset:
        __tracebackhide__ = True
        try:
            return opened(name, options)
        except RobustError as error:
            problem = error
        # Without the frames of readers: pytest --showlocals prints what these held,
        # which is ids and reports.
        let_go(problem)
        raise problem.with_traceback(None)

    def opened(name: str, options: dict[str, Any]) -> ReportDataset:
        from .collection import Choice, choose

        chosen = {
            field: options.pop(key) for key, field in choices.items() if key in options
        }
        for key in ("subset", "masks"):
            if chosen.get(key) is not None:
                chosen[key] = Path(chosen[key]).expanduser()
        choice = Choice(
            **{"text": text, **chosen}
        )  # before any file is read: a slip is said at once
        return choose(find(name=name, **options), choice)

    def canonical_name(**options: Any) -> str:
        known = {
            "relevance": "same-text",
            "view": "all",
            "on_error": "fail",
            "most_skipped": 0.05,
            "text": text,
        }
        known |= {"text_policy": text, **defaults}
        said = [
            f"{key}={value}"
            for key in (*own, *choices)
            if key not in _PATHS
            and (value := options.get(key)) is not None
            and value != known.get(key)
        ]
        return f"{name}({','.join(said)})" if said else name

    return DatasetEntry(
        name,
        summary,
        load,
        parameters={**own, **{key: _CHOICES[field] for key, field in choices.items()}},
        canonical_name=canonical_name,
        paths=tuple(key for key in (*own, *choices) if key in _PATHS),
        of_files=True,
    )


def _reader_of(default: object) -> Callable[[str], object]:
    return (
        type(default)
        if isinstance(default, int | float) and not isinstance(default, bool)
        else str
    )
