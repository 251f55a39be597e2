"""A model's own similarity, whose values are ranked as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import RankingError, RobustError
from ...core.float32 import ieee_float32
from ...core.foreign import FOREIGN, described, let_go, without_frames
from ...core.memory import advice_on, is_out_of_memory
from ._checks import Rows, Similarity, parts


@dataclass(frozen=True)
class _Sorted:
    """Queries or gallery in the order of their groups, with what each row has to reach
    and how many partners do.
    """

    rows: torch.Tensor
    order: torch.Tensor
    groups: torch.Tensor
    floors: torch.Tensor = field(init=False)
    counts: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self,
            "floors",
            torch.full_like(self.groups, -torch.inf, dtype=torch.float64),
        )
        object.__setattr__(self, "counts", torch.zeros_like(self.groups))

    def in_given_order(self) -> torch.Tensor:
        return torch.empty_like(self.counts).scatter_(0, self.order, self.counts)


def custom_counts(
    queries: torch.Tensor,
    gallery: torch.Tensor,
    q_groups: NDArray[np.int64],
    g_groups: NDArray[np.int64],
    similarity: Similarity,
    tile: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Q,) and (G,) int64: how many wrong partners score as high as the best right one.

    Each pair is scored once, since a scorer may round it in another way in another
    tile, and a tie would be lost. In the order of their groups all right pairs lie on
    the diagonal of chunks; these come first, so that what a row or a column has to
    reach is known before its other pairs are scored.
    """
    left, right = _sorted(queries, q_groups), _sorted(gallery, g_groups)
    chunks = _chunks(q_groups, g_groups, tile)
    for q_part, g_part in chunks:
        _meet_right(left, right, q_part, g_part, similarity, tile)
    for q_part, own in chunks:
        for _, g_part in chunks:
            if g_part != own:
                for some, others, scores in _tiles(
                    left, right, q_part, g_part, similarity, tile
                ):
                    _count(left, right, some, others, scores)
    return left.in_given_order(), right.in_given_order()


def _sorted(rows: torch.Tensor, groups: NDArray[np.int64]) -> _Sorted:
    order = np.argsort(groups, kind="stable")
    there = [
        torch.from_numpy(found).to(rows.device) for found in (order, groups[order])
    ]
    return _Sorted(rows, there[0], there[1])


def _chunks(
    q_groups: NDArray[np.int64], g_groups: NDArray[np.int64], tile: int
) -> list[tuple[slice, slice]]:
    """Runs of whole groups, no longer than a tile on either side unless it is a single group."""
    found, starts, stops = [], (0, 0), (0, 0)
    groups = np.union1d(q_groups, g_groups)
    ends = [
        np.searchsorted(np.sort(side), groups, side="right").tolist()
        for side in (q_groups, g_groups)
    ]
    for end in zip(*ends, strict=True):
        if stops != starts and max(end[0] - starts[0], end[1] - starts[1]) > tile:
            found.append((slice(starts[0], stops[0]), slice(starts[1], stops[1])))
            starts = stops
        stops = end
    return [*found, (slice(starts[0], stops[0]), slice(starts[1], stops[1]))]


def _meet_right(
    left: _Sorted,
    right: _Sorted,
    q_part: slice,
    g_part: slice,
    similarity: Similarity,
    tile: int,
) -> None:
    """Raises the floors; where a chunk is one tile, these are then whole, and its wrong
    pairs are counted. A longer one is a single group, without wrong pairs.
    """
    for some, others, scores in _tiles(left, right, q_part, g_part, similarity, tile):
        wrong = left.groups[some, None] != right.groups[others]
        best = scores.masked_fill(wrong, -torch.inf)
        for side, part, dim in ((left, some, 1), (right, others, 0)):
            side.floors[part] = torch.maximum(side.floors[part], best.amax(dim))
        if (some, others) == (q_part, g_part):
            _count(left, right, some, others, scores.masked_fill_(~wrong, torch.nan))


