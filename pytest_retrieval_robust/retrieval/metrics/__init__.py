"""Metrics, which turn ranks into one number: the protocol and what a catalogue entry is.

One file of this folder is one entry: it defines `register(catalogue)` and imports
anything heavy inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@runtime_checkable
class Metric(Protocol):
    """A pure function of ranks."""

    def __call__(self, ranks: NDArray[np.int64], /) -> float:
        """One number from (N,) ranks, which count from 1."""


@dataclass(frozen=True)
class MetricEntry:
    """A metric of the catalogue: a name, one line about it, its parameters with their
    types, and how to build it.
    """

    name: str
    summary: str
    parameters: Mapping[str, type]
    """What the metric must be told: `{"k": int}`."""
    build: Callable[..., Metric]
    """Takes the parameters by keyword."""


def checked_ranks(ranks: NDArray[np.int64] | Sequence[int]) -> NDArray[np.int64]:
    """(N,) whole numbers from 1; `ValueError` where there are none, or one is not."""
    import numpy as np

    found = np.asarray(ranks)
    are_whole = found.ndim == 1 and found.size > 0 and found.dtype.kind in "iu"
    if not are_whole or found.min() < 1:
        lowest = found.min() if are_whole else None
        raise ValueError(
            "Expected ranks of shape (N,) in whole numbers from 1, got"
            f" shape={found.shape}, dtype={found.dtype}, min={lowest}. Use what"
            " positive_ranks gives."
        )
    return found


def check_k(k: int) -> None:
    """Raise `ValueError` where `k` is no whole number of 1 or more."""
    if isinstance(k, bool) or not hasattr(k, "__index__") or k < 1:
        raise ValueError(
            f"Expected k of 1 or more, got k={k!r}. Recall@k looks at the first k"
            " answers."
        )
