"""Duels: whether a query's right item scores higher than one certain wrong item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import RankingError
from ._checks import Rows, Similarity, check_finite, checked_rows, parts
from ._custom import on_device_of, scored
from ._exact import FLOAT64, gamma, plain_sums

_PIECE = 4096
"""Duels that are decided at a time by dot products."""
_CUSTOM_PIECE = 128
"""The same of a scorer of the user's own, which scores every query with every item."""


@dataclass(frozen=True, eq=False, repr=False)
class Duels:
    """(P,) row numbers of each duel's query, right item and wrong item."""

    queries: NDArray[np.int64]
    right: NDArray[np.int64]
    wrong: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.queries)


@dataclass(frozen=True, eq=False, repr=False)
class _Sides:
    """The checked rows of all three."""

    queries: torch.Tensor
    right: torch.Tensor
    wrong: torch.Tensor


def right_wins(
    queries: Rows,
    right: Rows,
    wrong: Rows,
    duels: Duels,
    *,
    similarity: Similarity | None = None,
) -> NDArray[np.bool_]:
    """For each duel, whether the right item scores higher than the wrong one.

    Scores are dot products of float32 rows in float64. What its error bound cannot tell
    apart is a tie, and a tie is lost.

    >>> rows = np.eye(2, dtype=np.float32)
    >>> first = np.zeros(1, dtype=np.int64)
    >>> right_wins(rows, rows, rows, Duels(first, first, first + 1)).tolist()
    [True]
    >>> right_wins(rows, rows, rows, Duels(first, first, first)).tolist()  # a tie
    [False]

    Args:
        queries: (Q, D) float32.
        right: (R, D) float32, on the same device.
        wrong: (W, D) float32, on the same device.
        duels: Row numbers of the three.
        similarity: Scores a tile in place of the dot product; its values count as they are.

    Returns:
        (P,) booleans, on the host.

    Raises:
        RankingError: NaN or infinite rows, shapes and dtypes that do not fit, or a row
            number out of range.
    """
    q_rows, right_rows = checked_rows(queries, right, _PIECE)
    _, wrong_rows = checked_rows(queries, wrong, _PIECE)
    sides = _Sides(q_rows, right_rows, wrong_rows)
    _check(sides, duels)
    with torch.no_grad(), plain_sums(q_rows.device):
        if similarity is None:
            return _by_dot_products(sides, duels)
        return _by_similarity(sides, duels, on_device_of(queries, similarity))


def _check(sides: _Sides, duels: Duels) -> None:
    for name in ("queries", "right", "wrong"):
        rows: torch.Tensor = getattr(sides, name)
        numbers: NDArray[np.int64] = getattr(duels, name)
        check_finite(name, rows)
        if len(numbers) != len(duels) or np.any((numbers < 0) | (numbers >= len(rows))):
            raise RankingError(
                f"Expected one row number below {len(rows)} of {name} for each of"
                f" {len(duels)} duels, got others. Number the rows from 0."
            )


def _by_dot_products(sides: _Sides, duels: Duels) -> NDArray[np.bool_]:
    wins = np.empty(len(duels), np.bool_)
    device = sides.queries.device
    error = gamma(sides.queries.shape[1], FLOAT64)
    for part in parts(len(duels), _PIECE):
        query = sides.queries[_index(duels.queries[part], device)].double()
        right = sides.right[_index(duels.right[part], device)].double()
        wrong = sides.wrong[_index(duels.wrong[part], device)].double()
        size = torch.linalg.vector_norm(query, dim=1) * error
        surely = (query * right).sum(1) - size * torch.linalg.vector_norm(right, dim=1)
        at_most = (query * wrong).sum(1) + size * torch.linalg.vector_norm(wrong, dim=1)
        wins[part] = (surely > at_most).cpu().numpy()
    return wins


def _by_similarity(
    sides: _Sides, duels: Duels, similarity: Similarity
) -> NDArray[np.bool_]:
    wins = np.empty(len(duels), np.bool_)
    device = sides.queries.device
    for part in parts(len(duels), _CUSTOM_PIECE):
        query_numbers, query_places = np.unique(
            duels.queries[part], return_inverse=True
        )
        # Both items of a duel are scored in one tile: another one may round otherwise.
        items = torch.cat(
            [
                sides.right[_index(duels.right[part], device)],
                sides.wrong[_index(duels.wrong[part], device)],
            ]
        )
        queries = sides.queries[_index(query_numbers, device)]
        scores = scored(queries, items, similarity).double()
        places = _index(query_places.astype(np.int64), device)
        columns = torch.arange(len(query_places), device=device)
        own = scores[places, columns]
        other = scores[places, columns + len(query_places)]
        wins[part] = (own > other).cpu().numpy()
    return wins


def _index(numbers: NDArray[np.int64], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(numbers)).to(device)
