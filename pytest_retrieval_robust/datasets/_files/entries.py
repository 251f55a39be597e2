"""Catalogue entries of data sets of files: a reader's own options and the common choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from ...core.counterfactuals import RULES
from ...core.errors import RobustError
from ...core.foreign import let_go
from ..entry import DatasetEntry
from .strata_names import strata_names

if TYPE_CHECKING:
    from .records import SourceData
    from .report_dataset import ReportDataset

Parse = Callable[[str], object]

_CHOICES: Mapping[str, Parse] = {
    "text": str,
    "relevance": str,
    "view": str,
    "images_per_study": int,
    "minimum_length": int,
    "subset": str,
    "masks": str,
    "counterfactuals": str,
    "on_error": str,
    "most_skipped": float,
    "bits": int,
    "strata": strata_names,
    "smallest_group": int,
}
"""The fields of `Choice`, and what reads their text."""
_CHOICE_DEFAULTS: Mapping[str, object] = {
    "relevance": "same-text",
    "view": "all",
    "on_error": "fail",
    "most_skipped": 0.05,
}
"""Defaults that a data set's name leaves out. `Choice` itself is not imported for them:
it needs numpy.
"""
_SHARED = ("strata",)
"""Fields of `Choice` that a reader's own options may have too, to read their columns."""
_CHOICE_PATHS = ("subset", "masks", "counterfactuals")
_PATHS = (
    *("reports", "images", "path", "root", "views", "labels", "sections", "metadata"),
    "patients",
    *_CHOICE_PATHS,
)
"""Options that are paths: no part of a data set's name."""
_NOT_IN_NAMES = (*_PATHS, "strata", "smallest_group")
"""Options that change no number of a run: what is grouped is the same data."""


class Options(Protocol):
    """What a reader's options are: a frozen dataclass whose fields all have defaults."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


OptionsT = TypeVar("OptionsT", bound=Options)


@dataclass(frozen=True)
class Reader(Generic[OptionsT]):
    """A data set of files: what it is called, its options, and what reads it."""

    name: str
    summary: str
    options: type[OptionsT]
    read: Callable[[OptionsT, str], SourceData]
    """Takes the options and what the data set is called."""
    text: str
    """Its default text policy."""

    def entry(self) -> DatasetEntry:
        """The data set as an entry of the catalogue."""
        own = {
            key: _parse_of(default)
            for key, default in self._defaults.items()
            if key not in _SHARED
        }
        choices = {key: _CHOICES[field] for key, field in self._choices.items()}
        return DatasetEntry(
            self.name,
            self.summary,
            self._load,
            parameters={**own, **choices},
            canonical_name=self._canonical_name,
            paths=tuple(key for key in (*own, *choices) if key in _PATHS),
            of_files=True,
        )

    @property
    def _defaults(self) -> dict[str, object]:
        return {field.name: field.default for field in fields(self.options)}

    @property
    def _choices(self) -> dict[str, str]:
        """Parameter -> field of `Choice`.

        A user's own table calls its column `text`; the policy is then `text_policy`.
        """
        own = self._defaults
        return {
            "text_policy" if field in own and field not in _SHARED else field: field
            for field in _CHOICES
        }

    def _load(self, name: str | None = None, **options: Any) -> ReportDataset:
        __tracebackhide__ = True
        try:
            return self._opened(name or self.name, options)
        except RobustError as error:
            problem = error
        # Without the frames of readers: pytest --showlocals prints what these held, which
        # is ids and reports.
        let_go(problem)
        raise problem.with_traceback(None)

    def _opened(self, name: str, options: dict[str, Any]) -> ReportDataset:
        from .choice import Choice
        from .choosing import choose

        chosen: dict[str, Any] = {"text": self.text}
        for parameter, field in self._choices.items():
            if parameter in options:
                chosen[field] = options.pop(parameter)
        if "strata" in chosen:
            chosen["strata"] = strata_names(chosen["strata"])
        # Readers of columns must know which ones.
        for field in _SHARED:
            if field in chosen and field in self._defaults:
                options[field] = chosen[field]
        for field in _CHOICE_PATHS:
            if chosen.get(field) not in (None, RULES):
                chosen[field] = Path(chosen[field]).expanduser()
        # Before any file is read: mistakes are reported at once.
        choice = Choice(**chosen)
        return choose(self.read(self.options(**options), name), choice)

    def _canonical_name(self, **options: Any) -> str:
        defaults = {**_CHOICE_DEFAULTS, "text": self.text, "text_policy": self.text}
        defaults |= self._defaults
        parts = []
        for key in (*self._defaults, *self._choices):
            value = options.get(key)
            is_default = value is None or value == defaults.get(key)
            if key not in _NOT_IN_NAMES and not is_default:
                parts.append(f"{key}={value}")
        return f"{self.name}({','.join(parts)})" if parts else self.name


def _parse_of(default: object) -> Parse:
    """What reads the text of an option with this default."""
    if isinstance(default, int | float) and not isinstance(default, bool):
        return type(default)
    return str
