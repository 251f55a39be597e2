"""How much of a problem each kind of device takes at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch

# Rows of float64 that stay in a processor's cache.
_IN_CACHE = 256
# Fewer rows at a time are not worth a GPU's start of a loop.
_FEWEST_ON_DEVICE = 256
# A GPU's tiles are larger: its time goes into starting work.
_LARGER_ON_DEVICE = 4
# Scores that a tile may have, so that counters of 32 bits can hold any group of tiles.
_MOST_SCORES = 2**27
_GROUP = 8


@dataclass(frozen=True)
class Sizes:
    """Everything grows and shrinks with the tile, so that less memory is one number less."""

    tile: int
    """Gallery items of which all scores are float64 at a time."""
    rows: int
    """Queries of a tile of scores: what surrounds the products takes time too."""
    columns: int
    """Gallery items of a tile of scores, a multiple of `tile`."""
    product: int
    """Queries of one product."""
    piece: int
    """Single rows or pairs that are float64 at a time."""
    group: int
    """Tiles that a device is given before the host looks at what came out."""
    width: int
    """The filters' rows are filled up with zeros to a multiple of so many numbers."""

    @property
    def scores(self) -> int:
        return self.rows * self.columns


def sizes_for(device: torch.device, tile: int, dimension: int) -> Sizes:
    """For a caller's `tile`, rows that are compared at a time.

    On a processor the scores take 24 MiB with a tile of 1,024 rows. They are made by
    products of 1,024 x 2,048, because larger ones are several percent slower, and
    float64 rows stay in the cache. On a GPU the scores take 512 MiB, and float64 rows
    256 MiB together with what they are made from. Its tensor cores want rows of a
    multiple of 16 bytes.
    """
    if device.type == "cpu":
        return Sizes(
            tile,
            rows=3 * tile,
            columns=2 * tile,
            product=tile,
            piece=_IN_CACHE,
            group=1,
            width=1,
        )
    tile *= _LARGER_ON_DEVICE
    rows = 2 * tile
    columns = 4 * tile
    while rows * columns > _MOST_SCORES and tile > 1:
        tile = max(1, tile // 2)
        rows = 2 * tile
        columns = 4 * tile
    piece = max(_FEWEST_ON_DEVICE, rows * columns // (8 * dimension))
    return Sizes(tile, rows, columns, rows, piece, _GROUP, width=8)
