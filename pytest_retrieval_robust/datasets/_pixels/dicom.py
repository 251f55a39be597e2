"""DICOM radiographs to 8 bits: modality LUT, VOI window, presentation. Needs the extra `dicom`.

DICOM PS3.3 C.7.6.3 (image pixel), C.11.1 (modality LUT), C.11.2 (VOI LUT) and
C.11.4/C.11.6 (presentation LUT), written out here: pydicom decodes the pixels. Where a
header contradicts the standard, DCMTK's answer is ours, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .dicom_file import (
    GREY,
    PALETTE,
    first,
    number,
    read_file,
    require_picture,
    stored_pixels,
    whole,
    word,
)
from .reading import (
    CONVERT,
    COPY_AGAIN,
    LEAST_SHARE,
    LEAVE_OUT,
    Refused,
    Values,
    by_value,
)

if TYPE_CHECKING:
    from PIL.Image import Image

_MOST_ENTRIES = 65_536
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


def read_dicom(stream: BinaryIO) -> Image:
    """One DICOM image as it is meant to be seen, in 8 bits: `L`, or `RGB` for colour.

    The modality LUT or rescale, then the first VOI LUT or window; without either, the
    values' own minimum is black and their maximum white, padding apart. Inverted where
    the presentation LUT's shape says so, or, without one, MONOCHROME1. Raises
    `Refused`, and whatever pydicom raises for damaged files.
    """
    from PIL import Image as images

    file = read_file(stream)
    photometric = require_picture(file)
    pixels = stored_pixels(file, photometric)
    if photometric in GREY:
        return images.fromarray(
            _grey(file, pixels, is_inverted=_is_inverted(file, photometric))
        )
    return images.fromarray(_colour(file, pixels, photometric))


def _colour(file: Any, pixels: NDArray[Any], photometric: str) -> NDArray[np.uint8]:
    """RGB of whatever colour: pydicom has converted the others by now."""
    if photometric == PALETTE:
        tables = [_palette(file, colour) for colour in ("Red", "Green", "Blue")]
        _require_visible(tables)
        channels = [by_value(pixels, table.shares) for table in tables]
        return np.stack(channels, axis=-1)
    white = 2 ** int(file.BitsStored) - 1
    return by_value(pixels, lambda stored: stored / white)


def _palette(file: Any, colour: str) -> _Table:
    descriptor = file[f"{colour}PaletteColorLookupTableDescriptor"].value
    segments = file.get(f"Segmented{colour}PaletteColorLookupTableData")
    data = (
        file.get(f"{colour}PaletteColorLookupTableData")
        if segments is None
        else segments
    )
    return _Table(
        descriptor, data, _is_little_endian(file), is_segmented=segments is not None
    )


def _require_visible(tables: Sequence[_Table]) -> None:
    """Raise `Refused` for tables whose entries use a small part of the bits that their
    descriptor gives them.
    """
    if all(table.greatest * LEAST_SHARE < table.most for table in tables):
        greatest = max(table.greatest for table in tables)
        raise Refused(
            "a look-up table to be seen by",
            f"entries up to {greatest:g} of {tables[0].most}, all but black",
            CONVERT,
        )


def _grey(file: Any, pixels: NDArray[Any], *, is_inverted: bool) -> NDArray[np.uint8]:
    modality, voi = _modality(file), _voi(file)

    def shown(stored: Values) -> Values:
        values = modality(stored)
        if voi is not None:
            shares = voi(values)
            return 1 - shares if is_inverted else shares
        padding = _padding(file, stored)
        counted = values[~padding] if not padding.all() else values
        shares = _between(values, float(counted.min()), float(counted.max()))
        shares = 1 - shares if is_inverted else shares
        return np.where(padding, 0, shares)

    return by_value(pixels, shown)


def _between(values: Values, black: float, white: float) -> Values:
    """Values on a linear scale; one level all over is black."""
    return (values - black) / ((white - black) or 1)


def _is_inverted(file: Any, photometric: str) -> bool:
    """Whether the greatest values are black.

    In the modules that have it the shape repeats what the photometric interpretation
    says: INVERSE of MONOCHROME1, IDENTITY of MONOCHROME2 (PS3.3 C.8.11.3). Where the
    two contradict each other, it is what comes last in the pipeline, and DCMTK follows
    it.
    """
    shape = word(file, "PresentationLUTShape")
    if shape not in ("", "IDENTITY", "INVERSE"):
        raise Refused(
            "PresentationLUTShape IDENTITY or INVERSE", "another one", LEAVE_OUT
        )
    return shape == "INVERSE" if shape else photometric == "MONOCHROME1"


def _padding(file: Any, stored: Values) -> NDArray[np.bool_]:
    """Which stored values stand for no picture at all (PS3.3 C.7.5.1.1.2): they set no
    contrast and are black.
    """
    one = _as_stored(file, "PixelPaddingValue")
    if one is None:
        return np.zeros(stored.shape, dtype=np.bool_)
    other = _as_stored(file, "PixelPaddingRangeLimit")
    if other is None:
        other = one
    return np.logical_and(stored >= min(one, other), stored <= max(one, other))


def _as_stored(file: Any, key: str) -> int | None:
    """A padding value as the pixels have it: it may be written unsigned where they are
    signed, and the other way.
    """
    value = whole(file, key)
    if value is None:
        return None
    modulus = 2 ** int(file.BitsAllocated)
    unsigned = int(value % modulus)
    return (
        unsigned - modulus
        if file.PixelRepresentation and unsigned >= modulus // 2
        else unsigned
    )


def _modality(file: Any) -> Callable[[Values], Values]:
    """PS3.3 C.11.1: a table, or slope and intercept where both are there."""
    table = first(file, "ModalityLUTSequence")
    if table is not None:
        return _table_of(file, table).of
    slope, intercept = number(file, "RescaleSlope"), number(file, "RescaleIntercept")
    if slope is None or intercept is None or slope == 0:
        return lambda values: values
    scale, offset = slope, intercept
    return lambda values: values * scale + offset


def _voi(file: Any) -> Callable[[Values], Values] | None:
    """PS3.3 C.11.2: the first table, or the first window, on a scale of 0 to 1; None
    where there is neither.
    """
    table = first(file, "VOILUTSequence")
    if table is not None:
        looked_up = _table_of(file, table)
        _require_visible([looked_up])
        return looked_up.shares
    centre, width = number(file, "WindowCenter"), number(file, "WindowWidth")
    if centre is None or width is None:
        return None
    return _window(centre, width, word(file, "VOILUTFunction") or "LINEAR")


def _window(centre: float, width: float, function: str) -> Callable[[Values], Values]:
    least = 1 if function == "LINEAR" else 0
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise Refused(
            "VOILUTFunction LINEAR, LINEAR_EXACT or SIGMOID", "another one", LEAVE_OUT
        )
    if width < least or width == 0:
        raise Refused(
            f"a WindowWidth of {'1 or more' if least else 'more than 0'}",
            f"{width:g}",
            LEAVE_OUT,
        )
    if function == "SIGMOID":
        # Beyond 700 exp overflows, and its answer has long been 0 or 1.
        return lambda values: (
            1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
        )
    if function == "LINEAR_EXACT":
        return lambda values: np.clip((values - centre) / width + 0.5, 0, 1)
    if width == 1:
        return lambda values: np.where(values > centre - 0.5, 1.0, 0.0)
    return lambda values: np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _table_of(file: Any, item: Any) -> _Table:
    return _Table(
        item.LUTDescriptor,
        item.LUTData,
        _is_little_endian(file),
        is_signed=bool(file.PixelRepresentation),
    )


def _is_little_endian(file: Any) -> bool:
    return bool(file.original_encoding[1])


class _Table:
    """A modality, VOI or palette look-up table (PS3.3 C.11.1.1, C.7.6.3.1.5)."""

    def __init__(
        self,
        descriptor: Any,
        data: Any,
        is_little: bool,
        *,
        is_signed: bool = False,
        is_segmented: bool = False,
    ) -> None:
        count, self._start, bits = (int(part) for part in descriptor)
        if not 1 <= bits <= 16:
            raise Refused("a look-up table of 1 to 16 bits", f"{bits}", LEAVE_OUT)
        count = count or _MOST_ENTRIES  # written as an unsigned number of 16 bits
        self._may_be_negative = is_signed
        self.most = 2**bits - 1
        """The greatest entry that the table's bits can hold: white."""
        words = _words(data, count, bits, is_little, is_segmented)
        entries = _segmented(words, count) if is_segmented else words[:count]
        if len(entries) < count:
            raise Refused(
                "a whole look-up table",
                f"{len(entries)} of {count} entries",
                COPY_AGAIN,
            )
        self._entries = np.asarray(entries, dtype=np.float64)
        self.greatest = float(self._entries.max())

    def of(self, values: Values) -> Values:
        """Each value's entry; values before the first and after the last entry have those."""
        start = self._start
        if start > 32767 and (self._may_be_negative or values.min() < 0):
            start -= 65536  # written as an unsigned number
        places = np.rint(values).astype(np.int64) - start
        return np.asarray(np.take(self._entries, places, mode="clip"))

    def shares(self, values: Values) -> Values:
        """Each value's entry on a scale of 0 to 1."""
        shares: Values = self.of(values) / self.most
        return shares


