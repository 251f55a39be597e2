"""Cells whose reports are changed: the images of level 0 are ranked with other reports.

Only reports are encoded, one gallery at a time, so that memory holds one beside that of
level 0.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...core.cases import CLEAN
from .altered import altered_texts
from .cell_errors import cell_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from ...core.cases import Cell
    from ...core.errors import RobustError
    from ...core.outcomes import Timing
    from .conclude import CellRanking
    from .engine import SweepEngine
    from .gathered import CellBatches
    from .results import Measured


@dataclass(frozen=True, eq=False, repr=False)
class NoisedReports:
    """Measures the cells of a sweep that change reports.

    Args:
        ranking: What every cell is ranked with.
        engine: Encodes the changed reports.
        readable: Keeps of a gallery the rows of the reports that are ranked.
    """

    ranking: CellRanking
    engine: SweepEngine
    readable: Callable[[Tensor], Tensor]

    def measure(
        self, clean: CellBatches
    ) -> Iterator[tuple[Cell, Measured | RobustError]]:
        """Each cell with its result; `clean` are the images of level 0."""
        plan = self.ranking.plan
        if clean.error is not None:
            for cell in plan.noises:
                yield cell, clean.error
            return
        if not plan.noises:
            return
        images = self.ranking.image_rows(clean)
        for cell in plan.noises:
            yield cell, self._measured(cell, images)

    def _measured(self, cell: Cell, images: Tensor) -> Measured | RobustError:
        plan = self.ranking.plan
        errors: list[RobustError] = []
        with cell_errors(plan.model, plan.noises[cell], errors.append):
            started = time.perf_counter()
            rows = self.engine.gallery(self.ranking.spill.space, cell)
            seconds = time.perf_counter() - started
            timing = self._timing(seconds)
            measured = self.ranking.ranked(cell, images, self.readable(rows), timing)
            altered = altered_texts(
                plan.pairs.texts, plan.texts_of(cell), self.ranking.pairs.texts
            )
            return replace(measured, altered=altered)
        return errors[0]

    def _timing(self, seconds: float) -> Timing:
        """No image was encoded: the seconds are those of reports, or of the store."""
        nothing = self.engine.timing(CLEAN, 0, 0)
        return replace(nothing, encode_seconds=seconds, occlude_seconds=0.0)