def _count(
    left: _Sorted, right: _Sorted, some: slice, others: slice, scores: torch.Tensor
) -> None:
    left.counts[some] += (scores >= left.floors[some, None]).sum(1)
    right.counts[others] += (scores >= right.floors[others]).sum(0)


def _tiles(
    left: _Sorted,
    right: _Sorted,
    q_part: slice,
    g_part: slice,
    similarity: Similarity,
    tile: int,
) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    for some in parts(q_part.stop, tile, q_part.start):
        queries = left.rows[left.order[some]]
        for others in parts(g_part.stop, tile, g_part.start):
            yield (
                some,
                others,
                scored(queries, right.rows[right.order[others]], similarity).double(),
            )


def strips(
    queries: torch.Tensor, gallery: torch.Tensor, similarity: Similarity, tile: int
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Scores of a few queries with the whole gallery, so that each pair is scored once:
    a scorer may round it in another way in another tile, and a tie would be lost. A
    strip holds no more than a tile does, or one query.
    """
    rows = max(1, min(tile, tile * tile // len(gallery)))
    for part in parts(len(queries), rows):
        tiles = [
            scored(queries[part], gallery[other], similarity)
            for other in parts(len(gallery), tile)
        ]
        yield part, torch.cat(tiles, 1)


def beside(similarity: Similarity, rows: Rows) -> Similarity:
    """The scorer, given rows on the device where the caller's lie: it may have weights there.

    Those of an Apple GPU are ranked on the host.
    """
    if not isinstance(rows, torch.Tensor) or rows.device.type != "mps":
        return similarity
    device = rows.device

    def there(queries: torch.Tensor, gallery: torch.Tensor) -> torch.Tensor:
        found = similarity(queries.to(device), gallery.to(device))
        return found.cpu() if isinstance(found, torch.Tensor) else found

    return there


def scored(
    queries: torch.Tensor, gallery: torch.Tensor, similarity: Similarity
) -> torch.Tensor:
    """(q, g) the scores that a scorer of the user's own gives; `RankingError` for what is none.

    Memory that runs out in it is an `OutOfMemory` error, or the error that it raised.
    """
    found = _called(queries, gallery, similarity)
    if isinstance(found, BaseException):
        if is_out_of_memory(found) or isinstance(found, RobustError):
            raise without_frames(found)
        got = described(found)
        advice = advice_on(
            found, str(queries.device), "Fix the scorer, or the device of its weights."
        )
        let_go(found)
        raise RankingError(f"Expected similarity to give scores, got {got}. {advice}")
    expected = (len(queries), len(gallery))
    if not isinstance(found, torch.Tensor) or tuple(found.shape) != expected:
        got = (
            f"shape={tuple(found.shape)}"
            if isinstance(found, torch.Tensor)
            else f"a {type(found).__name__}"
        )
        raise RankingError(
            f"Expected similarity to give a tensor of scores of shape {expected}, got"
            f" {got}. Return one score for each query and gallery row."
        )
    if found.is_complex() or found.is_meta or found.layout != torch.strided:
        raise RankingError(
            "Expected similarity to give real scores in a plain tensor, got"
            f" dtype={found.dtype}, layout={found.layout} on {found.device}. Return one"
            " real number for each pair."
        )
    scores = found.detach().to(queries.device)
    if scores.isnan().any():
        raise RankingError(
            "Expected similarity to give numbers, got NaN. Check the scorer for 0/0 and"
            " inf - inf."
        )
    return scores


def _called(
    queries: torch.Tensor, gallery: torch.Tensor, similarity: Similarity
) -> object:
    """The scores, or what the scorer raised.

    It may change what it is given, and give the same memory again.
    """
    try:
        with ieee_float32():
            found = similarity(queries.clone(), gallery.clone())
            return found.clone() if isinstance(found, torch.Tensor) else found
    except FOREIGN as error:
        return error
