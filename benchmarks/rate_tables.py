"""Rates of events among simulated pairs, beside what is promised, as tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pytest_retrieval_robust.retrieval.intervals import wilson_interval

Range = tuple[float, float]
CERTAIN = 0.999
"""A rate is outside of what is promised where its interval at this confidence is."""
NEAR = 0.03
"""How far a rate may be from theory."""


@dataclass(frozen=True)
class Rate:
    """A share of pairs, and the range that it is promised to be in."""

    hits: int
    of: int
    promised: Range | None = None

    @property
    def is_as_promised(self) -> bool:
        if self.promised is None:
            return True
        low, high = wilson_interval(self.hits, self.of, CERTAIN)
        return low <= self.promised[1] and high >= self.promised[0]

    def __str__(self) -> str:
        low, high = wilson_interval(self.hits, self.of)
        share = f"{100 * self.hits / self.of:.1f} ({100 * low:.1f} to {100 * high:.1f})"
        return share if self.is_as_promised else f"**{share}**"


@dataclass
class Tally:
    """What happened in each pair, and what theory says of it."""

    events: dict[str, list[bool]] = field(default_factory=dict)
    theories: dict[str, list[float]] = field(default_factory=dict)

    def add(self, event: str, happened: bool, theory: float = 0.0) -> None:
        self.events.setdefault(event, []).append(bool(happened))
        self.theories.setdefault(event, []).append(theory)

    def rate(self, event: str, promised: Range | None = None) -> Rate:
        return Rate(sum(self.events[event]), len(self.events[event]), promised)

    def theory(self, event: str) -> float:
        return sum(self.theories[event]) / len(self.theories[event])

    def beside_theory(self, event: str) -> tuple[Rate, str]:
        """A rate that is promised to be near theory, and theory."""
        theory = self.theory(event)
        return self.rate(event, (theory - NEAR, theory + NEAR)), f"{100 * theory:.1f}"


Row = tuple[Rate | str, ...]


@dataclass(frozen=True)
class Table:
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def outside(self) -> int:
        """How many rates are outside of what is promised."""
        return sum(not rate.is_as_promised for rate in self._rates())

    def _rates(self) -> Iterator[Rate]:
        for row in self.rows:
            for cell in row:
                if isinstance(cell, Rate):
                    yield cell

    def __str__(self) -> str:
        rule = ("---",) * len(self.columns)
        lines = [f"{self.title}\n"]
        for cells in (self.columns, rule, *self.rows):
            lines.append(f"| {' | '.join(map(str, cells))} |")
        return "\n".join(lines)
