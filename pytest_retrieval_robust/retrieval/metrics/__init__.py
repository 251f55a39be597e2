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
    """What the metric needs: `{"k": int}`."""
    build: Callable[..., Metric]
    """Takes the parameters by keyword."""


def checked_ranks(ranks: NDArray[np.int64] | Sequence[int]) -> NDArray[np.int64]:
    """(N,) whole numbers from 1; `ValueError` for anything else, or none at all."""
    import numpy as np

    numbers = np.asarray(ranks)
    are_whole = numbers.ndim == 1 and numbers.size > 0 and numbers.dtype.kind in "iu"
    if not are_whole or numbers.min() < 1:
        lowest = numbers.min() if are_whole else None
        raise ValueError(
            "Expected ranks of shape (N,) in whole numbers from 1, got"
            f" shape={numbers.shape}, dtype={numbers.dtype}, min={lowest}. Use the"
            " result of positive_ranks."
        )
    return numbers


def check_k(k: int) -> None:
    """Raise `ValueError` unless `k` is a whole number of at least 1."""
    # NumPy's integers have `__index__` too, as booleans do.
    if isinstance(k, bool) or not hasattr(k, "__index__") or k < 1:
        raise ValueError(
            f"Expected k of at least 1, got k={k!r}. Recall@k looks at the first k"
            " answers."
        )
