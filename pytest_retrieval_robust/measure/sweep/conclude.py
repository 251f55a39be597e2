"""From the gathered embeddings of a cell to its ranks, scores and shares."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray

from ...core.cases import CLEAN, DIRECTIONS, Cell
from ...core.errors import EmbeddingError, RobustError
from ...retrieval.metrics.named import values_of
from .altered import altered_share
from .answers import Lists, Rows, answers_of, lists_of
from .cell_errors import cell_errors
from .gallery import require_variety
from .results import Measured
from .scores import Ranks, both_scores, ranks_of

if TYPE_CHECKING:
    from torch import Tensor

    from ...core.outcomes import Scores, Timing
    from ..counterfactual.numbers import CounterfactualRanking
    from ..pairs import Pairs
    from .gathered import CellBatches
    from .plan import SweepPlan
    from .spill import Spill, Waiting


@dataclass(frozen=True, eq=False, repr=False)
class CellRanking:
    """What every cell is ranked with, once all batches are gathered."""

    plan: SweepPlan
    pairs: Pairs
    """The readable images, and the reports that are right for one of them."""
    reports: Tensor
    """(G, D) the embeddings of these reports."""
    spill: Spill
    timing: Callable[[Cell, int, int], Timing]
    """The time of a cell, from how many images were encoded and how many there are."""
    counterfactual: CounterfactualRanking | None = None
    """Compares the images with edited reports too."""
    _clean_lists: list[Lists] = field(default_factory=list, init=False)
    """The answers with nothing done, once that cell is ranked: it is the first."""
    _counts: dict[tuple[tuple[str, int], ...], dict[str, int]] = field(
        default_factory=dict, init=False
    )
    """By hardware, how many images it encoded: mostly the same in all cells."""

    def conclude(self, cell: Cell, gathered: CellBatches) -> Measured | RobustError:
        """The measured cell, or the error that it ended with."""
        if gathered.error is None:
            change = self.plan.changes.get(cell)
            report = partial(gathered.fail, 0)
            with cell_errors(self.plan.model, change, report):
                return self._measured(cell, gathered)
        assert gathered.error is not None
        return gathered.error

    def image_rows(self, gathered: CellBatches) -> Tensor:
        """(N, D) the rows of a cell's images, in the order of the data, whichever lane
        was first.
        """
        return torch.from_numpy(
            self._joined([batch.rows for batch in gathered.in_order])
        )

    def _measured(self, cell: Cell, gathered: CellBatches) -> Measured:
        batches = gathered.in_order
        rows = self.image_rows(gathered)
        count = len(rows)
        if cell == CLEAN:
            require_variety(rows, "images", self.plan.model.name)
        timing = replace(
            self.timing(cell, gathered.encoded, count),
            encoded_on=self._encoded_on(gathered),
        )
        measured = self.ranked(cell, rows, self.reports, timing)
        if self.counterfactual is not None:
            # Of images alone: where reports are noised, edits of them would be too.
            numbers = self.counterfactual.measure(rows, measured.image_ranks)
            measured = replace(measured, counterfactual=numbers)
        if cell.family == "corruption":
            return replace(measured, altered=altered_share(batches, count))
        if cell.family != "occlusion" or cell == CLEAN:
            return measured
        shares = self._joined([batch.shares for batch in batches])
        return replace(
            measured,
            achieved_level=math.fsum(shares) / count,
            visible_level=sum(batch.visible for batch in batches) / count,
        )

    def _encoded_on(self, gathered: CellBatches) -> dict[str, int]:
        items = tuple(sorted(gathered.encoded_on.items()))
        return self._counts.setdefault(items, dict(items))

    def ranked(
        self, cell: Cell, images: Tensor, reports: Tensor, timing: Timing
    ) -> Measured:
        """A cell by the (N, D) rows of its images and the (G, D) rows of its reports. Its
        level is taken to be what was achieved.
        """
        image_ranks, report_ranks = ranks_of(
            self.plan.model, images, reports, self.pairs
        )
        image_to_report, report_to_image = both_scores(
            image_ranks, report_ranks, self.pairs, self.plan.ks
        )
        image_to_report, report_to_image = self._with_answers(
            cell,
            Rows(images, reports),
            (image_ranks, report_ranks),
            (image_to_report, report_to_image),
        )
        # A metric that fails leaves the recalls of its cell as they are.
        metrics = self.plan.metrics
        image_metrics, image_error = values_of(metrics, image_ranks)
        report_metrics, report_error = values_of(metrics, report_ranks)
        return Measured(
            achieved_level=cell.level,
            visible_level=cell.level,
            image_to_report=replace(image_to_report, metrics=image_metrics),
            report_to_image=replace(report_to_image, metrics=report_metrics),
            image_ranks=image_ranks,
            report_ranks=report_ranks,
            timing=timing,
            metric_error=image_error or report_error,
        )

    def _with_answers(
        self,
        cell: Cell,
        rows: Rows,
        ranks: tuple[Ranks, Ranks],
        scores: tuple[Scores, Scores],
    ) -> tuple[Scores, Scores]:
        """The scores of both directions, with what the lists of answers say."""
        ks = self.plan.ks
        lists = lists_of(self.plan.model, rows, ks)
        clean = self._clean_lists[0] if self._clean_lists else None
        if cell == CLEAN:
            self._clean_lists.append(lists)
        by_direction = dict(zip(DIRECTIONS, ranks, strict=True))
        answers = answers_of(lists, clean, by_direction, self.pairs, ks)
        image_to_report, report_to_image = (
            replace(of_one, answers=answers[direction])
            for direction, of_one in zip(DIRECTIONS, scores, strict=True)
        )
        return image_to_report, report_to_image

    def _joined(self, parts: Sequence[Waiting]) -> NDArray[Any]:
        """The arrays of all batches as one, without a second copy of all of them.

        They lie in a mapped file where memory is short.
        """
        # A batch of broken images has no rows, and no width.
        filled = [part for part in parts if part.shape[0]]
        count = sum(part.shape[0] for part in filled)
        shape = (count, *filled[0].shape[1:])
        joined = self.spill.space.empty(shape, filled[0].dtype)
        start = 0
        for part in filled:
            if part.shape[1:] != joined.shape[1:]:
                raise EmbeddingError(
                    f"Expected embeddings of one width from {self.plan.model.name}, got"
                    f" D={joined.shape[1]} and D={part.shape[1]} in two batches. Give"
                    " each row the same length."
                )
            stop = start + part.shape[0]
            joined[start:stop] = self.spill.take(part)
            start = stop
        return joined
