"""Look-up tables of DICOM files: modality, VOI and palette tables (PS3.3 C.11, C.7.9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .levels import Values
from .refusals import CONVERT, COPY_AGAIN, LEAST_SHARE, LEAVE_OUT, Refused

_COUNT_OF_ZERO = 65_536
"""Entries of a table whose descriptor says 0: its count is a number of 16 bits."""
_DISCRETE = 0
_LINEAR = 1
_INDIRECT = 2


@dataclass(frozen=True)
class TableData:
    """The elements that hold a look-up table, as pydicom gives them."""

    descriptor: Any
    """Number of entries, first value that is mapped, and bits per entry."""
    entries: Any
    is_little_endian: bool
    is_signed: bool = False
    """Whether the values that are looked up may be negative."""
    is_segmented: bool = False


class LookupTable:
    """A modality, VOI or palette look-up table (PS3.3 C.11.1.1, C.7.6.3.1.5)."""

    def __init__(self, data: TableData) -> None:
        count, self._first_value, bits = (int(part) for part in data.descriptor)
        if not 1 <= bits <= 16:
            raise Refused("a look-up table of 1 to 16 bits", f"{bits}", LEAVE_OUT)
        count = count or _COUNT_OF_ZERO
        self._may_be_negative = data.is_signed
        self.most = 2**bits - 1
        """The greatest entry that the table's bits can hold: white."""

        words = _words(data, count, bits)
        entries = _segmented(words, count) if data.is_segmented else words[:count]
        if len(entries) < count:
            raise Refused(
                "a whole look-up table",
                f"{len(entries)} of {count} entries",
                COPY_AGAIN,
            )
        self._entries = np.asarray(entries, dtype=np.float64)
        self.greatest = float(self._entries.max())

    def entries_of(self, values: Values) -> Values:
        """Each value's entry.

        Values before the first entry have the first one, those after the last the last.
        """
        first_value = self._first_value
        # Some writers put a negative first value as an unsigned number.
        if first_value > 32767 and (self._may_be_negative or values.min() < 0):
            first_value -= 65536
        places = np.rint(values).astype(np.int64) - first_value
        return np.asarray(np.take(self._entries, places, mode="clip"))

    def shares(self, values: Values) -> Values:
        """Each value's entry on a scale of 0 to 1."""
        shares: Values = self.entries_of(values) / self.most
        return shares


def require_visible(tables: Sequence[LookupTable]) -> None:
    """Raise `Refused` if the entries use a small part of the bits of their descriptor."""
    # One visible channel of a palette is enough to see the picture.
    if all(table.greatest * LEAST_SHARE < table.most for table in tables):
        greatest = max(table.greatest for table in tables)
        raise Refused(
            "a look-up table to be seen by",
            f"entries up to {greatest:g} of {tables[0].most}, all but black",
            CONVERT,
        )


def _words(data: TableData, count: int, bits: int) -> NDArray[Any]:
    """The table's numbers: of one or two bytes each, or already numbers by pydicom."""
    content = data.entries
    if content is None:
        raise Refused("a whole look-up table", "none", COPY_AGAIN)
    if not isinstance(content, bytes):
        return np.atleast_1d(np.asarray(content, dtype=np.int64))

    byte_order = "<u2" if data.is_little_endian else ">u2"
    whole_words = np.frombuffer(content[: len(content) // 2 * 2], dtype=byte_order)
    has_a_byte_per_entry = len(content) in (count, count + count % 2)
    is_packed = bits <= 8 and (data.is_segmented or has_a_byte_per_entry)
    if not is_packed:
        return whole_words
    if len(content) % 2:
        return np.frombuffer(content, dtype=np.uint8)
    # Two entries are in a word, the first one in its low half, whatever the byte order.
    return whole_words.astype("<u2").view(np.uint8)


def _segmented(words: NDArray[Any], count: int) -> list[int]:
    """The entries of a segmented table (PS3.3 C.7.9.2).

    At most `count` of them: a few bytes may mean billions.
    """
    segments = _Segments(is_packed=words.itemsize == 1, count=count)
    segments.expand(words.tolist())
    return segments.entries[:count]


class _Segments:
    """Expands the segments of a table into its entries."""

    def __init__(self, *, is_packed: bool, count: int) -> None:
        self._is_packed = is_packed
        self._count = count
        self.entries: list[int] = []

    def expand(self, words: list[int], most_segments: int | None = None) -> None:
        """Add the entries of the segments that `words` begins with.

        `most_segments` is the number that an indirect segment repeats, which may not be
        indirect themselves.
        """
        position = 0
        expanded = 0
        while expanded != most_segments and position + 1 < len(words):
            if len(self.entries) >= self._count:
                return
            # Each segment begins with its kind and its length.
            kind, length = words[position : position + 2]
            position += 2
            if kind == _DISCRETE:
                self.entries += words[position : position + length]
                position += length
            elif kind == _LINEAR and self.entries and position < len(words):
                self.entries += _line(self.entries[-1], words[position], length)
                position += 1
            elif kind == _INDIRECT and self.entries and most_segments is None:
                width = 4 if self._is_packed else 2
                target = _offset(words[position : position + width], self._is_packed)
                position += width
                self.expand(words[target:], most_segments=length)
            else:
                raise Refused(
                    "a whole look-up table", "segments that make none", COPY_AGAIN
                )
            expanded += 1


def _line(start: int, end: int, length: int) -> list[int]:
    """`length` entries after `start`, the last of which is `end`."""
    if length == 0:
        return []
    step = (end - start) / length
    return [int(value) for value in np.around(np.linspace(start + step, end, length))]


def _offset(parts: list[int], is_packed: bool) -> int:
    """The word that an indirect segment points to.

    The file gives a number of bytes, as two words, the less significant one first.
    """
    if not is_packed:
        low, high = parts
        return (low | high << 16) // 2
    low = parts[0] | parts[1] << 8
    high = parts[2] | parts[3] << 8
    return low | high << 16
