"""Several curves together, found by the names of their model, data set and occluder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from ..core.cases import Case, Direction, Family
from ..core.errors import NotMeasuredError
from ..core.plain_text import plain
from ..core.words import close_words, counted, did_you_mean
from ._curve_tables import (
    as_columns,
    as_dataframe,
    as_html,
    as_text,
    compared_rows,
)
from .curve import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

Name: TypeAlias = str | int
"""The name of a model, data set or occluder, or the number of a seed."""
C = TypeVar("C", bound="Curves")

_WORDS: Mapping[Family, str] = {
    "occlusion": "occluder",
    "corruption": "corruption",
    "text-noise": "text noise",
}
_MOST_ROWS = 60
"""Of a table that is shown."""


@dataclass(frozen=True, repr=False)
class Curves(Sequence[Curve]):
    """Curves of several models, data sets, occluders or seeds: a sequence of `Curve`.

    `curves["clip", "patches"]` is the one curve of these names, and `curves["clip"]`
    are all of that model. Shown, tabulated and drawn as one is: `print`,
    `to_dict()`, `to_dataframe()`, `plot()`.
    """

    curves: tuple[Curve, ...]
    failures: tuple[str, ...] = ()
    """A sentence for each thing that could not be measured."""

    def __len__(self) -> int:
        return len(self.curves)

    def __iter__(self) -> Iterator[Curve]:
        return iter(self.curves)

    @overload
    def __getitem__(self, key: int) -> Curve: ...
    @overload
    def __getitem__(self: C, key: slice | str) -> C: ...
    @overload
    def __getitem__(self, key: tuple[Name, ...]) -> Curve: ...
    def __getitem__(self, key: int | slice | str | tuple[Name, ...]) -> Any:
        """A number gives that curve, a slice or a name a part, and several names a curve.

        Raises `NotMeasuredError` for names that fit no curve, or more than one.
        """
        if isinstance(key, slice):
            return replace(self, curves=self.curves[key])
        if isinstance(key, str):
            return replace(self, curves=tuple(self._with((key,))))
        if isinstance(key, tuple):
            return self._only(key)
        return self.curves[key]

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models, each once, as those of the next two."""
        return tuple(dict.fromkeys(case.model for case in self._cases))

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(case.dataset for case in self._cases))

    @property
    def occluders(self) -> tuple[str, ...]:
        """The names of what was done: occluders, corruptions and text noise."""
        return tuple(dict.fromkeys(case.occluder for case in self._cases))

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(case.seed for case in self._cases))

    @property
    def ks(self) -> tuple[int, ...]:
        """Every k of Recall@k that a curve has, rising."""
        return tuple(sorted({k for curve in self.curves for k in curve.ks}))

    def to_dict(self) -> dict[str, list[Any]]:
        """Every number as columns of equal length: a row per curve, direction, k and level."""
        return as_columns(self.curves)

    def to_dataframe(self) -> DataFrame:
        """`to_dict` as a table of pandas, which has to be installed."""
        return as_dataframe(self.to_dict())

    def plot(
        self,
        k: int | None = None,
        direction: Direction = "image-to-report",
        *,
        axes: Axes | None = None,
    ) -> Axes:
        """Draw all curves in one pair of axes, as `Curve.plot` does.

        `k` is by default the largest that all of them have.
        """
        from .curve_plot import draw_curves

        return draw_curves(self.curves, self._labels(), k, direction, axes)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {plain(self._title())}>"

    def __str__(self) -> str:
        return as_text(self._title(), self._rows(), self._notes())

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return as_html(self._title(), self._rows(), self._notes())

    def _title(self) -> str:
        words = [counted(len(self.curves), "curve")]
        words.append(counted(len(self.models), "model"))
        words.append(counted(len(self.datasets), "data set"))
        words += self._counted_changes()
        if self.failures:
            words.append(counted(len(self.failures), "failure"))
        return ", ".join(words)

    def _counted_changes(self) -> Iterator[str]:
        """How many different things were done, family by family."""
        for family, word in _WORDS.items():
            names = {case.occluder for case in self._cases if case.family == family}
            if names:
                yield counted(
                    len(names), word, word if family == "text-noise" else None
                )

    def _rows(self) -> list[list[str]]:
        k = max(self.ks, default=1)
        rows = compared_rows(self.curves, self._labels(), k)
        return rows[: 1 + _MOST_ROWS]

    def _notes(self) -> Iterator[str]:
        """What the table does not show, in sentences."""
        hidden = 2 * len(self.curves) - _MOST_ROWS
        if hidden > 0:
            yield f"{counted(hidden, 'row')} more: to_dataframe() has all of them."
        for failure in self.failures:
            yield f"Not measured: {failure}"

    def _labels(self) -> list[str]:
        """What tells the curves apart, the model always."""
        labels = []
        for case in self._cases:
            words = [case.model]
            if len(self.datasets) > 1:
                words.append(case.dataset)
            if len(self.occluders) > 1:
                words.append(case.occluder)
            if len(self.seeds) > 1:
                words.append(f"seed {case.seed}")
            labels.append(", ".join(words))
        return labels

    @property
    def _cases(self) -> list[Case]:
        return [curve.clean.case for curve in self.curves]

    def _only(self, names: tuple[Name, ...]) -> Curve:
        found = self._with(names)
        if len(found) > 1:
            shown = ", ".join(map(repr, names))
            raise NotMeasuredError(
                f"Expected names that one curve has, got [{shown}], which"
                f" {len(found)} have. Add the name of a model, data set or occluder, or"
                " the number of a seed."
            )
        return found[0]

    def _with(self, names: tuple[Name, ...]) -> list[Curve]:
        """The curves that have all of the names; `NotMeasuredError` if there is none."""
        found = list(self.curves)
        for name in names:
            found = [curve for curve in found if name in _names_of(curve.clean.case)]
        # `patches` stands for `patches(fill=mean)` where there is no `patches` itself.
        if not found:
            found = list(self.curves)
            for name in names:
                found = [
                    curve for curve in found if name in _all_names_of(curve.clean.case)
                ]
        if not found:
            raise self._unknown(names)
        return found

    def _unknown(self, names: tuple[Name, ...]) -> NotMeasuredError:
        known = [*self.models, *self.datasets, *self.occluders]
        unknown = [name for name in names if name not in known]
        close = [word for name in unknown for word in close_words(str(name), known)]
        shown = ", ".join(map(repr, names))
        hint = did_you_mean(close) or f"Known: {', '.join(known) or 'none'}."
        return NotMeasuredError(
            f"Expected names of a measured curve, got [{shown}]. {hint}"
        )


def _names_of(case: Case) -> tuple[Name, ...]:
    return case.model, case.dataset, case.occluder, case.seed


def _all_names_of(case: Case) -> tuple[Name, ...]:
    """Its names, and those of its data set and occluder without parameters."""
    bare = [name.partition("(")[0] for name in (case.dataset, case.occluder)]
    return (*_names_of(case), *bare)
