"""What the page's switches choose: a data set, a perturbation of each family, a direction,
a k, a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ...core.cases import DIRECTIONS, Family
from .._text import short
from ..series import Series

AXES: Mapping[Family, str] = {
    "occlusion": "occluder",
    "corruption": "corruption",
    "text-noise": "noise",
}
"""Family -> the switch that chooses among its members."""


@dataclass(frozen=True)
class View:
    """Where a part of the page is shown; None where it does not depend on that switch."""

    dataset: int | None = None
    occluder: int | None = None
    direction: int | None = None
    k: int | None = None
    model: int | None = None
    corruption: int | None = None
    noise: int | None = None

    def attributes(self, chosen: View) -> Markup:
        """Those that the page's script reads; `data-on` where it is shown at first."""
        own = {name: value for name, value in vars(self).items() if value is not None}
        at_first = all(getattr(chosen, name) == value for name, value in own.items())
        words = "".join(f' data-{name}="{value}"' for name, value in own.items())
        mark = " data-on" if at_first else ""
        return Markup(f"data-view{words}{mark}")


@dataclass(frozen=True)
class Option:
    value: int
    label: str


@dataclass(frozen=True)
class Switches:
    """The names that numbers stand for, and what is chosen at first."""

    models: tuple[str, ...]
    datasets: tuple[str, ...]
    occluders: tuple[str, ...]
    ks: tuple[int, ...]
    corruptions: tuple[str, ...] = ()
    noises: tuple[str, ...] = ()

    @classmethod
    def of(cls, series: Sequence[Series]) -> Switches:
        """Those of a run; each has the names in the order of the run."""

        def named(family: Family) -> tuple[str, ...]:
            names = (line.occluder for line in series if line.family == family)
            return tuple(dict.fromkeys(names))

        return cls(
            models=tuple(dict.fromkeys(line.model for line in series)),
            datasets=tuple(dict.fromkeys(line.dataset for line in series)),
            occluders=named("occlusion"),
            corruptions=named("corruption"),
            noises=named("text-noise"),
            ks=tuple(sorted({line.k for line in series})),
        )

    @property
    def chosen(self) -> View:
        largest_k = self.ks[-1] if self.ks else 0
        return View(
            dataset=0,
            occluder=0,
            direction=0,
            k=largest_k,
            model=0,
            corruption=0,
            noise=0,
        )

    def options(self, axis: str) -> list[Option]:
        if axis == "k":
            return [Option(k, str(k)) for k in self.ks]
        if axis == "direction":
            return [
                Option(place, name.replace("-", " "))
                for place, name in enumerate(DIRECTIONS)
            ]
        names = self.names(axis)
        return [Option(place, short(name)) for place, name in enumerate(names)]

    def names(self, axis: str) -> tuple[str, ...]:
        """The names of an axis that has any."""
        names: tuple[str, ...] = getattr(self, f"{axis}s")
        return names

    def view_of(self, line: Series, *axes: str) -> View:
        """The view of a series, of these axes alone."""
        own_axis = AXES[line.family]
        places = {
            "dataset": self.datasets.index(line.dataset),
            own_axis: self.names(own_axis).index(line.occluder),
            "direction": DIRECTIONS.index(line.direction),
            "k": line.k,
            "model": self.models.index(line.model),
        }
        return View(**{axis: places[axis] for axis in axes})
