"""DICOM radiographs to 8 bits: modality LUT, VOI window, photometric interpretation. Needs the extra `dicom`.

DICOM PS3.3 C.7.6.3 (image pixel), C.11.1 (modality LUT) and C.11.2 (VOI LUT), by pydicom's own functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..errors import DatasetError, UnreadableImageError
from ._pixels import MOST_PIXELS, from_levels

if TYPE_CHECKING:
    from PIL.Image import Image

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR")


def read_dicom(stream: BinaryIO, shown: str) -> Image:
    """One DICOM image as it is meant to be seen, in 8 bits: `L`, or `RGB` for colour.

    The modality LUT or rescale, then the first VOI LUT or window; without either, the values' own minimum is black and
    their maximum white. MONOCHROME1 is inverted. Raises `UnreadableImageError`, and `DatasetError` where a library for
    its compression is not installed.
    """
    try:
        import pydicom
    except ImportError as error:
        raise DatasetError(
            f"Expected pydicom to read {shown}, got no such package. Run `pip install pytest-retrieval-robust[dicom]`."
        ) from error
    try:
        file = pydicom.dcmread(stream)
        _require_image(file, shown)
        pixels = _pixels(file, shown)
        if file.PhotometricInterpretation in _COLOUR:
            return _colour(file, pixels)
        return _grey(file, pixels)
    except DatasetError:
        raise
    except Exception as error:  # pydicom and the codecs raise a dozen types for damaged files
        raise UnreadableImageError(
            f"Expected a whole DICOM image, got {type(error).__name__} while it was decoded: {shown}. Copy it again, "
            "or choose on_error='skip'."
        ) from error


def _require_image(file: Any, shown: str) -> None:
    frames, rows, columns = (int(file.get(key) or 1) for key in ("NumberOfFrames", "Rows", "Columns"))
    if "PixelData" not in file:
        raise UnreadableImageError(f"Expected a DICOM image, got one without pixels: {shown}. Leave it out.")
    if file.PhotometricInterpretation not in (*_GREY, *_COLOUR):
        raise UnreadableImageError(
            f"Expected a grey or colour DICOM image, got PhotometricInterpretation={file.PhotometricInterpretation!r}: "
            f"{shown}. Leave it out."
        )
    if frames != 1 or rows * columns > MOST_PIXELS:
        raise UnreadableImageError(
            f"Expected one frame of at most {MOST_PIXELS} pixels, got frames={frames}, size={columns} x {rows}: "
            f"{shown}. Leave it out."
        )


def _pixels(file: Any, shown: str) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(file.pixel_array)
    except (RuntimeError, NotImplementedError, AttributeError) as error:
        syntax = file.file_meta.TransferSyntaxUID
        if not syntax.is_compressed or ("missing" not in str(error) and "plugin" not in str(error)):
            raise
        raise DatasetError(
            f"Expected a codec for the transfer syntax {syntax.name}, got none that is installed for {shown}. "
            "Run `pip install pytest-retrieval-robust[dicom]`."
        ) from error


def _colour(file: Any, pixels: np.ndarray[Any, Any]) -> Image:
    from PIL import Image as images
    from pydicom.pixels.processing import apply_color_lut

    if file.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, file)  # 8 or 16 bits an entry; the others are RGB already
        bits = int(file.RedPaletteColorLookupTableDescriptor[2])
    else:
        bits = int(file.BitsStored)
    values = pixels.astype(np.float64) / (2**bits - 1) * 255
    return images.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8), "RGB")


def _grey(file: Any, pixels: np.ndarray[Any, Any]) -> Image:
    from pydicom.pixels.processing import apply_rescale, apply_windowing

    table, voi = file.get("ModalityLUTSequence"), file.get("VOILUTSequence")
    values = _looked_up(pixels, table[0], file) if table else apply_rescale(pixels, file)
    if voi:
        shows, (black, white) = _looked_up(values, voi[0], file), (0.0, _most(voi[0]))
    elif file.get("WindowWidth") is not None:
        shows, (black, white) = apply_windowing(values, file), _window_range(file)
    else:
        shows, (black, white) = values, (float(values.min()), float(values.max()))
    if black == white:
        white = black + 1  # one level all over: black
    image = from_levels(np.asarray(shows, dtype=np.float64), black, white)
    if file.PhotometricInterpretation == "MONOCHROME1":
        return image.point([255 - level for level in range(256)])
    return image


def _looked_up(values: np.ndarray[Any, Any], table: Any, file: Any) -> np.ndarray[Any, Any]:
    """Values through a modality or VOI LUT (C.11.1.1). pydicom's own fails for tables of 9 bits, and of 8 bits where
    values have more."""
    count, first, bits = (int(part) for part in table.LUTDescriptor)
    count = count or 65536
    if first > 32767 and (file.PixelRepresentation or values.min() < 0):
        first -= 65536  # written as an unsigned number
    data = table.LUTData
    if isinstance(data, bytes):
        width = (
            np.uint8 if len(data) == count and bits <= 8 else np.dtype("<u2" if file.original_encoding[1] else ">u2")
        )
        data = np.frombuffer(data, dtype=width)
    entries = np.asarray(data, dtype=np.float64)[:count]
    return np.asarray(np.take(entries, np.rint(values).astype(np.int64) - first, mode="clip"))


def _most(table: Any) -> float:
    return float(2 ** int(table.LUTDescriptor[2]) - 1)


def _window_range(file: Any) -> tuple[float, float]:
    """What a window maps to: the range that the stored bits can have after the modality step, as pydicom's does."""
    if file.get("ModalityLUTSequence"):
        return 0.0, _most(file.ModalityLUTSequence[0])
    bits = int(file.BitsStored)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if file.PixelRepresentation else (0, 2**bits - 1)
    slope, intercept = (float(file.get(key, default)) for key, default in _RESCALE)
    return low * slope + intercept, high * slope + intercept


_RESCALE = (("RescaleSlope", 1), ("RescaleIntercept", 0))
