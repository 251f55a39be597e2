"""What the ranking functions take: rows and groups, checked before anything is multiplied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import RankingError

Rows: TypeAlias = torch.Tensor | NDArray[np.float32]
"""(N, D) float32 embeddings, one row each."""
Groups: TypeAlias = torch.Tensor | NDArray[np.integer[Any]] | Sequence[int]
"""(N,) whole numbers; rows of equal number belong together."""
Similarity: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Scores one tile: (q, D) queries and (g, D) gallery rows to (q, g), higher is better."""


def checked_rows(
    queries: Rows, gallery: Rows, tile: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both as tensors of one width on one device; whether they are finite is seen when
    their norms are taken.
    """
    if not isinstance(tile, int) or tile < 1:
        raise RankingError(
            f"Expected a tile of 1 or more rows, got tile={tile!r}. Use 1024."
        )
    q_rows, g_rows = _as_rows("queries", queries), _as_rows("gallery", gallery)
    if q_rows.shape[1] != g_rows.shape[1] or q_rows.device != g_rows.device:
        raise RankingError(
            "Expected queries and gallery of the same width on the same device, got"
            f" queries.shape={tuple(q_rows.shape)} on {q_rows.device},"
            f" gallery.shape={tuple(g_rows.shape)} on {g_rows.device}. Encode both with"
            " one model, and move one to the other's device."
        )
    return q_rows, g_rows


def _as_rows(name: str, rows: Rows) -> torch.Tensor:
    if isinstance(rows, np.ndarray):
        # Torch shares an array's memory, which it may only do with one that can be written.
        plain = (
            rows
            if rows.flags.writeable and min(rows.strides, default=0) >= 0
            else rows.copy()
        )
        found = torch.from_numpy(
            plain.astype(plain.dtype.newbyteorder("="), copy=False)
        )
    elif isinstance(rows, torch.Tensor):
        found = rows.detach()
    else:
        raise RankingError(
            f"Expected {name} as a torch tensor or a numpy array, got {name} of type"
            f" {type(rows).__name__}. Give embeddings of shape (N, D) in float32."
        )
    if found.dtype != torch.float32 or found.ndim != 2 or 0 in found.shape:
        raise RankingError(
            f"Expected {name} of shape (N, D) in float32, got"
            f" shape={tuple(found.shape)}, dtype={found.dtype}. Convert them with"
            " .float(), and give one row an image or report."
        )
    # Apple GPUs have no float64.
    return (found.cpu() if found.device.type == "mps" else found).contiguous()


def checked_groups(name: str, groups: Groups, count: int) -> NDArray[np.int64]:
    found = (
        groups.cpu().numpy() if isinstance(groups, torch.Tensor) else np.asarray(groups)
    )
    if found.shape != (count,) or found.dtype.kind not in "iu":
        raise RankingError(
            f"Expected {name} of shape ({count},) in whole numbers, got"
            f" shape={found.shape}, dtype={found.dtype}. Give one group number a row."
        )
    return np.array(found, dtype=np.int64)


def check_answerable(
    query_groups: NDArray[np.int64],
    gallery_groups: NDArray[np.int64],
    back: bool = False,
) -> None:
    """Each query has a right item; `back` says that the gallery's items ask."""
    lost = np.flatnonzero(~np.isin(query_groups, gallery_groups))
    if lost.size:
        asks, has = ("gallery item", "query") if back else ("query", "gallery item")
        plural, whole = ("gallery items", "queries") if back else ("queries", "gallery")
        raise RankingError(
            f"Expected a right {has} for each {asks}, got none for {lost.size} of"
            f" {query_groups.size}, first row={lost[0]} with"
            f" group={query_groups[lost[0]]}. Leave these {plural} out or complete the"
            f" {whole}."
        )


def check_finite(name: str, rows: torch.Tensor) -> None:
    for part in parts(len(rows), 1024):
        broken = (~rows[part].isfinite().all(1)).nonzero()
        if len(broken):
            row = part.start + int(broken[0])
            raise RankingError(
                f"Expected finite {name}, got NaN or infinity in row={row}. Look at"
                " what the encoder makes of it."
            )


def check_norms(name: str, rows: torch.Tensor, norms: torch.Tensor) -> None:
    """NaN, infinity and a row of zeros, which has no direction, are seen from the rows'
    (N,) float64 lengths.
    """
    if not bool(norms.isfinite().all()):
        check_finite(name, rows)
    zeros = (norms == 0).nonzero()
    if len(zeros):
        raise RankingError(
            f"Expected {name} with a direction, got zeros in row={int(zeros[0])}. Look"
            " at what the encoder makes of it."
        )


def parts(stop: int, size: int, start: int = 0) -> Iterator[slice]:
    """Slices of `size` from `start` to `stop`."""
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))


def to_host(found: Sequence[torch.Tensor]) -> NDArray[np.int64]:
    return torch.cat(list(found)).cpu().numpy().astype(np.int64, copy=False)
