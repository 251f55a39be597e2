"""The median rank of the best right answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import Metric, MetricEntry, checked_ranks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...core.catalogue import Catalogue


def median_rank(ranks: NDArray[np.int64] | Sequence[int]) -> float:
    """The median of `ranks`, (N,) from 1; the mean of the middle two where N is even.

    >>> import numpy as np
    >>> median_rank(np.array([9, 1, 2, 4]))
    3.0

    Raises:
        ValueError: No ranks, or a rank below 1.
    """
    import numpy as np

    return float(np.median(checked_ranks(ranks)))


def _median_rank() -> Metric:
    return median_rank


def register(catalogue: Catalogue[MetricEntry]) -> None:
    catalogue.add(
        MetricEntry(
            name="median-rank",
            summary="median rank of the best right answer",
            parameters={},
            build=_median_rank,
        )
    )
