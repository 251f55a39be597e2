"""Pictures that are nearly the same: smaller, compressed again, a little brighter.

A picture becomes 16 x 17 grey levels, and these 256 signs: where brightness rises from
one column to the next. Two pictures are alike if few of their signs differ, and if their
levels go up and down together. Crops, flips and turns are other pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Bytes = NDArray[np.uint8]

MOST_DIFFERENT = 12
"""Signs of 256 that may differ between pictures that are alike."""
LEAST_CORRELATION = 0.99
"""Of the levels of pictures that are alike. Pictures of the same organ come near 0.97."""
_ROWS = 16
_COLUMNS = 17
_RISE = 2
"""Grey levels that count as a rise: rounding and compression are below it."""
_LEAST_RISES = 32
"""Cells that must rise or fall. Plain pictures would all be alike."""
_BANDS = MOST_DIFFERENT + 1
"""Pictures that differ in fewer signs than there are bands agree in one band whole."""
_MOST_NEIGHBOURS = 64
"""How many pictures of one band are compared with each other, next in order."""
_BITS_OF = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)


def levels_of(image: Image) -> bytes | None:
    """The grey levels of an 8-bit picture's cells; None for one that is too plain.

    A blank or evenly grey picture has no signs of its own: all such would be alike.
    """
    from PIL.Image import Resampling

    small = image.convert("L").resize((_COLUMNS, _ROWS), Resampling.BOX)
    levels = np.asarray(small)
    changes = np.abs(_rises(levels[np.newaxis])) >= _RISE
    return levels.tobytes() if np.count_nonzero(changes) >= _LEAST_RISES else None


def alike(pictures: Sequence[bytes]) -> NDArray[np.int64]:
    """(pictures,) the same number for pictures that are alike, directly or by others.

    `pictures` are what `levels_of` gave. Time hardly grows faster than their number:
    pictures that differ in at most `MOST_DIFFERENT` signs agree in at least one of
    `_BANDS` parts of them, so that only those are compared. Of a part that very many
    have, each picture is compared with the `_MOST_NEIGHBOURS` that follow in the order
    of signs.
    """
    rows = np.frombuffer(b"".join(pictures), dtype=np.uint8)
    rows = rows.reshape(-1, _ROWS * _COLUMNS)
    # Each picture once: one that all have would be compared with itself.
    different, number_of = np.unique(rows, axis=0, return_inverse=True)
    groups = _groups(different.reshape(-1, _ROWS, _COLUMNS))
    return groups[number_of.reshape(-1)]


def _groups(levels: Bytes) -> NDArray[np.int64]:
    """The same number for those that are alike, of pictures that all differ."""
    signs = np.packbits(
        (_rises(levels) >= _RISE).reshape(len(levels), _ROWS * _ROWS), axis=1
    )
    # In the order of their signs, so that pictures of equal signs are neighbours.
    order = np.lexsort(signs.T[::-1])
    groups = _Groups(len(levels))
    for first, second in _close_pairs(signs[order]):
        ones = order[first]
        others = order[second]
        is_alike = _correlations(levels[ones], levels[others]) >= LEAST_CORRELATION
        for one, other in zip(ones[is_alike], others[is_alike], strict=True):
            groups.join(int(one), int(other))
    return groups.numbers()


def _rises(levels: Bytes) -> NDArray[np.int16]:
    """(B, 16, 16) how much brighter each cell is than the one to the left of it."""
    wide = levels.astype(np.int16)
    return wide[:, :, 1:] - wide[:, :, :-1]


def _close_pairs(
    signs: Bytes,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of rows that differ in few signs; a pair may come again."""
    for keys in _bands(signs):
        # Equal keys stand together, and in each the rows in their own order.
        order = np.argsort(keys, kind="stable")
        sorted_keys = keys[order]
        begins = np.arange(len(order))
        for step in range(1, _MOST_NEIGHBOURS + 1):
            begins = begins[begins + step < len(order)]
            begins = begins[sorted_keys[begins] == sorted_keys[begins + step]]
            if not len(begins):
                break
            first = order[begins]
            second = order[begins + step]
            is_close = _differences(signs[first], signs[second]) <= MOST_DIFFERENT
            yield first[is_close], second[is_close]


def _bands(signs: Bytes) -> Iterator[NDArray[np.uint32]]:
    """For each band the number that its signs make, (rows,)."""
    bits = np.unpackbits(signs, axis=1)
    # Signs from all over the picture: neighbours say the same of many pictures.
    places = np.random.default_rng(0).permutation(bits.shape[1])
    for band in np.array_split(places, _BANDS):
        keys = np.zeros(len(signs), dtype=np.uint32)
        for place in band:
            keys = (keys << np.uint32(1)) | bits[:, place]
        yield keys


def _differences(first: Bytes, second: Bytes) -> NDArray[np.int64]:
    """How many signs differ, row by row."""
    differing: NDArray[np.int64] = _BITS_OF[first ^ second].sum(axis=1, dtype=np.int64)
    return differing


def _correlations(first: Bytes, second: Bytes) -> NDArray[np.float32]:
    """Of the levels of two pictures, row by row."""
    one = _centred(first)
    other = _centred(second)
    products: NDArray[np.float32] = (one * other).sum(axis=1)
    return products


def _centred(levels: Bytes) -> NDArray[np.float32]:
    """(B, cells) of mean 0 and length 1: no picture here is even."""
    rows = levels.reshape(len(levels), _ROWS * _COLUMNS).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


class _Groups:
    """Numbers that are joined to groups."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def join(self, first: int, second: int) -> None:
        """The smaller number stands for both groups."""
        one = self._root(first)
        other = self._root(second)
        self._parents[max(one, other)] = min(one, other)

    def numbers(self) -> NDArray[np.int64]:
        roots = [self._root(number) for number in range(len(self._parents))]
        return np.array(roots, dtype=np.int64)

    def _root(self, number: int) -> int:
        while self._parents[number] != number:
            # Halves the way for those who ask later.
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number
