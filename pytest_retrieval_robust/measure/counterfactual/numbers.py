"""What one cell's image rows say about the edited reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.counterfactual_outcomes import (
    ALL_KINDS,
    CounterfactualOutcome,
    DistractorRecall,
    WinShare,
)
from ...models import similarity_of
from ...retrieval.bootstrap import Clusters
from ...retrieval.metrics.recall import chance_recall, recall_at_k
from ...retrieval.ranking import positive_ranks, right_wins
from ...retrieval.shares import share_of
from ..sweep.scores import in_tiles
from .edits import Comparisons, EncodedEdits, distractor_places, space_for
from .win_shares import CONFIDENCE, win_share

if TYPE_CHECKING:
    from torch import Tensor

    from ...core.cases import Case
    from ...models import DualEncoder
    from ..pairs import Pairs
    from ..sweep.space import RowSpace


@dataclass(frozen=True, repr=False)
class CounterfactualNumbers:
    """What was measured in a cell, whichever case it stands for."""

    source: str
    reports: int
    edited: int
    edits: int
    left_out: int
    unseen: int
    overall: WinShare | None
    kinds: tuple[WinShare, ...]
    with_distractors: DistractorRecall

    def outcome(self, case: Case) -> CounterfactualOutcome:
        """The outcome of a case."""
        return CounterfactualOutcome(case=case, **vars(self))


@dataclass(frozen=True, eq=False, repr=False)
class CounterfactualRanking:
    """Compares the image rows of each cell with reports and edits."""

    model: DualEncoder
    pairs: Pairs
    """The readable images, and the reports that are right for one of them."""
    reports: Tensor
    """(G, D) the rows of these reports."""
    encoded: EncodedEdits
    ks: Sequence[int]
    space: RowSpace

    def measure(
        self, images: Tensor, image_ranks: NDArray[np.int64]
    ) -> CounterfactualNumbers:
        """The numbers of a cell from its (N, D) image rows, and their ranks without edits."""
        edits = self.encoded.counted
        comparisons = self._comparisons
        remaining = comparisons.edits
        wins = self._wins(images)
        kinds = []
        for number, kind in enumerate(edits.kinds):
            chosen = comparisons.kind_numbers == number
            if chosen.any():
                kinds.append(win_share(kind, wins, comparisons, self._patients, chosen))
        overall = None
        if len(wins):
            everything = np.ones(len(wins), dtype=np.bool_)
            overall = win_share(
                ALL_KINDS, wins, comparisons, self._patients, everything
            )
        return CounterfactualNumbers(
            source=edits.source,
            reports=len(self.pairs.reports),
            edited=len(np.unique(edits.reports[remaining])),
            edits=len(remaining),
            left_out=edits.left_out,
            unseen=int(self.encoded.is_unseen[remaining].sum()),
            overall=overall,
            kinds=tuple(kinds),
            with_distractors=self._recall(images, image_ranks),
        )

    @property
    def _patients(self) -> Clusters | None:
        return self.pairs.queries.images.patients

    # What cells share is made once.

    @cached_property
    def _comparisons(self) -> Comparisons:
        return Comparisons.of(self.encoded, self.pairs)

    @cached_property
    def _distractors(self) -> NDArray[np.int64]:
        return distractor_places(self.encoded, self.pairs)

    @cached_property
    def _gallery(self) -> Tensor:
        """(G + H, D) the reports, and behind them the distractors."""
        count = len(self.reports)
        gallery = space_for(count + len(self._distractors), self.reports, self.space)
        gallery[:count] = self.reports
        rows = self.encoded.rows
        gallery[count:] = rows[torch.from_numpy(self._distractors).to(rows.device)]
        return gallery

    @cached_property
    def _gallery_groups(self) -> NDArray[np.int64]:
        """(G + H,) groups: that of the distractors is no image's."""
        groups = self.pairs.report_groups
        unused = int(groups.max()) + 1
        distractors = np.full(len(self._distractors), unused, dtype=np.int64)
        return np.concatenate([groups, distractors])

    def _wins(self, images: Tensor) -> NDArray[np.bool_]:
        if not len(self._comparisons.duels):
            return np.zeros(0, dtype=np.bool_)
        similarity = similarity_of(self.model)

        def compare(device: str, _: int) -> NDArray[np.bool_]:
            return right_wins(
                images.to(device),
                self.reports.to(device),
                self.encoded.rows.to(device),
                self._comparisons.duels,
                similarity=similarity,
            )

        return in_tiles(self.model, compare)

    def _recall(
        self, images: Tensor, image_ranks: NDArray[np.int64]
    ) -> DistractorRecall:
        ranks = self._ranks(images) if len(self._distractors) else image_ranks
        gallery = len(self.reports) + len(self._distractors)
        right_answers = self.pairs.queries.images.right_answers
        intervals: dict[int, tuple[float, float]] = {}
        effective: dict[int, float] = {}
        for k in self.ks:
            estimate = share_of(ranks <= k, self._patients, CONFIDENCE)
            intervals[k] = (estimate.low, estimate.high)
            effective[k] = estimate.effective or 0.0
        sizes = None
        if self._patients is not None and not self._patients.alone:
            sizes = self._patients.patient_sizes
        return DistractorRecall(
            queries=len(ranks),
            distractors=len(self._distractors),
            gallery=gallery,
            recall={k: recall_at_k(ranks, k) for k in self.ks},
            recall_interval=intervals,
            without_edits={k: recall_at_k(image_ranks, k) for k in self.ks},
            chance={k: chance_recall(right_answers, gallery, k) for k in self.ks},
            effective=effective,
            patients=None if sizes is None else sizes.count,
            degrees_of_freedom=None if sizes is None else sizes.degrees_of_freedom,
        )

    def _ranks(self, images: Tensor) -> NDArray[np.int64]:
        similarity = similarity_of(self.model)

        def rank(device: str, tile: int) -> NDArray[np.int64]:
            return positive_ranks(
                images.to(device),
                self._gallery.to(device),
                self.pairs.image_groups,
                self._gallery_groups,
                similarity=similarity,
                tile=tile,
            )

        return in_tiles(self.model, rank)
