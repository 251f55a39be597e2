"""Which pairs are right, and what the best of them score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ._checks import parts
from ._exact import Side, pair_bounds, tile_bounds
from ._kernels import Kernels


@dataclass(frozen=True)
class RightPairs:
    """Pairs of equal group, in the order of the tiles that they lie in."""

    q_index: torch.Tensor
    g_index: torch.Tensor
    starts: NDArray[np.int64]
    """Where each tile's pairs start; the tiles of a tile of queries follow one another."""
    columns: int
    """Tiles a tile of queries."""
    rows: int
    """Queries a tile."""
    tile: int
    """Gallery items a tile."""

    def within(self, some: slice, others: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """The places of the right pairs of a tile of queries, and of a run of tiles of
        the gallery, within these.
        """
        first = some.start // self.rows * self.columns
        start, stop = (
            first + others.start // self.tile,
            first - (-others.stop // self.tile),
        )
        part = slice(int(self.starts[start]), int(self.starts[stop]))
        return self.q_index[part] - some.start, self.g_index[part] - others.start


def right_pairs(
    queries: Side, gallery: Side, rows: int, tile: int
) -> RightPairs | None:
    """None where groups are so large that the pairs are better found by comparing all
    groups of a tile.
    """
    q_groups, g_groups = queries.groups.cpu().numpy(), gallery.groups.cpu().numpy()
    order = np.argsort(g_groups, kind="stable")
    first = np.searchsorted(g_groups, q_groups, sorter=order)
    counts = np.searchsorted(g_groups, q_groups, side="right", sorter=order) - first
    total = int(counts.sum())
    if total > 8 * (len(q_groups) + len(g_groups)):
        return None
    q_index = np.repeat(np.arange(len(q_groups)), counts)
    within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    g_index = order[np.repeat(first, counts) + within]
    columns = -(-len(g_groups) // tile)
    tiles = q_index // rows * columns + g_index // tile
    by_tile = np.argsort(tiles, kind="stable")
    starts = np.searchsorted(
        tiles[by_tile], np.arange(-(-len(q_groups) // rows) * columns + 1)
    )
    device = queries.rows.device
    there = [
        torch.from_numpy(index[by_tile]).to(device) for index in (q_index, g_index)
    ]
    return RightPairs(there[0], there[1], starts, columns, rows, tile)


def best_right(
    kernels: Kernels, queries: Side, gallery: Side, pairs: RightPairs | None, tile: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Q,) and (G,) float64: what each one's best right partner scores at least; minus
    infinity where it has none.
    """
    floors = [torch.full_like(side.norms, -torch.inf) for side in (queries, gallery)]
    if pairs is None:
        _raise_by_tiles(queries, gallery, floors, tile)
    else:
        lowest = pair_bounds(
            kernels, queries, gallery, pairs.q_index, pairs.g_index, -1
        )
        for floor, index in zip(floors, (pairs.q_index, pairs.g_index), strict=True):
            floor.scatter_reduce_(0, index, lowest, "amax")
    return floors[0], floors[1]


def _raise_by_tiles(
    queries: Side, gallery: Side, floors: list[torch.Tensor], tile: int
) -> None:
    """With both sides in the order of their groups, the right items of a tile of
    queries are one stretch.
    """
    q_order, g_order = (
        queries.groups.argsort(stable=True),
        gallery.groups.argsort(stable=True),
    )
    q_sorted, g_sorted = queries.groups[q_order].cpu(), gallery.groups[g_order].cpu()
    for part in parts(len(queries), tile):
        first, last = q_sorted[part][0], q_sorted[part][-1]
        start, stop = (
            int(torch.searchsorted(g_sorted, first)),
            int(torch.searchsorted(g_sorted, last, right=True)),
        )
        some = queries[q_order[part]]
        for stretch in parts(stop, tile, start):
            others = gallery[g_order[stretch]]
            wrong = some.groups[:, None] != others.groups[None, :]
            lowest = tile_bounds(some, others, -1).masked_fill_(wrong, -torch.inf)
            for floor, index, dim in (
                (floors[0], q_order[part], 1),
                (floors[1], g_order[stretch], 0),
            ):
                floor[index] = torch.maximum(floor[index], lowest.amax(dim))
