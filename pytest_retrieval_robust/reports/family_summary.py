"""One row per corruption or text noise: the mean over severities, and the worst of them.

A run may have twenty corruptions: their curves stand in longer forms alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from ..core.cases import DIRECTIONS, Case, Family
from ..core.verdict import VerdictName
from ..core.words import counted
from .series import Point, Series

FAMILY_TITLES: dict[Family, str] = {
    "occlusion": "occlusion",
    "corruption": "corruptions",
    "text-noise": "text noise",
}
FAMILY_SUBJECTS: dict[Family, str] = {
    "occlusion": "occluder",
    "corruption": "corruption",
    "text-noise": "text noise",
}
"""What one member of a family is called."""
_MOST_NAMED = 2
"""Severities that are named where they were not measured: a line has 80 places."""
_WORST_FIRST: tuple[VerdictName, ...] = ("fail", "inconclusive", "pass", "ungated")


@dataclass(frozen=True)
class FamilyRow:
    """One model under one perturbation, in one direction at one k."""

    series: Series
    clean: float | None
    """Recall at severity 0."""
    mean: float | None
    """The mean of Recall over the severities above 0, each counted once; None with holes."""
    worst: Point | None
    """The severity above 0 with the lowest recall, the lowest severity among equals; None
    with holes.
    """
    holes: tuple[float, ...]
    """The severities above 0 of the run that were not measured. What is said of the others
    together would be another number.
    """
    fails_from: float | None
    """The smallest severity whose gate on recall or retention is not met; None where
    all are met, or none is gated.
    """
    verdict: VerdictName
    """The worst that these gates say of any severity."""

    @property
    def unaltered(self) -> str | None:
        """`nothing changed at severity 0.2, 0.4`; None where something always was."""
        levels = ", ".join(f"{level:g}" for level in self.series.unaltered_at)
        return f"nothing changed at severity {levels}" if levels else None

    @property
    def without(self) -> str | None:
        """What is said in place of the numbers over all severities; None without holes."""
        if not self.holes:
            return None
        if len(self.holes) > _MOST_NAMED:
            count = counted(len(self.holes), "severity", "severities")
            return f"not measured at {count}"
        return f"not measured at {', '.join(f'{level:g}' for level in self.holes)}"

    @property
    def kept(self) -> float | None:
        """The mean as a share of Recall at severity 0; None where that is at chance."""
        is_known = self.mean is not None and self.clean is not None
        if not is_known or not self.series.retention or not self.clean:
            return None
        assert self.mean is not None
        return self.mean / self.clean


@dataclass(frozen=True)
class FamilyTable:
    """The rows of one data set and family, in one direction at one k."""

    family: Family
    dataset: str
    rows: tuple[FamilyRow, ...]
    severities: tuple[float, ...]
    """Those above 0 that any row has: what the mean is over."""


def family_row(line: Series) -> FamilyRow:
    """The summary of one series."""
    points = [point for point in line.recall if point.level > 0]
    values = [point.value for point in points if point.value is not None]
    unknown = [point.level for point in points if point.value is None]
    holes = {*unknown, *line.missing} - {0.0}
    is_whole = bool(values) and not holes
    first = line.recall[0]
    verdicts = list(zip(line.recall, line.verdicts, strict=True))
    failed = [point.level for point, verdict in verdicts if verdict == "fail"]
    return FamilyRow(
        line,
        clean=first.value if first.level == 0 else None,
        mean=fmean(values) if is_whole else None,
        worst=min(points, key=lambda point: point.value or 0.0) if is_whole else None,
        holes=tuple(sorted(holes)),
        fails_from=min(failed, default=None),
        verdict=min(line.verdicts, key=_WORST_FIRST.index, default="ungated"),
    )


def family_tables(
    series: Iterable[Series], direction: str = DIRECTIONS[0], k: int | None = None
) -> Iterator[FamilyTable]:
    """A table per data set and family but occlusions, by default of the largest k."""
    lines = [line for line in series if line.family != "occlusion"]
    chosen_k = k or max((line.k for line in lines), default=0)
    groups: dict[tuple[str, Family], list[FamilyRow]] = {}
    for line in lines:
        if line.direction == direction and line.k == chosen_k:
            rows = groups.setdefault((line.dataset, line.family), [])
            rows.append(family_row(line))
    for (dataset, family), rows in groups.items():
        levels = {point.level for row in rows for point in row.series.recall}
        severities = tuple(sorted(levels - {0.0}))
        yield FamilyTable(family, dataset, tuple(rows), severities)


def heads_for(cases: Iterable[Case], heads: Sequence[str]) -> list[str]:
    """The heads of a table of these cases, which calls what was done `occluder` only
    where nothing else was done.
    """
    if all(case.family == "occlusion" for case in cases):
        return list(heads)
    return ["perturbation" if head == "occluder" else head for head in heads]
