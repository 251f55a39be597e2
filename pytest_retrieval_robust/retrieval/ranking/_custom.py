"""A model's own similarity, whose values are ranked as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import RankingError, RobustError
from ...core.float32 import ieee_float32
from ...core.foreign import FOREIGN, described, let_go, traced, without_frames
from ...core.memory import advice_on, is_out_of_memory
from ._checks import Grouped, Rows, Similarity, parts


@dataclass(frozen=True, eq=False)
class _Sorted:
    """Queries or gallery in the order of their groups."""

    rows: torch.Tensor
    """As they were given."""
    order: torch.Tensor
    groups: torch.Tensor
    floors: torch.Tensor
    """float64: what each row has to reach."""
    counts: torch.Tensor
    """int64: how many wrong partners reach it."""

    def counts_as_given(self) -> torch.Tensor:
        """In the order of `rows`."""
        return torch.empty_like(self.counts).scatter_(0, self.order, self.counts)


class _Chunk(NamedTuple):
    """Queries and gallery items of the same groups."""

    q_part: slice
    g_part: slice


class _Tile(NamedTuple):
    q_part: slice
    g_part: slice
    scores: torch.Tensor


class Strip(NamedTuple):
    """A few queries, and their scores with the whole gallery."""

    q_part: slice
    scores: torch.Tensor
    """(q, G), as the scorer gave them."""


def custom_counts(
    queries: Grouped, gallery: Grouped, similarity: Similarity, tile: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Q,) and (G,) int64: how many wrong partners score as high as the best right one.

    Each pair is scored once, because a scorer may round it in another way in another
    tile, and a tie would be lost. In the order of their groups all right pairs lie on
    the diagonal of chunks. These come first, so that what a row or a column has to
    reach is known before its other pairs are scored.
    """
    pairs = _AllPairs(_sorted(queries), _sorted(gallery), similarity, tile)
    chunks = _chunks(queries.groups, gallery.groups, tile)
    for chunk in chunks:
        pairs.meet_right(chunk)
    for chunk in chunks:
        for other in chunks:
            if other != chunk:
                pairs.count_wrong(chunk.q_part, other.g_part)
    return pairs.queries.counts_as_given(), pairs.gallery.counts_as_given()


def _sorted(side: Grouped) -> _Sorted:
    device = side.rows.device
    order = np.argsort(side.groups, kind="stable")
    groups = torch.from_numpy(side.groups[order]).to(device)
    floors = torch.full_like(groups, -torch.inf, dtype=torch.float64)
    counts = torch.zeros_like(groups)
    return _Sorted(
        side.rows, torch.from_numpy(order).to(device), groups, floors, counts
    )


def _chunks(
    q_groups: NDArray[np.int64], g_groups: NDArray[np.int64], tile: int
) -> list[_Chunk]:
    """Runs of whole groups, no longer than a tile on either side unless it is a single group."""
    groups = np.union1d(q_groups, g_groups)
    # Where each group ends on either side.
    q_ends = np.searchsorted(np.sort(q_groups), groups, side="right").tolist()
    g_ends = np.searchsorted(np.sort(g_groups), groups, side="right").tolist()
    chunks = []
    q_start = q_stop = 0
    g_start = g_stop = 0
    for q_end, g_end in zip(q_ends, g_ends, strict=True):
        is_empty = (q_stop, g_stop) == (q_start, g_start)
        if not is_empty and max(q_end - q_start, g_end - g_start) > tile:
            chunks.append(_Chunk(slice(q_start, q_stop), slice(g_start, g_stop)))
            q_start = q_stop
            g_start = g_stop
        q_stop = q_end
        g_stop = g_end
    return [*chunks, _Chunk(slice(q_start, q_stop), slice(g_start, g_stop))]


