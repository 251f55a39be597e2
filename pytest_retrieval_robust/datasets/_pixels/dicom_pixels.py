"""The stored pixels of a DICOM file: its codec, and compressed streams that claim too much."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import DatasetError
from ...core.foreign import FOREIGN, let_go
from .damage import kind_of
from .dicom_elements import whole
from .dicom_file import INSTALL_DICOM
from .refusals import CONVERT, COPY_AGAIN, Refused, require_size

_MOST_BOXES = 4096
"""Bytes in which a JPEG 2000 stream begins if it is in a file format's boxes."""
_JPEG_2000_START = b"\xff\x4f\xff\x51"
_JPEG_START = b"\xff\xd8"
_STANDALONE = (0x01, *range(0xD0, 0xD9))
"""JPEG markers without a length: TEM, RST0 to RST7 and SOI."""
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
"""JPEG markers that give the size: SOF0 to SOF15, and SOF55 of JPEG-LS."""


def stored_pixels(file: Any, photometric: str) -> np.ndarray[Any, Any]:
    """The stored values in the machine's byte order.

    (rows, columns), or (rows, columns, 3) in RGB.
    """
    syntax = file.file_meta.TransferSyntaxUID
    decoder = _decoder(syntax)
    if not decoder.is_available:
        raise _lacks_codec(syntax)
    if syntax.is_encapsulated:
        _require_size_of_stream(file)
    # pydicom takes the word only as the standard writes it.
    file.PhotometricInterpretation = photometric
    try:
        pixels = np.asarray(file.pixel_array)
    except FOREIGN as error:
        got = f"{kind_of(error)} while it was decoded"
        let_go(error)
    else:
        native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
        return np.ascontiguousarray(native)

    # Pillow decodes JPEG of 8 bits alone: the file is whole, a codec is missing.
    has_pillow_alone = decoder.available_plugins == ("pillow",)
    if has_pillow_alone and (whole(file, "BitsStored") or 0) > 8:
        raise _lacks_codec(syntax)
    raise Refused("a whole DICOM image", got, COPY_AGAIN)


def _decoder(syntax: Any) -> Any:
    from pydicom.pixels.decoders.base import get_decoder

    try:
        return get_decoder(syntax)
    except NotImplementedError:
        pass
    raise Refused("a transfer syntax that pydicom decodes", _name_of(syntax), CONVERT)


def _lacks_codec(syntax: Any) -> Refused:
    return Refused(
        f"a codec for the transfer syntax {_name_of(syntax)}",
        "none that is installed",
        INSTALL_DICOM,
        DatasetError,
    )


def _name_of(syntax: Any) -> str:
    """The name in the standard. Any other text of the file may be a patient's name."""
    return "another one" if syntax.name == str(syntax) else str(syntax.name)


def _require_size_of_stream(file: Any) -> None:
    """Raise `Refused` if a compressed picture claims more pixels than its header.

    A codec would allocate them.
    """
    from pydicom.encaps import get_frame
    from pydicom.uid import RLELossless

    stream = get_frame(file.PixelData, 0, number_of_frames=1)
    size = _size_of_stream(stream)
    if size is not None:
        require_size(*size)
    if file.file_meta.TransferSyntaxUID != RLELossless:
        return
    # Run lengths give no size. A stream that is longer than its pixels would expand to
    # 64 times as much, all of it.
    samples = int(file.Rows) * int(file.Columns) * int(file.SamplesPerPixel)
    plain_bytes = samples * int(file.BitsAllocated) // 8
    if len(stream) > 2 * plain_bytes + 1024:
        raise Refused(
            "run lengths shorter than the pixels they stand for",
            f"{len(stream)} bytes for {plain_bytes}",
            COPY_AGAIN,
        )


def _size_of_stream(stream: bytes) -> tuple[int, int] | None:
    """(columns, rows) that a JPEG, JPEG-LS or JPEG 2000 stream claims.

    None for other and damaged streams.
    """
    codestream = stream.find(_JPEG_2000_START, 0, _MOST_BOXES)
    if codestream >= 0:
        columns = int.from_bytes(stream[codestream + 8 : codestream + 12], "big")
        rows = int.from_bytes(stream[codestream + 12 : codestream + 16], "big")
        return columns, rows
    if not stream.startswith(_JPEG_START):
        return None

    # From marker to marker, until one is a frame header.
    position = 2
    while position + 9 <= len(stream):
        if stream[position] != 0xFF:
            return None
        marker = stream[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in _STANDALONE:
            position += 2
        elif marker in _FRAME_HEADERS:
            rows = int.from_bytes(stream[position + 5 : position + 7], "big")
            columns = int.from_bytes(stream[position + 7 : position + 9], "big")
            return columns, rows
        else:
            position += 2 + int.from_bytes(stream[position + 2 : position + 4], "big")
    return None
