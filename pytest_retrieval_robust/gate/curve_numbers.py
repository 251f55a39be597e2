"""A curve in one direction, and the ranks behind it: what floors are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.cases import Case, Direction
from ..core.outcomes import Outcome
from ..retrieval.curve import Curve

if TYPE_CHECKING:
    from .evidence import Evidence


@dataclass(frozen=True, repr=False)
class CurveNumbers:
    """What a floor is held against: a curve in one direction, and the ranks behind it.

    A single cell is a curve too: of level 0 and the cell's level, or of level 0 alone.
    """

    curve: Curve
    direction: Direction
    evidence: Evidence | None
    """The run's ranks: without them only recall has bounds."""

    @property
    def case(self) -> Case:
        """The case that stands for the whole curve: its highest level."""
        return self.last.case

    @property
    def last(self) -> Outcome:
        return self.curve.outcomes[-1]
