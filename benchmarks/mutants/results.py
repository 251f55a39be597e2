"""What became of mutants: a table, and the survivors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .areas import AREAS, area_of

_KILLED = ("killed", "timeout", "segfault", "suspicious")
"""A mutant that ends the process or never ends is noticed too."""


@dataclass(frozen=True)
class Row:
    """The mutants of one area."""

    area: str
    made: int
    statuses: Mapping[str, int]
    """How many of those that were tried ended how."""

    @property
    def tried(self) -> int:
        return sum(self.statuses.values())

    @property
    def killed(self) -> int:
        return sum(self.statuses.get(status, 0) for status in _KILLED)

    @property
    def survived(self) -> int:
        return self.tried - self.killed


def rows_of(statuses: Mapping[str, str | None]) -> list[Row]:
    """A row per area, in the order of `AREAS`, of mutmut's word for each mutant; None for one
    that was not tried.
    """
    made = Counter(map(area_of, statuses))
    tried: dict[str, Counter[str]] = {area: Counter() for area in AREAS}
    for mutant, status in statuses.items():
        if status is not None:
            tried[area_of(mutant)][status] += 1
    return [Row(area, made[area], tried[area]) for area in AREAS if made[area]]


def survivors(statuses: Mapping[str, str | None]) -> list[str]:
    """The names of mutants that no test noticed."""
    return sorted(
        mutant
        for mutant, status in statuses.items()
        if status is not None and status not in _KILLED
    )


def nothing_left(areas: Iterable[str]) -> str:
    """What to do where each mutant that was asked for has a result."""
    return (
        f"Expected mutants to try of {', '.join(areas)}, got none that was not tried. A"
        " larger --sample (0 is all) has more; --again tries those that survived."
    )


def table(rows: Sequence[Row]) -> str:
    """In Markdown, with the 95 % interval of the share where only some were tried."""
    lines = [
        "| area | made | tried | killed | survived | share killed |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [_line(row) for row in rows]
    statuses = sum((Counter(row.statuses) for row in rows), Counter[str]())
    lines.append(_line(Row("all", sum(row.made for row in rows), statuses)))
    return "\n".join(lines)


def _line(row: Row) -> str:
    cells: Iterable[object] = (
        row.area,
        f"{row.made:,}",
        f"{row.tried:,}",
        f"{row.killed:,}",
        f"{row.survived:,}",
        _share(row),
    )
    return f"| {' | '.join(map(str, cells))} |"


def _share(row: Row) -> str:
    if not row.tried:
        return "none tried"
    share = f"{100 * row.killed / row.tried:.0f} %"
    if row.tried == row.made:
        return share
    # Late: mutants have to be made before any copy of the package is imported.
    from pytest_retrieval_robust.retrieval.intervals import wilson_interval

    low, high = wilson_interval(row.killed, row.tried)
    return f"{share} ({100 * low:.0f} to {100 * high:.0f})"
