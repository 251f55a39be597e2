"""Lines to draw or tabulate: Recall@k and its retention over the level, with bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..core.cases import Direction, Family
from ..core.errors import ConfigError
from ..core.names import parse_call
from ..core.verdict import VerdictName
from ._text import level_text, percent, short

_SEVERITY_GAP = 0.05
"""A level is a severity where it hides a share of the image that differs by more."""
EXACT = 0.01
"""By so much of the image a share may differ from its level and be called by it."""


@dataclass(frozen=True)
class Point:
    """A number at one level, with its 95 % interval; None where it is not known."""

    level: float
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """One model on a data set under a perturbation in one direction at one k.

    It goes over the levels, and takes the seeds together.
    """

    model: str
    dataset: str
    occluder: str
    """The name of the perturbation, whatever its family."""
    direction: Direction
    k: int
    seeds: tuple[int, ...]
    recall: tuple[Point, ...]
    """Rising in level. The mean over the seeds, where there are several."""
    retention: tuple[Point, ...]
    """Recall@k divided by that at level 0; empty where that is not above chance or was
    not measured.
    """
    achieved: tuple[float, ...]
    """What share of the image was hidden at each level; of other families the severity."""
    verdicts: tuple[VerdictName, ...]
    """The worst that a gate on recall or retention says of each level."""
    queries: int
    gallery: int
    chance: float | None
    ceiling: float | None
    auc: float | None
    half_level: float | None
    half_interval: tuple[float, float | None] | None
    """(lower, upper) with None above where it may lie beyond what was measured; None
    where nothing is known.
    """
    slope: float | None
    is_at_chance: bool
    """Whether there was nothing to lose: with nothing hidden it retrieves no better than chance."""
    family: Family = "occlusion"
    missing: tuple[float, ...] = ()
    """The levels of the run at which there is no outcome: it failed, or was not reached."""
    altered: tuple[float | None, ...] = ()
    """The share of the images or reports that was changed at each level, the least of the
    seeds; None where it is not counted.
    """

    @property
    def unaltered_at(self) -> tuple[float, ...]:
        """The severities at which nothing was changed."""
        pairs = zip(self.recall, self.altered, strict=False)
        return tuple(point.level for point, share in pairs if share == 0)

    @property
    def last_retention(self) -> float | None:
        """What is kept at the highest level."""
        return self.retention[-1].value if len(self.retention) > 1 else None

    @property
    def is_severity(self) -> bool:
        """Whether the levels of an occluder are severities, whose numbers are not the
        shares they hide.
        """
        if self.family != "occlusion":
            return False
        # An occluder hides whole cells: with large ones a share is off by up to a cell.
        tolerance = max(_SEVERITY_GAP, _cell_share(self.occluder))
        return any(gap > tolerance for gap in self._gaps())

    @property
    def is_coarse(self) -> bool:
        """Whether the cells are too large for the shares that the levels ask for."""
        is_exact = self.is_severity or self.family != "occlusion"
        return not is_exact and any(gap > EXACT for gap in self._gaps())

    def _gaps(self) -> list[float]:
        """How far the hidden share is from each level."""
        pairs = zip(self.recall, self.achieved, strict=True)
        return [abs(point.level - share) for point, share in pairs]

    def level_words(self, place: int) -> str:
        """What the level at that place is.

        `nothing hidden`, `30 % hidden`, `severity 30 % (1.5 % hidden)`, or with large
        cells `33.3 % hidden (requested: 30 %)`; of other families `clean` and
        `severity 0.6`.
        """
        level = self.recall[place].level
        achieved = self.achieved[place]
        if self.family != "occlusion":
            return f"severity {level:g}" if level > 0 else "clean"
        if level == 0:
            return "nothing hidden"
        if self.is_severity:
            return f"severity {level_text(level)} ({percent(achieved)} % hidden)"
        if abs(level - achieved) <= EXACT:
            return f"{level_text(level)} hidden"
        return f"{percent(achieved)} % hidden (requested: {level_text(level)})"


def what_is_hidden(series: Iterable[Series]) -> Iterator[str]:
    """A sentence for each occluder whose levels are not the shares that it hides."""
    unlike = {line.occluder: line for line in series if _differs(line)}
    for occluder, line in unlike.items():
        if line.is_severity:
            most = percent(max(line.achieved))
            yield f"At its highest severity {short(occluder)} hides {most} % of the image."
        else:
            shares = ", ".join(map(percent, line.achieved))
            yield f"The cells of {short(occluder)} are large: it hides {shares} %."


def _differs(line: Series) -> bool:
    return line.is_severity or line.is_coarse


def _cell_share(occluder: str) -> float:
    """What share of the image one cell of its grid is, as far as its name says."""
    try:
        grid = parse_call(occluder)[1].get("grid", "")
    except ConfigError:
        return 0.0
    if not grid.isdecimal() or int(grid) == 0:
        return 0.0
    return 1 / int(grid) ** 2
