"""Metrics, which turn ranks into one number: the protocol and what a catalogue entry is.

One file of this folder is one entry: it defines `register(catalogue)` and imports anything heavy inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """A metric of the catalogue: a name, one line about it, its parameters with their types, and how to build it."""

    name: str
    summary: str
    parameters: Mapping[str, type]
    """What the metric must be told: `{"k": int}`."""
    build: Callable[..., Metric]
    """Takes the parameters by keyword."""


def check_ranks(ranks: NDArray[np.int64]) -> None:
    """Raise `ValueError` where there are no ranks or one is below 1."""
    if ranks.ndim != 1 or ranks.size == 0 or ranks.min() < 1:
        lowest = ranks.min() if ranks.size else None
        raise ValueError(
            f"Expected ranks of shape (N,) from 1, got shape={ranks.shape}, min={lowest}. "
            "Use what positive_ranks gives."
        )


def check_k(k: int) -> None:
    """Raise `ValueError` where `k` is below 1."""
    if k < 1:
        raise ValueError(f"Expected k of 1 or more, got k={k!r}. Recall@k looks at the first k answers.")