def _words(
    data: Any, count: int, bits: int, is_little: bool, is_segmented: bool
) -> NDArray[Any]:
    """The table's numbers: bytes of one or two each, or what pydicom has read as
    numbers already.
    """
    if data is None:
        raise Refused("a whole look-up table", "none", COPY_AGAIN)
    if not isinstance(data, bytes):
        return np.atleast_1d(np.asarray(data, dtype=np.int64))
    whole_words = np.frombuffer(
        data[: len(data) // 2 * 2], dtype="<u2" if is_little else ">u2"
    )
    is_packed = bits <= 8 and (is_segmented or len(data) in (count, count + count % 2))
    if is_packed and len(data) % 2:
        return np.frombuffer(data, dtype=np.uint8)
    if is_packed:  # two of them in a word, the first one in its low half
        return whole_words.astype("<u2").view(np.uint8)
    return whole_words


def _segmented(words: NDArray[Any], count: int) -> list[int]:
    """The entries of a segmented table (PS3.3 C.7.9.2), at most `count` of them: a few
    bytes may mean billions.
    """
    entries: list[int] = []
    _expand(words.tolist(), words.itemsize == 1, entries, count, most_segments=None)
    return entries[:count]


def _expand(
    words: list[int],
    is_packed: bool,
    entries: list[int],
    count: int,
    most_segments: int | None,
) -> None:
    place = segments = 0
    while place + 1 < len(words) and len(entries) < count and segments != most_segments:
        kind, length = words[place : place + 2]
        place += 2
        if kind == _DISCRETE:
            entries += words[place : place + length]
            place += length
        elif kind == _LINEAR and entries and place < len(words):
            entries += _line(entries[-1], words[place], length)
            place += 1
        elif kind == _INDIRECT and entries and most_segments is None:
            width = 4 if is_packed else 2
            target = _offset(words[place : place + width], is_packed)
            place += width
            _expand(words[target:], is_packed, entries, count, most_segments=length)
        else:
            raise Refused(
                "a whole look-up table", "segments that make none", COPY_AGAIN
            )
        segments += 1


def _line(start: int, end: int, length: int) -> list[int]:
    """`length` entries after `start`, the last of which is `end`."""
    if length == 0:
        return []
    step = (end - start) / length
    return [int(value) for value in np.around(np.linspace(start + step, end, length))]


def _offset(parts: list[int], is_packed: bool) -> int:
    """The word that an indirect segment points to: two words, the less significant one
    first, count bytes.
    """
    if is_packed:
        pairs = (parts[:2], parts[2:])
        low, high = (pair[0] | pair[1] << 8 for pair in pairs)
    else:
        low, high = parts
    offset = low | high << 16
    return offset if is_packed else offset // 2