@dataclass(frozen=True, eq=False)
class _AllPairs:
    """All pairs of two sides, which a scorer of the user's own scores tile by tile."""

    queries: _Sorted
    gallery: _Sorted
    similarity: Similarity
    tile: int

    def meet_right(self, chunk: _Chunk) -> None:
        """Raise the floors by a chunk's right pairs.

        Where the chunk is one tile, its floors are then final, and its wrong pairs are
        counted. A longer one is a single group, without wrong pairs.
        """
        for q_part, g_part, scores in self._tiles(*chunk):
            q_groups = self.queries.groups[q_part, None]
            wrong = q_groups != self.gallery.groups[g_part]
            right_scores = scores.masked_fill(wrong, -torch.inf)
            _raise_floors(self.queries, q_part, right_scores.amax(1))
            _raise_floors(self.gallery, g_part, right_scores.amax(0))
            if (q_part, g_part) == chunk:
                # A NaN reaches no floor.
                self._count(q_part, g_part, scores.masked_fill_(~wrong, torch.nan))

    def count_wrong(self, q_part: slice, g_part: slice) -> None:
        """Count pairs of other groups, whose floors are final."""
        for tile in self._tiles(q_part, g_part):
            self._count(*tile)

    def _count(self, q_part: slice, g_part: slice, scores: torch.Tensor) -> None:
        q_reached = scores >= self.queries.floors[q_part, None]
        self.queries.counts[q_part] += q_reached.sum(1)
        g_reached = scores >= self.gallery.floors[g_part]
        self.gallery.counts[g_part] += g_reached.sum(0)

    def _tiles(self, q_parts: slice, g_parts: slice) -> Iterator[_Tile]:
        for q_part in parts(q_parts.stop, self.tile, q_parts.start):
            q_rows = self.queries.rows[self.queries.order[q_part]]
            for g_part in parts(g_parts.stop, self.tile, g_parts.start):
                g_rows = self.gallery.rows[self.gallery.order[g_part]]
                scores = scored(q_rows, g_rows, self.similarity)
                yield _Tile(q_part, g_part, scores.double())


def _raise_floors(side: _Sorted, part: slice, best: torch.Tensor) -> None:
    side.floors[part] = torch.maximum(side.floors[part], best)


def strips(
    queries: torch.Tensor, gallery: torch.Tensor, similarity: Similarity, tile: int
) -> Iterator[Strip]:
    """A few queries after the other, each with the whole gallery.

    So each pair is scored once: a scorer may round it in another way in another tile,
    and a tie would be lost. A strip holds no more than a tile does, or one query.
    """
    rows = max(1, min(tile, tile * tile // len(gallery)))
    for q_part in parts(len(queries), rows):
        tiles = [
            scored(queries[q_part], gallery[g_part], similarity)
            for g_part in parts(len(gallery), tile)
        ]
        yield Strip(q_part, torch.cat(tiles, 1))


def on_device_of(rows: Rows, similarity: Similarity) -> Similarity:
    """The scorer, given rows on the device of the caller's: it may have weights there.

    Those of an Apple GPU are ranked on the host.
    """
    if not isinstance(rows, torch.Tensor) or rows.device.type != "mps":
        return similarity
    device = rows.device

    def score(queries: torch.Tensor, gallery: torch.Tensor) -> torch.Tensor:
        scores = similarity(queries.to(device), gallery.to(device))
        return scores.cpu() if isinstance(scores, torch.Tensor) else scores

    return score


def scored(
    queries: torch.Tensor, gallery: torch.Tensor, similarity: Similarity
) -> torch.Tensor:
    """(q, g) the scores that a scorer of the user's own gives; `RankingError` otherwise.

    Memory that runs out in it is an `OutOfMemory` error, or the error that it raised.
    """
    scores = _called(queries, gallery, similarity)
    # Raised outside of the handler, so that no foreign error hangs on to ours.
    if isinstance(scores, BaseException):
        raise _error_of(scores, str(queries.device))
    shape = (len(queries), len(gallery))
    if not isinstance(scores, torch.Tensor) or tuple(scores.shape) != shape:
        raise RankingError(
            f"Expected similarity to give a tensor of scores of shape {shape}, got"
            f" {_shape_or_type(scores)}. Return one score for each query and gallery"
            " row."
        )
    if scores.is_complex() or scores.is_meta or scores.layout != torch.strided:
        raise RankingError(
            "Expected similarity to give real scores in a plain tensor, got"
            f" dtype={scores.dtype}, layout={scores.layout} on {scores.device}. Return"
            " one real number for each pair."
        )
    scores = scores.detach().to(queries.device)
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
            scores = similarity(queries.clone(), gallery.clone())
            return scores.clone() if isinstance(scores, torch.Tensor) else scores
    except FOREIGN as error:
        return error


def _error_of(error: BaseException, device: str) -> BaseException:
    if is_out_of_memory(error) or isinstance(error, RobustError):
        return without_frames(error)
    got = described(error)
    advice = advice_on(error, device, "Fix the scorer, or the device of its weights.")
    ours = RankingError(f"Expected similarity to give scores, got {got}. {advice}")
    ours = traced(ours, error)
    let_go(error)
    return ours


def _shape_or_type(scores: object) -> str:
    if isinstance(scores, torch.Tensor):
        return f"shape={tuple(scores.shape)}"
    return f"a {type(scores).__name__}"
