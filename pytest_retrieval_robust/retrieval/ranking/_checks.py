"""What the ranking functions take: rows and groups, checked before anything is multiplied."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Request:
    """What a caller wants ranked, not yet checked."""

    queries: Rows
    gallery: Rows
    query_groups: Groups
    gallery_groups: Groups
    similarity: Similarity | None = None
    tile: int = 1024


@dataclass(frozen=True, eq=False)
class Grouped:
    """Checked queries or gallery: (N, D) float32 rows, and their (N,) groups on the host."""

    rows: torch.Tensor
    groups: NDArray[np.int64]


def checked_sides(
    request: Request, *, both_directions: bool
) -> tuple[Grouped, Grouped]:
    """Queries and gallery, each with a right partner for whoever asks: the queries, and
    the gallery's items too if `both_directions`.
    """
    q_rows, g_rows = checked_rows(request.queries, request.gallery, request.tile)
    q_groups = checked_groups("query_groups", request.query_groups, len(q_rows))
    g_groups = checked_groups("gallery_groups", request.gallery_groups, len(g_rows))
    check_answerable(q_groups, g_groups)
    if both_directions:
        check_answerable(g_groups, q_groups, back=True)
    return Grouped(q_rows, q_groups), Grouped(g_rows, g_groups)


def checked_rows(
    queries: Rows, gallery: Rows, tile: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both as tensors of one width on one device.

    Whether they are finite is seen later, when their norms are taken.
    """
    if not isinstance(tile, int) or tile < 1:
        raise RankingError(
            f"Expected a tile of at least 1 row, got tile={tile!r}. Use 1024."
        )
    q_rows = _as_rows("queries", queries)
    g_rows = _as_rows("gallery", gallery)
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
        tensor = _from_array(rows)
    elif isinstance(rows, torch.Tensor):
        tensor = rows.detach()
    else:
        raise RankingError(
            f"Expected {name} as a torch tensor or a numpy array, got {name} of type"
            f" {type(rows).__name__}. Give embeddings of shape (N, D) in float32."
        )
    if tensor.dtype != torch.float32 or tensor.ndim != 2 or 0 in tensor.shape:
        raise RankingError(
            f"Expected {name} of shape (N, D) in float32, got"
            f" shape={tuple(tensor.shape)}, dtype={tensor.dtype}. Convert them with"
            " .float(), and give one row per image or report."
        )
    # Apple GPUs have no float64.
    if tensor.device.type == "mps":
        tensor = tensor.cpu()
    return tensor.contiguous()


def _from_array(array: NDArray[np.float32]) -> torch.Tensor:
    # Torch shares an array's memory, but takes none that is reversed or of another byte
    # order.
    if min(array.strides, default=0) < 0:
        array = array.copy()
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    with warnings.catch_warnings():
        # It warns of an array that is read-only, such as a mapped file. Nothing writes
        # to rows, and a copy may not fit into memory.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(native)


def checked_groups(name: str, groups: Groups, count: int) -> NDArray[np.int64]:
    if isinstance(groups, torch.Tensor):
        groups = groups.cpu().numpy()
    numbers = np.asarray(groups)
    if numbers.shape != (count,) or numbers.dtype.kind not in "iu":
        raise RankingError(
            f"Expected {name} of shape ({count},) in whole numbers, got"
            f" shape={numbers.shape}, dtype={numbers.dtype}. Give one group number per"
            " row."
        )
    return np.array(numbers, dtype=np.int64)


def check_answerable(
    query_groups: NDArray[np.int64],
    gallery_groups: NDArray[np.int64],
    back: bool = False,
) -> None:
    """Each query has a right item; `back` says that the gallery's items ask."""
    without = np.flatnonzero(~np.isin(query_groups, gallery_groups))
    if not without.size:
        return
    asking, partner = "query", "gallery item"
    remedy = "Leave these queries out or complete the gallery."
    if back:
        asking, partner = partner, asking
        remedy = "Leave these gallery items out or complete the queries."
    raise RankingError(
        f"Expected a right {partner} for each {asking}, got none for {without.size} of"
        f" {query_groups.size}, first row={without[0]} with"
        f" group={query_groups[without[0]]}. {remedy}"
    )


def check_finite(name: str, rows: torch.Tensor) -> None:
    for part in parts(len(rows), 1024):
        broken = (~rows[part].isfinite().all(1)).nonzero()
        if len(broken):
            row = part.start + int(broken[0])
            raise RankingError(
                f"Expected finite {name}, got NaN or infinity in row={row}. Check what"
                " the encoder returns for it."
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
            f"Expected {name} with a direction, got zeros in row={int(zeros[0])}. Check"
            " what the encoder returns for it."
        )


def parts(stop: int, size: int, start: int = 0) -> Iterator[slice]:
    """Slices of `size` from `start` to `stop`.

    What is kept of each is written into one array that was made before them. A small
    result that is made among large temporary ones, and outlives them, cuts the memory
    that they leave: the next ones may not fit into it, and the process grows by them all.
    """
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))


def to_host(numbers: torch.Tensor) -> NDArray[np.int64]:
    return numbers.cpu().numpy().astype(np.int64, copy=False)
