"""Recall of one cell in a candidate's run and in a baseline's, on the same queries."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.cases import Case, Direction, Json
from .paired_hits import PairedHits


@dataclass(frozen=True)
class CellDifference:
    """Recall@k of one cell in both runs."""

    case: Case
    direction: Direction
    k: int
    candidate: float
    baseline: float
    low: float
    high: float
    """Two-sided 95 % interval of candidate - baseline."""
    wins: int
    losses: int
    """Queries that the candidate alone, and the baseline alone, hit."""
    p: float
    """Two-sided: exact McNemar; where patients repeat, the score test with their design effect."""

    @property
    def value(self) -> float:
        return self.candidate - self.baseline

    def as_json(self) -> Json:
        return {
            "case": self.case.as_json(),
            "direction": self.direction,
            "k": self.k,
            "candidate": self.candidate,
            "baseline": self.baseline,
            "difference": self.value,
            "interval": [self.low, self.high],
            "wins": self.wins,
            "losses": self.losses,
            "p": self.p,
        }


def cell_difference(
    case: Case, direction: Direction, k: int, hits: PairedHits
) -> CellDifference:
    counts = hits.discordant()
    low, high = counts.bounds(0.025)
    return CellDifference(
        case,
        direction,
        k,
        candidate=float(hits.candidate.mean()),
        baseline=float(hits.baseline.mean()),
        low=low,
        high=high,
        wins=int(counts.wins),
        losses=int(counts.losses),
        p=counts.p,
    )
