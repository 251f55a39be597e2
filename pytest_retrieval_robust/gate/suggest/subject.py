"""A model on a data set: its numbers, how far they may fall together, and their limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

import numpy as np

from ...core.cases import DIRECTIONS, Direction
from ...core.counterfactual_outcomes import CounterfactualOutcome
from ...core.verdict import GateKind
from ...retrieval.bootstrap import Clusters
from ...retrieval.curve import Curve
from ..curve_statistics import Floats
from ..limits import Floor
from ..pairing import Run
from .asked import Asked
from .edits import edit_gates, suggested_of_edits
from .least import (
    confidence_at,
    floor_of_curve,
    floor_of_half_level,
    floor_of_share,
)
from .margins import suggested_margin
from .numbers import Number, columns_of, numbers_of
from .shared_risk import deviate_of_one, shared_deviate
from .suggested import Place, Suggested

_SHOWN_CONFIDENCE = 0.975
"""Of each end of an interval of 95 %."""


@dataclass(frozen=True, repr=False)
class Subject:
    """A model on a data set, in a run."""

    run: Run
    asked: Asked
    model: str
    dataset: str

    @cached_property
    def curves(self) -> list[Curve]:
        """Those of every perturbation and seed."""
        cases = [(curve, curve.clean.case) for curve in self.run.measured.curves]
        subject = (self.model, self.dataset)
        return [curve for curve, case in cases if (case.model, case.dataset) == subject]

    @property
    def patients(self) -> tuple[int, int]:
        """(patients, queries) of the direction that has fewer patients."""
        pairs = []
        for direction in DIRECTIONS:
            queries = self.curves[0].clean.scores(direction).queries
            pairs.append((self._patients(direction, queries), queries))
        return min(pairs)

    @property
    def gates(self) -> int:
        """How many gates share the risk: each seed counts."""
        edits = edit_gates(self._edits) if self._has_edits else 0
        return self._floors + len(self._pooled_curves) + edits

    def suggested(self, gates: int) -> Iterator[Suggested]:
        """Its limits, where so many gates of the model share the risk."""
        yield from self._suggested_floors(self.asked.risk * self._floors / gates)
        alone = deviate_of_one(self.asked.risk, gates)
        for curves, direction in self._pooled_curves:
            yield from suggested_margin(
                curves, direction, self.run.evidence, self.asked, alone
            )
        if self._has_edits:
            yield from suggested_of_edits(self._edits, self.asked, alone)

    # Floors

    @cached_property
    def _numbers(self) -> list[tuple[Curve, Direction, list[Number]]]:
        """The numbers of each curve and direction; level 0 is that of the first curve."""
        numbers = []
        for curve in self.curves:
            for direction in self.asked.directions:
                of_curve = numbers_of(
                    curve,
                    direction,
                    self.asked.ks,
                    self.asked.per,
                    is_whole=self._is_whole(curve),
                )
                is_first = curve is self.curves[0]
                new = [
                    number
                    for number in of_curve
                    if is_first or not number.is_of_the_clean_cell
                ]
                numbers.append((curve, direction, new))
        return numbers

    @property
    def _floors(self) -> int:
        return sum(len(numbers) for _, _, numbers in self._numbers)

    def _columns(self) -> Iterator[Floats]:
        for curve, direction, numbers in self._numbers:
            yield from columns_of(numbers, curve, direction, self.run.evidence)

    def _suggested_floors(self, risk: float) -> Iterator[Suggested]:
        """One per number; of several seeds the least, because no selector tells them
        apart.
        """
        deviate = shared_deviate(self._columns(), risk)
        of_seeds: dict[tuple[Place, GateKind, int], list[Suggested | None]] = {}
        for _, _, numbers in self._numbers:
            for number in numbers:
                key = (number.place, number.kind, number.k)
                of_seeds.setdefault(key, []).append(self._floor(number, deviate))
        for floors in of_seeds.values():
            known = [floor for floor in floors if floor is not None]
            # What one seed cannot meet would fail the others' gate too.
            if len(known) == len(floors):
                yield _lowest(known)

    def _floor(self, number: Number, deviate: float) -> Suggested | None:
        floor = self._minimum(number, deviate)
        shown = number.estimate(self.run.evidence, _SHOWN_CONFIDENCE)
        # A floor of 0 would take a broader gate away.
        if not floor or shown is None:
            return None
        # A half level that is not reached counts as the last level, to the gate too.
        last = number.curve.levels[-1] if number.kind is GateKind.HALF_LEVEL else 1.0
        return Suggested(
            number.place,
            Floor(number.kind, number.k, floor),
            min(shown.value, last),
            (min(shown.low, last), min(shown.high, last)),
            number.queries,
            self._patients(number.direction, number.queries),
        )

    def _minimum(self, number: Number, deviate: float) -> float | None:
        """The floor of a number; None where its bounds are unknown."""
        evidence = self.run.evidence
        decide = self.asked.decide
        confidence = self.asked.confidence
        if number.kind is GateKind.HALF_LEVEL:
            recalls = number.recalls(evidence)
            if recalls is None:
                return None
            values = number.curve.recall(number.k, number.direction).values()
            return floor_of_half_level(
                number.curve.levels,
                np.array([list(values)]),
                recalls,
                self._clusters(number.direction, number.queries).patient_sizes,
                deviate,
                decide,
                confidence,
            )
        far = number.estimate(evidence, confidence_at(deviate))
        if far is None:
            return None
        if number.kind is GateKind.RECALL:
            return floor_of_share(far, deviate, decide, confidence)
        near = number.estimate(evidence, confidence)
        if near is None:
            return None
        return floor_of_curve(far, near, decide, confidence)

    def _patients(self, direction: Direction, queries: int) -> int:
        return self._clusters(direction, queries).count

    def _clusters(self, direction: Direction, queries: int) -> Clusters:
        return self.run.evidence.clusters(self.dataset, direction, queries)

    def _is_whole(self, curve: Curve) -> bool:
        return curve.levels == self.run.measured.plan.levels_of(curve.family)

    # Beside a baseline

    @cached_property
    def _pooled_curves(self) -> list[tuple[list[Curve], Direction]]:
        """The curves that one gate pools, one per seed, and its direction."""
        if self.asked.per == "cell":
            return []
        whole = [each for each in self.curves if self._is_whole(each)]
        whole = [each for each in whole if len(each.outcomes) > 1]
        gates = []
        for _, group in groupby(sorted(whole, key=_perturbation), key=_perturbation):
            curves = list(group)
            # A gate that lacks a seed is not judged.
            if len(curves) == len(self.run.measured.plan.seeds):
                gates += [(curves, direction) for direction in self.asked.directions]
        return gates

    # Edits

    @property
    def _has_edits(self) -> bool:
        """Edited reports are compared with images: their gates have that direction."""
        return DIRECTIONS[0] in self.asked.directions

    @cached_property
    def _edits(self) -> list[CounterfactualOutcome]:
        """Those of clean images and, unless numbers are pooled, of each cell."""
        subject = (self.model, self.dataset)
        return [
            outcome
            for outcome in self.run.measured.counterfactuals
            if (outcome.case.model, outcome.case.dataset) == subject
            and (outcome.case.level == 0 or self.asked.per != "pooled")
        ]


def _perturbation(curve: Curve) -> tuple[str, str]:
    return curve.family, curve.clean.case.occluder


def _lowest(floors: Sequence[Suggested]) -> Suggested:
    """The lowest of the floors of several seeds."""

    def minimum(suggested: Suggested) -> float:
        assert isinstance(suggested.limit, Floor)
        return suggested.limit.minimum

    return replace(min(floors, key=minimum), seeds=len(floors))
