"""From embeddings to what is told of a case: ranks of both directions, Recall@k, and
their intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...core.foreign import let_go
from ...core.memory import give_memory_back, is_out_of_memory, limits_of
from ...core.outcomes import Scores
from ...retrieval.bootstrap import Clusters, design_effect
from ...retrieval.intervals import proportion
from ...retrieval.metrics.median_rank import median_rank
from ...retrieval.metrics.recall import chance_recall, recall_at_k
from ...retrieval.metrics.reciprocal_rank import mean_reciprocal_rank
from ...retrieval.ranking import positive_ranks_both
from ..query_keys import cluster_labels

if TYPE_CHECKING:
    from torch import Tensor

    from ...core.calling import EncodesImages
    from ...models import DualEncoder
    from ..pairs import Pairs

T = TypeVar("T")
Ranks = NDArray[np.int64]
TILE, SMALLEST_TILE = 1024, 64
"""Rows that are compared at a time, and the fewest where memory is short."""


def ranks_of(
    model: DualEncoder, images: Tensor, reports: Tensor, pairs: Pairs
) -> tuple[Ranks, Ranks]:
    """The ranks of the images' reports and of the reports' images, by the model's own
    similarity where it has one.

    `images` may lie on the host; they are ranked on the model's device.
    """
    scorer = getattr(model, "similarity", None)

    def rank(device: str, tile: int) -> tuple[Ranks, Ranks]:
        queries, gallery = images.to(device), reports.to(device)
        return positive_ranks_both(
            queries,
            gallery,
            pairs.image_groups,
            pairs.report_groups,
            similarity=scorer,
            tile=tile,
        )

    return in_tiles(model, rank)


def in_tiles(model: EncodesImages, rank: Callable[[str, int], T]) -> T:
    """What `rank(device, tile)` gives: where memory of the device runs out in smaller
    tiles, and at last on the host.

    Ranks are exact, so that they are the same in any of these ways. A scorer of the
    model's own stays on its device.
    """
    limits = limits_of(model)
    stays = hasattr(model, "similarity") or model.device == "cpu"
    while True:
        tile = limits.tile or TILE
        on_host = not stays and tile < SMALLEST_TILE
        device = "cpu" if on_host else model.device
        try:
            return rank(device, TILE if on_host else tile)
        except Exception as error:
            if (
                not is_out_of_memory(error)
                or device == "cpu"
                or (stays and tile <= SMALLEST_TILE)
            ):
                raise
            let_go(error)
        # Outside of the except block: the error's traceback would hold on to the memory
        # of the failed tile.
        give_memory_back(model.device)
        limits.tile = tile // 4


def both_scores(
    image_ranks: Ranks, report_ranks: Ranks, pairs: Pairs, ks: Sequence[int]
) -> tuple[Scores, Scores]:
    """The scores of both directions, with intervals that know which queries are of one patient."""
    of_images, of_reports = cluster_labels(pairs)
    there = scores_of(
        image_ranks, pairs.image_groups, pairs.report_groups, ks, Clusters.of(of_images)
    )
    return there, scores_of(
        report_ranks,
        pairs.report_groups,
        pairs.image_groups,
        ks,
        Clusters.of(of_reports),
    )


def scores_of(
    ranks: NDArray[np.int64],
    query_groups: NDArray[np.int64],
    gallery_groups: NDArray[np.int64],
    ks: Sequence[int],
    patients: Clusters | None = None,
) -> Scores:
    """Recall@k with Wilson intervals, chance, median rank and mean reciprocal rank of
    one direction.

    Where patients repeat, the intervals are those of as many independent queries as
    theirs are worth.
    """
    groups, counts = np.unique(gallery_groups, return_counts=True)
    right = counts[np.searchsorted(groups, query_groups)]
    recall = {k: recall_at_k(ranks, k) for k in ks}
    return Scores(
        queries=len(ranks),
        gallery=len(gallery_groups),
        chance={k: chance_recall(right, len(gallery_groups), k) for k in ks},
        recall=recall,
        recall_interval={k: _interval(ranks <= k, patients) for k in ks},
        median_rank=median_rank(ranks),
        mrr=mean_reciprocal_rank(ranks),
    )


def _interval(
    hits: NDArray[np.bool_], patients: Clusters | None
) -> tuple[float, float]:
    effect = (
        1.0 if patients is None else design_effect(hits.astype(np.float64), patients)
    )
    found = proportion(float(hits.mean()), len(hits), 0.975, effect)
    return found.low, found.high
