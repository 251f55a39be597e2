"""DICOM radiographs to 8 bits: modality LUT, VOI window, presentation. Needs the extra `dicom`.

DICOM PS3.3 C.7.6.3 (image pixel), C.11.1 (modality LUT), C.11.2 (VOI LUT) and
C.11.4/C.11.6 (presentation LUT), written out here: pydicom decodes the pixels. Where a
header contradicts the standard, we answer as DCMTK does, or refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .dicom_elements import first, number, whole, word
from .dicom_file import GREY, PALETTE, read_file, require_picture
from .dicom_pixels import stored_pixels
from .levels import Values, by_value
from .lookup_table import LookupTable, TableData, require_visible
from .refusals import LEAVE_OUT, Refused

if TYPE_CHECKING:
    from PIL.Image import Image

ValueMap = Callable[[Values], Values]


def read_dicom(stream: BinaryIO) -> Image:
    """One DICOM image as it is meant to be seen, in 8 bits: `L`, or `RGB` for colour.

    The modality LUT or rescale, then the first VOI LUT or window; without either, the
    values' own minimum is black and their maximum white, padding apart. Inverted if
    the presentation LUT's shape says so, or, without one, MONOCHROME1. Raises
    `Refused`, and whatever pydicom raises for damaged files.
    """
    from PIL import Image as images

    file = read_file(stream)
    photometric = require_picture(file)
    pixels = stored_pixels(file, photometric)
    if photometric in GREY:
        is_inverted = _is_inverted(file, photometric)
        return images.fromarray(_grey(file, pixels, is_inverted=is_inverted))
    return images.fromarray(_colour(file, pixels, photometric))


def _colour(file: Any, pixels: NDArray[Any], photometric: str) -> NDArray[np.uint8]:
    """RGB of any colour: pydicom has converted all but palettes by now."""
    if photometric == PALETTE:
        tables = [_palette(file, colour) for colour in ("Red", "Green", "Blue")]
        require_visible(tables)
        channels = [by_value(pixels, table.shares) for table in tables]
        return np.stack(channels, axis=-1)
    white = 2 ** int(file.BitsStored) - 1
    return by_value(pixels, lambda stored: stored / white)


def _palette(file: Any, colour: str) -> LookupTable:
    segments = file.get(f"Segmented{colour}PaletteColorLookupTableData")
    is_segmented = segments is not None
    plain = file.get(f"{colour}PaletteColorLookupTableData")
    return LookupTable(
        TableData(
            file[f"{colour}PaletteColorLookupTableDescriptor"].value,
            segments if is_segmented else plain,
            _is_little_endian(file),
            is_segmented=is_segmented,
        )
    )


def _grey(file: Any, pixels: NDArray[Any], *, is_inverted: bool) -> NDArray[np.uint8]:
    to_values = _modality(file)
    window = _voi(file)
    if window is None:
        return by_value(pixels, _stretched(file, to_values, is_inverted=is_inverted))
    to_shares = window

    def windowed(stored: Values) -> Values:
        shares = to_shares(to_values(stored))
        return 1 - shares if is_inverted else shares

    return by_value(pixels, windowed)


def _stretched(file: Any, to_values: ValueMap, *, is_inverted: bool) -> ValueMap:
    """From the picture's own minimum to its own maximum."""

    def shares_of(stored: Values) -> Values:
        values = to_values(stored)
        padding = _padding(file, stored)
        # Padding sets no contrast, unless there is nothing else.
        picture = values if padding.all() else values[~padding]
        shares = _between(values, float(picture.min()), float(picture.max()))
        if is_inverted:
            shares = 1 - shares
        return np.where(padding, 0, shares)

    return shares_of


def _between(values: Values, black: float, white: float) -> Values:
    """Values on a linear scale; a picture of one level is black."""
    return (values - black) / ((white - black) or 1)


