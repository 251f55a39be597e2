"""The numbers of a run that floors can guard, with their resamples and estimates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.cases import Direction
from ...core.verdict import GateKind
from ...retrieval.curve import Curve
from ...retrieval.intervals import Estimate
from ..curve_statistics import Floats, statistic
from ..evidence import Evidence
from .asked import Per
from .suggested import Place

_STEPS = 8
"""Places per level at which a curve is held above half of its clean recall."""


@dataclass(frozen=True, repr=False)
class Number:
    """Recall@k of a cell, or what is made of the recalls of a curve."""

    kind: GateKind
    k: int
    direction: Direction
    curve: Curve
    """Up to the level that it is about: retention looks at its ends, recall at its end."""

    @property
    def place(self) -> Place:
        case = self.curve.outcomes[-1].case
        if self.kind.is_of_a_curve:
            return Place.over_levels(case, self.direction)
        return Place.of_cell(case, self.direction)

    @property
    def queries(self) -> int:
        return self.curve.clean.scores(self.direction).queries

    @property
    def is_of_the_clean_cell(self) -> bool:
        """Whether it is the same for all perturbations and seeds."""
        return len(self.curve.outcomes) == 1

    def estimate(self, evidence: Evidence, confidence: float) -> Estimate | None:
        """Its value and bounds as a gate has them; None without ranks."""
        if self.kind is GateKind.RECALL:
            outcome = self.curve.outcomes[-1]
            return evidence.recall(outcome, self.direction, self.k, confidence)
        return evidence.of_curve(
            self.curve, self.direction, self.k, self.kind.value, confidence
        )

    def recalls(self, evidence: Evidence) -> Floats | None:
        """(B, L) recalls of its curve in resamples of the patients; None without ranks."""
        ks = sorted(self.curve.clean.scores(self.direction).recall)
        samples = evidence.samples(self.curve.outcomes, self.direction, ks)
        return None if samples is None else samples[:, :, ks.index(self.k)]

    def columns(self, recalls: Floats) -> Floats:
        """(B, V) what must not fall for it to be kept, of (B, L) recalls of its curve in
        resamples of the patients. V is 0 where it has no value in some of them.
        """
        if self.kind is GateKind.RECALL:
            return recalls[:, -1:]
        if self.kind is GateKind.HALF_LEVEL:
            return above_half(self.curve.levels, recalls)
        values = statistic(self.kind.value, self.curve.levels, recalls)
        return values[:, None] if np.isfinite(values).all() else recalls[:, :0]


def refined(levels: Sequence[float]) -> tuple[Floats, Floats]:
    """(M,) the levels with others between them, and (L, M) weights that interpolate values
    at the levels linearly.
    """
    places = np.linspace(0, len(levels) - 1, _STEPS * (len(levels) - 1) + 1)
    weights = np.maximum(0.0, 1 - np.abs(places - np.arange(len(levels))[:, None]))
    return np.array(levels) @ weights, weights


def above_half(levels: Sequence[float], recalls: Floats) -> Floats:
    """(B, M) how far recalls, (B, L), lie above half of that at level 0, at `refined`
    levels.

    The half level is where this first becomes 0. Unlike that level it varies evenly, and
    it exists where half of the recall is not lost.
    """
    _, weights = refined(levels)
    above: Floats = recalls @ weights - recalls[:, :1] / 2
    return above


def numbers_of(
    curve: Curve, direction: Direction, ks: Sequence[int], per: Per, *, is_whole: bool
) -> Iterator[Number]:
    """The numbers of a curve, those of level 0 first.

    One that lacks a planned level has no number over all levels.
    """
    for k in ks:
        yield Number(GateKind.RECALL, k, direction, Curve((curve.clean,)))
    hidden = () if per == "pooled" else curve.outcomes[1:]
    for outcome in hidden:
        cell = Curve((curve.clean, outcome))
        for kind in (GateKind.RECALL, GateKind.RETENTION):
            for k in ks:
                yield Number(kind, k, direction, cell)
    if per != "cell" and is_whole and len(curve.outcomes) > 1:
        for kind in (GateKind.AUC, GateKind.HALF_LEVEL):
            for k in ks:
                yield Number(kind, k, direction, curve)


def columns_of(
    numbers: Sequence[Number], curve: Curve, direction: Direction, evidence: Evidence
) -> Iterator[Floats]:
    """The columns of all numbers of a curve in one direction, (B,) each, in the same
    resamples of the patients.
    """
    ks = sorted(curve.clean.scores(direction).recall)
    samples = evidence.samples(curve.outcomes, direction, ks)
    if samples is None:
        return
    places = {outcome.case: place for place, outcome in enumerate(curve.outcomes)}
    for number in numbers:
        levels = [places[outcome.case] for outcome in number.curve.outcomes]
        yield from number.columns(samples[:, levels, ks.index(number.k)]).T
