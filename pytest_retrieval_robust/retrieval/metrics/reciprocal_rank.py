"""The mean reciprocal rank of the best right answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import Metric, MetricEntry, checked_ranks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...core.catalogue import Catalogue


def mean_reciprocal_rank(ranks: NDArray[np.int64] | Sequence[int]) -> float:
    """The mean of 1 / rank over `ranks`, (N,) from 1; in (0, 1].

    >>> import numpy as np
    >>> mean_reciprocal_rank(np.array([1, 2, 4, 4]))
    0.5

    Raises:
        ValueError: No ranks, or a rank below 1.
    """
    return float((1.0 / checked_ranks(ranks)).mean())


def _mean_reciprocal_rank() -> Metric:
    return mean_reciprocal_rank


def register(catalogue: Catalogue[MetricEntry]) -> None:
    catalogue.add(
        MetricEntry(
            name="mrr",
            summary="mean reciprocal rank of the best right answer",
            parameters={},
            build=_mean_reciprocal_rank,
        )
    )