def _is_inverted(file: Any, photometric: str) -> bool:
    """Whether the greatest values are black.

    In the modules that have it the shape repeats what the photometric interpretation
    says: INVERSE of MONOCHROME1, IDENTITY of MONOCHROME2 (PS3.3 C.8.11.3). If the
    two contradict each other, it is what comes last in the pipeline, and DCMTK follows
    it.
    """
    # Any other word could be a patient's name: it is not repeated.
    shape = word(file, "PresentationLUTShape")
    if shape not in ("", "IDENTITY", "INVERSE"):
        raise Refused(
            "PresentationLUTShape IDENTITY or INVERSE", "another one", LEAVE_OUT
        )
    return shape == "INVERSE" if shape else photometric == "MONOCHROME1"


def _padding(file: Any, stored: Values) -> NDArray[np.bool_]:
    """Which stored values stand for no picture (PS3.3 C.7.5.1.1.2): these are black."""
    value = _as_stored(file, "PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, dtype=np.bool_)
    limit = _as_stored(file, "PixelPaddingRangeLimit")
    if limit is None:
        limit = value
    least = min(value, limit)
    greatest = max(value, limit)
    return np.logical_and(stored >= least, stored <= greatest)


def _as_stored(file: Any, key: str) -> int | None:
    """A padding value as the pixels have it.

    It may be written unsigned although the pixels are signed, and the other way round.
    """
    value = whole(file, key)
    if value is None:
        return None
    modulus: int = 2 ** int(file.BitsAllocated)
    unsigned = int(value % modulus)
    if file.PixelRepresentation and unsigned >= modulus // 2:
        return unsigned - modulus
    return unsigned


def _modality(file: Any) -> ValueMap:
    """PS3.3 C.11.1: a table; or slope and intercept, if both are there."""
    table = first(file, "ModalityLUTSequence")
    if table is not None:
        return _table_of(file, table).entries_of
    slope = number(file, "RescaleSlope")
    intercept = number(file, "RescaleIntercept")
    # A slope of 0 would make one level of all: it stands for a missing one.
    if slope is None or intercept is None or slope == 0:
        return lambda values: values
    scale = slope
    offset = intercept
    return lambda values: values * scale + offset


def _voi(file: Any) -> ValueMap | None:
    """PS3.3 C.11.2: the first table, or the first window, on a scale of 0 to 1.

    None if there is neither.
    """
    item = first(file, "VOILUTSequence")
    if item is not None:
        table = _table_of(file, item)
        require_visible([table])
        return table.shares
    centre = number(file, "WindowCenter")
    width = number(file, "WindowWidth")
    if centre is None or width is None:
        return None
    return _window(centre, width, word(file, "VOILUTFunction") or "LINEAR")


def _window(centre: float, width: float, function: str) -> ValueMap:
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise Refused(
            "VOILUTFunction LINEAR, LINEAR_EXACT or SIGMOID", "another one", LEAVE_OUT
        )
    if function == "LINEAR" and width < 1:
        raise Refused("a WindowWidth of 1 or more", f"{width:g}", LEAVE_OUT)
    if width <= 0:
        raise Refused("a WindowWidth of more than 0", f"{width:g}", LEAVE_OUT)

    if function == "SIGMOID":
        # Beyond 700 exp overflows, and its answer has long been 0 or 1.
        return lambda values: (
            1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
        )
    if function == "LINEAR_EXACT":
        return lambda values: np.clip((values - centre) / width + 0.5, 0, 1)
    # The formula of LINEAR would divide by 0: PS3.3 gives the limit.
    if width == 1:
        return lambda values: np.where(values > centre - 0.5, 1.0, 0.0)
    return lambda values: np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _table_of(file: Any, item: Any) -> LookupTable:
    return LookupTable(
        TableData(
            item.LUTDescriptor,
            item.LUTData,
            _is_little_endian(file),
            is_signed=bool(file.PixelRepresentation),
        )
    )


def _is_little_endian(file: Any) -> bool:
    return bool(file.original_encoding[1])
