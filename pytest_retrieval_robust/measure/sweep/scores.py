"""From embeddings to ranks of both directions, Recall@k, and intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...core.foreign import let_go
from ...core.memory import give_memory_back, is_out_of_memory, limits_of
from ...core.outcomes import Scores
from ...core.shared_values import shared_interval, shared_number
from ...models import similarity_of
from ...retrieval.bootstrap import Clusters
from ...retrieval.metrics.median_rank import median_rank
from ...retrieval.metrics.recall import recall_at_k
from ...retrieval.metrics.reciprocal_rank import mean_reciprocal_rank
from ...retrieval.ranking import positive_ranks_both
from ...retrieval.shares import share_of
from ..queries import Queries

if TYPE_CHECKING:
    from torch import Tensor

    from ...core.calling import EncodesImages
    from ...models import DualEncoder
    from ..pairs import Pairs

T = TypeVar("T")
Ranks = NDArray[np.int64]
TILE = 1024
"""Rows that are compared at a time."""
SMALLEST_TILE = 64
"""The fewest rows that are compared at a time where memory is short."""


def ranks_of(
    model: DualEncoder, images: Tensor, reports: Tensor, pairs: Pairs
) -> tuple[Ranks, Ranks]:
    """The ranks of the images' reports and of the reports' images.

    The model's own similarity is used if it has one. `images` may lie on the host; they
    are ranked on the model's device.
    """
    similarity = similarity_of(model)

    def rank(device: str, tile: int) -> tuple[Ranks, Ranks]:
        return positive_ranks_both(
            images.to(device),
            reports.to(device),
            pairs.image_groups,
            pairs.report_groups,
            similarity=similarity,
            tile=tile,
        )

    return in_tiles(model, rank)


def in_tiles(model: EncodesImages, rank: Callable[[str, int], T]) -> T:
    """What `rank(device, tile)` gives, in smaller tiles where the device's memory runs out.

    Below the smallest tile it runs on the host. Ranks are exact, so they are the same in
    any of these ways. A scorer of the model's own stays on its device.
    """
    # What was found out about memory holds for all later rankings of the model.
    limits = limits_of(model)
    stays_on_device = similarity_of(model) is not None or model.device == "cpu"
    while True:
        tile = limits.tile or TILE
        device = model.device
        if tile < SMALLEST_TILE and not stays_on_device:
            device = "cpu"
            tile = TILE
        try:
            return rank(device, tile)
        except Exception as error:
            is_last_resort = device == "cpu" or (
                stays_on_device and tile <= SMALLEST_TILE
            )
            if is_last_resort or not is_out_of_memory(error):
                raise
            let_go(error)
        # Outside of the except block: the error's traceback would hold on to the memory
        # of the failed tile.
        give_memory_back(model.device)
        limits.tile = tile // 4


def both_scores(
    image_ranks: Ranks, report_ranks: Ranks, pairs: Pairs, ks: Sequence[int]
) -> tuple[Scores, Scores]:
    """The scores of both directions, with intervals that know the patient of each query."""
    queries = pairs.queries
    image_to_report = _scores(image_ranks, queries.images, ks)
    report_to_image = _scores(report_ranks, queries.reports, ks)
    return image_to_report, report_to_image


def scores_of(
    ranks: Ranks,
    query_groups: NDArray[np.int64],
    gallery_groups: NDArray[np.int64],
    ks: Sequence[int],
    patients: Clusters | None = None,
) -> Scores:
    """Recall@k with Wilson intervals, chance, median rank and mean reciprocal rank.

    With repeated patients, intervals use the effective sample size n / design effect.
    """
    return _scores(ranks, Queries.of(query_groups, gallery_groups, patients), ks)


def _scores(ranks: Ranks, queries: Queries, ks: Sequence[int]) -> Scores:
    return Scores(
        queries=len(ranks),
        gallery=queries.gallery,
        chance=queries.chance(ks),
        recall={k: shared_number(recall_at_k(ranks, k)) for k in ks},
        recall_interval={k: _interval(ranks <= k, queries.patients) for k in ks},
        median_rank=median_rank(ranks),
        mrr=mean_reciprocal_rank(ranks),
    )


def _interval(
    hits: NDArray[np.bool_], patients: Clusters | None
) -> tuple[float, float]:
    share = share_of(hits, patients, 0.975)
    return shared_interval(share.low, share.high)
