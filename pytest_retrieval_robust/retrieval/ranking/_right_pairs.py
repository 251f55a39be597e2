"""Which pairs are right, and what the best of them score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ._checks import parts
from ._exact import Side, pair_bounds, tile_bounds
from ._kernels import Engine
from ._sizes import Sizes

# Right pairs per row. With more, comparing all groups of a tile is cheaper than a list.
_MOST_PER_ROW = 8


@dataclass(frozen=True)
class RightPairs:
    """Pairs of equal group, in the order of the tiles that they lie in."""

    q_index: torch.Tensor
    g_index: torch.Tensor
    starts: NDArray[np.int64]
    """Where each tile's pairs start; the tiles of a tile of queries follow one another."""
    columns: int
    """Tiles per tile of queries."""
    rows: int
    """Queries per tile."""
    tile: int
    """Gallery items per tile."""

    def within(self, q_part: slice, g_part: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """The right pairs of a tile of queries and a run of tiles of the gallery, as
        numbers within these.
        """
        first_tile = q_part.start // self.rows * self.columns
        start = first_tile + g_part.start // self.tile
        stop = first_tile - (-g_part.stop // self.tile)
        pairs = slice(int(self.starts[start]), int(self.starts[stop]))
        return self.q_index[pairs] - q_part.start, self.g_index[pairs] - g_part.start


def right_pairs(queries: Side, gallery: Side, sizes: Sizes) -> RightPairs | None:
    """None where groups are so large that the pairs are better found by comparing all
    groups of a tile.
    """
    q_groups = queries.groups.cpu().numpy()
    g_groups = gallery.groups.cpu().numpy()
    # In the order of its groups, the gallery's right items of a query are one stretch.
    order = np.argsort(g_groups, kind="stable")
    first = np.searchsorted(g_groups, q_groups, sorter=order)
    after = np.searchsorted(g_groups, q_groups, side="right", sorter=order)
    counts = after - first
    total = int(counts.sum())
    if total > _MOST_PER_ROW * (len(q_groups) + len(g_groups)):
        return None
    q_index = np.repeat(np.arange(len(q_groups)), counts)
    within_stretch = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    g_index = order[np.repeat(first, counts) + within_stretch]

    # The pairs tile by tile.
    rows = sizes.rows
    tile = sizes.tile
    columns = -(-len(g_groups) // tile)
    tiles = q_index // rows * columns + g_index // tile
    by_tile = np.argsort(tiles, kind="stable")
    tile_count = -(-len(q_groups) // rows) * columns
    starts = np.searchsorted(tiles[by_tile], np.arange(tile_count + 1))
    device = queries.rows.device
    return RightPairs(
        torch.from_numpy(q_index[by_tile]).to(device),
        torch.from_numpy(g_index[by_tile]).to(device),
        starts,
        columns,
        rows,
        tile,
    )


def best_right(
    engine: Engine, queries: Side, gallery: Side, pairs: RightPairs | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Q,) and (G,) float64: what each one's best right partner scores at least; minus
    infinity where it has none.
    """
    if pairs is None:
        return _best_by_tiles(queries, gallery, engine.sizes.tile)
    lowest = pair_bounds(
        engine.kernels,
        queries,
        gallery,
        pairs.q_index,
        pairs.g_index,
        -1,
        engine.sizes.piece,
    )
    q_floors = _no_floors(queries)
    g_floors = _no_floors(gallery)
    q_floors.scatter_reduce_(0, pairs.q_index, lowest, "amax")
    g_floors.scatter_reduce_(0, pairs.g_index, lowest, "amax")
    return q_floors, g_floors


def _no_floors(side: Side) -> torch.Tensor:
    return torch.full_like(side.norms, -torch.inf)


def _best_by_tiles(
    queries: Side, gallery: Side, tile: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """With both sides in the order of their groups, the right items of a tile of
    queries are one stretch.
    """
    q_floors = _no_floors(queries)
    g_floors = _no_floors(gallery)
    q_order = queries.groups.argsort(stable=True)
    g_order = gallery.groups.argsort(stable=True)
    q_sorted = queries.groups[q_order].cpu()
    g_sorted = gallery.groups[g_order].cpu()
    for q_part in parts(len(queries), tile):
        q_index = q_order[q_part]
        q_tile = queries[q_index]
        first, last = q_sorted[q_part][0], q_sorted[q_part][-1]
        start = int(torch.searchsorted(g_sorted, first))
        stop = int(torch.searchsorted(g_sorted, last, right=True))
        for g_part in parts(stop, tile, start):
            g_index = g_order[g_part]
            g_tile = gallery[g_index]
            wrong = q_tile.groups[:, None] != g_tile.groups[None, :]
            lowest = tile_bounds(q_tile, g_tile, -1).masked_fill_(wrong, -torch.inf)
            q_floors[q_index] = torch.maximum(q_floors[q_index], lowest.amax(1))
            g_floors[g_index] = torch.maximum(g_floors[g_index], lowest.amax(0))
    return q_floors, g_floors
