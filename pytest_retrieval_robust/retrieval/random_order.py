"""Ranks of answers in random order: what a metric reaches by chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ranks_by_chance(
    right_answers: NDArray[np.int64], gallery: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(N,) the rank, from 1, of each query's best right answer in a random order.

    Args:
        right_answers: (N,) how many items of the gallery are right, from 1 to `gallery`.
        gallery: How many items there are.
        rng: Draws the orders, one per query.
    """
    ranks = np.empty(len(right_answers), dtype=np.int64)
    for right in np.unique(right_answers).tolist():
        # How likely more than so many wrong items come before the first right one.
        wrong = np.arange(gallery - right)
        likely = np.cumprod((gallery - right - wrong) / (gallery - wrong))
        queries = np.flatnonzero(right_answers == right)
        drawn = rng.random(len(queries))
        ranks[queries] = 1 + np.searchsorted(-likely, -drawn, side="left")
    return ranks
