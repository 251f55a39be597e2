"""From embeddings to what is told of a case: ranks of both directions, Recall@k, and their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .case import Scores
from .evidence import proportion
from .metrics.median_rank import median_rank
from .metrics.recall import chance_recall, recall_at_k
from .metrics.reciprocal_rank import mean_reciprocal_rank
from .query_keys import cluster_labels
from .ranking import positive_ranks_both
from .resampling import Clusters, design_effect

if TYPE_CHECKING:
    from torch import Tensor

    from .models import DualEncoder
    from .pairs import Pairs

Ranks = NDArray[np.int64]


def ranks_of(model: DualEncoder, images: Tensor, reports: Tensor, pairs: Pairs) -> tuple[Ranks, Ranks]:
    """The ranks of the images' reports and of the reports' images, by the model's own similarity where it has one."""
    scorer = getattr(model, "similarity", None)
    return positive_ranks_both(images, reports, pairs.image_groups, pairs.report_groups, similarity=scorer)


def both_scores(image_ranks: Ranks, report_ranks: Ranks, pairs: Pairs, ks: Sequence[int]) -> tuple[Scores, Scores]:
    """The scores of both directions, with intervals that know which queries are of one patient."""
    of_images, of_reports = cluster_labels(pairs)
    there = scores_of(image_ranks, pairs.image_groups, pairs.report_groups, ks, Clusters.of(of_images))
    return there, scores_of(report_ranks, pairs.report_groups, pairs.image_groups, ks, Clusters.of(of_reports))


def scores_of(
    ranks: NDArray[np.int64],
    query_groups: NDArray[np.int64],
    gallery_groups: NDArray[np.int64],
    ks: Sequence[int],
    patients: Clusters | None = None,
) -> Scores:
    """Recall@k with Wilson intervals, chance, median rank and mean reciprocal rank of one direction.

    Where patients repeat, the intervals are those of as many independent queries as theirs are worth.
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


def _interval(hits: NDArray[np.bool_], patients: Clusters | None) -> tuple[float, float]:
    effect = 1.0 if patients is None else design_effect(hits.astype(np.float64), patients)
    found = proportion(float(hits.mean()), len(hits), 0.975, effect)
    return found.low, found.high
