"""DICOM files up to their stored pixels: reading that is bounded, what a picture must
say of itself, and codecs.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from ...core.errors import DatasetError
from ...core.foreign import FOREIGN, let_go
from .reading import (
    CONVERT,
    COPY_AGAIN,
    LEAVE_OUT,
    MOST_BYTES,
    Refused,
    kind_of,
    require_size,
)

GREY = ("MONOCHROME1", "MONOCHROME2")
PALETTE = "PALETTE COLOR"
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", PALETTE)
_NOT_READ = ("YBR_PARTIAL_422", "YBR_PARTIAL_420", "HSV", "ARGB", "CMYK", "XYB")
"""Words of the standard that may be repeated in a message.

Any other word may be a patient's name.
"""
_BITS_ALLOCATED = (1, 8, 16, 32)
_PIECE = 1 << 20
_PREFIX_END = 132
_EXTRA = "Run `pip install pytest-retrieval-robust[dicom]`."


def read_file(stream: BinaryIO) -> Any:
    """The data set of a DICOM file, in memory; what is deflated in it is expanded
    within `MOST_BYTES`.

    Raises `Refused` where pydicom is missing and for what is no DICOM, and whatever
    pydicom raises for damaged files.
    """
    try:
        import pydicom
    except ImportError:
        raise Refused(
            "pydicom to read DICOM", "no such package", _EXTRA, DatasetError
        ) from None
    head = stream.read(_PREFIX_END)
    stream.seek(0)
    has_prefix = head[128:] == b"DICM"
    file = pydicom.dcmread(
        _expanded(BytesIO(stream.read()), has_prefix), force=not has_prefix
    )
    if not has_prefix and "PixelData" not in file:
        raise Refused(
            "a whole image",
            "no PNG, JPEG, TIFF, WebP or DICOM (it has no DICM prefix)",
            COPY_AGAIN,
        )
    _complete_syntax(file)
    return file


def _expanded(stream: BytesIO, has_prefix: bool) -> BytesIO:
    """The file itself, or one that says the same without being deflated: pydicom would
    expand it without a limit.
    """
    from pydicom.filereader import read_dataset
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    stream.seek(_PREFIX_END if has_prefix else 0)
    if stream.read(2) != b"\x02\x00":
        stream.seek(0)
        return stream
    stream.seek(-2, 1)
    about = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag.group != 2)
    if about.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        stream.seek(0)
        return stream
    deflated = stream.read()
    size, whole = _expanded_size(deflated)
    if size > MOST_BYTES:
        raise Refused(
            f"a file of at most {MOST_BYTES} bytes",
            "a deflated one that expands to more",
            LEAVE_OUT,
        )
    if not whole:
        raise Refused(
            "a whole image", "a deflated DICOM file that was cut short", COPY_AGAIN
        )
    content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(deflated)
    return BytesIO(_explicit_header() + content)


def _expanded_size(deflated: bytes) -> tuple[int, bool]:
    """How many bytes a stream expands to, and whether its end was reached; beyond
    `MOST_BYTES` it is left.

    Counted in pieces, so that one which is refused takes no memory.
    """
    expander = zlib.decompressobj(-zlib.MAX_WBITS)
    size, rest = 0, deflated
    while not expander.eof and size <= MOST_BYTES:
        piece = expander.decompress(rest, _PIECE)
        rest = expander.unconsumed_tail
        size += len(piece)
        if not piece and not rest:
            break
    return size, expander.eof


def _explicit_header() -> bytes:
    """Preamble, prefix and the one element of the file meta information that pydicom needs."""
    from pydicom.uid import ExplicitVRLittleEndian

    syntax = ExplicitVRLittleEndian.encode()
    syntax += b"\0" * (len(syntax) % 2)
    return (
        b"\0" * 128
        + b"DICM"
        + b"\x02\x00\x10\x00UI"
        + len(syntax).to_bytes(2, "little")
        + syntax
    )


def _complete_syntax(file: Any) -> None:
    """A file without meta information says how it is written by the way it could be read."""
    from pydicom.uid import (
        ExplicitVRBigEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
    )

    if file.file_meta.get("TransferSyntaxUID"):
        return
    is_implicit, is_little = file.original_encoding
    if is_implicit:
        file.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    else:
        file.file_meta.TransferSyntaxUID = (
            ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        )


def word(file: Any, key: str) -> str:
    """The first value of a text element as the standard writes its words: in capitals,
    without padding; "" for none.
    """
    value = first(file, key)
    return "" if value is None else str(value).replace("\0", " ").strip().upper()


def number(file: Any, key: str) -> float | None:
    """The first value of a numeric element, None for an absent or empty one; `Refused`
    for NaN and infinities.
    """
    value = first(file, key)
    if value is None or str(value).strip() == "":
        return None
    found = float(value)
    if not math.isfinite(found):
        raise Refused("finite numbers in a DICOM header", f"{key}={found}", LEAVE_OUT)
    return found


def whole(file: Any, key: str) -> int | None:
    """The first value of an element that holds whole numbers, None for an absent or empty one."""
    value = first(file, key)
    return None if value is None or str(value).strip() == "" else int(value)


def first(file: Any, key: str) -> Any:
    """The first value of an element; None for an absent or empty one."""
    value = file.get(key)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return value[0] if len(value) else None
    return value


def require_picture(file: Any) -> str:
    """The photometric interpretation of a data set that is one whole picture; `Refused`
    says what else it is.
    """
    if "PixelData" not in file:
        is_float = "FloatPixelData" in file or "DoubleFloatPixelData" in file
        got = (
            "floating-point pixels, which have no known white"
            if is_float
            else "one without pixels"
        )
        raise Refused("a DICOM image", got, LEAVE_OUT)
    frames = whole(file, "NumberOfFrames") or 1
    if frames != 1:
        raise Refused("one picture per file", f"{frames} frames", CONVERT)
    photometric = word(file, "PhotometricInterpretation")
    if photometric not in (*GREY, *COLOUR):
        got = (
            f"PhotometricInterpretation={photometric}"
            if photometric in _NOT_READ
            else "none of the standard's"
        )
        raise Refused(
            f"PhotometricInterpretation {', '.join((*GREY, *COLOUR))}", got, LEAVE_OUT
        )
    _require_shape(file, photometric)
    _require_depth(file)
    return photometric


def _require_shape(file: Any, photometric: str) -> None:
    rows, columns = whole(file, "Rows") or 0, whole(file, "Columns") or 0
    if rows < 1 or columns < 1:
        raise Refused("a whole image", f"Rows={rows}, Columns={columns}", COPY_AGAIN)
    require_size(columns, rows)
    samples = whole(file, "SamplesPerPixel")
    expected = 1 if photometric in (*GREY, PALETTE) else 3
    if samples != expected:
        raise Refused(
            f"SamplesPerPixel={expected} of a picture in {photometric}",
            f"{samples}",
            CONVERT,
        )


def _require_depth(file: Any) -> None:
    allocated = whole(file, "BitsAllocated") or 0
    stored = whole(file, "BitsStored") or 0
    if allocated not in _BITS_ALLOCATED:
        raise Refused(
            f"BitsAllocated of {', '.join(map(str, _BITS_ALLOCATED))}",
            f"{allocated}",
            CONVERT,
        )
    if not 1 <= stored <= allocated:
        raise Refused(f"BitsStored from 1 to {allocated}", f"{stored}", CONVERT)
    if whole(file, "PixelRepresentation") not in (0, 1):
        raise Refused(
            "PixelRepresentation 0 or 1",
            f"{whole(file, 'PixelRepresentation')}",
            CONVERT,
        )
    high = whole(file, "HighBit")
    if (
        high is not None and high != stored - 1
    ):  # PS3.3 C.7.6.3: pixels that lie elsewhere were shown wrong
        raise Refused(
            f"HighBit={stored - 1} beside BitsStored={stored}", f"{high}", CONVERT
        )


def stored_pixels(file: Any, photometric: str) -> np.ndarray[Any, Any]:
    """The stored values, (rows, columns) or (rows, columns, 3) in RGB, in the machine's
    byte order.
    """
    syntax = file.file_meta.TransferSyntaxUID
    decoder = _decoder(syntax)
    if not decoder.is_available:
        raise _lacks_codec(syntax)
    if syntax.is_encapsulated:
        _require_size_of_stream(file)
    file.PhotometricInterpretation = (
        photometric  # pydicom takes it as the standard writes it, alone
    )
    try:
        pixels = np.asarray(file.pixel_array)
    except FOREIGN as error:
        got = f"{kind_of(error)} while it was decoded"
        let_go(error)
    else:
        return np.ascontiguousarray(
            pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
        )
    if (
        decoder.available_plugins == ("pillow",)
        and (whole(file, "BitsStored") or 0) > 8
    ):
        raise _lacks_codec(syntax)  # Pillow knows some of the kinds alone
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
        _EXTRA,
        DatasetError,
    )


def _name_of(syntax: Any) -> str:
    """The name that the standard gives it. Any other text of the file may be a patient's name."""
    return "another one" if syntax.name == str(syntax) else str(syntax.name)


def _require_size_of_stream(file: Any) -> None:
    """Raise `Refused` where a compressed picture claims more pixels than its header: a
    codec would allocate them.
    """
    from pydicom.encaps import get_frame
    from pydicom.uid import RLELossless

    stream = get_frame(file.PixelData, 0, number_of_frames=1)
    size = _size_of_stream(stream)
    if size is not None:
        require_size(*size)
    # Run lengths say no size. One that is longer than its pixels would expand to 64
    # times as much, all of it.
    plain = (
        int(file.Rows)
        * int(file.Columns)
        * int(file.SamplesPerPixel)
        * int(file.BitsAllocated)
        // 8
    )
    if (
        file.file_meta.TransferSyntaxUID == RLELossless
        and len(stream) > 2 * plain + 1024
    ):
        raise Refused(
            "run lengths shorter than the pixels they stand for",
            f"{len(stream)} bytes for {plain}",
            COPY_AGAIN,
        )


_MOST_BOXES = 4096
"""Bytes in which a JPEG 2000 stream begins, where it lies in a file format's boxes."""
_STANDALONE = (0x01, *range(0xD0, 0xD9))
_NO_FRAME_HEADERS = (0xC4, 0xC8, 0xCC)


def _size_of_stream(stream: bytes) -> tuple[int, int] | None:
    """(columns, rows) that a JPEG, JPEG-LS or JPEG 2000 stream claims; None for others
    and damaged ones.
    """
    codestream = stream.find(b"\xff\x4f\xff\x51", 0, _MOST_BOXES)
    if codestream >= 0:
        columns, rows = (
            int.from_bytes(stream[place : place + 4], "big")
            for place in (codestream + 8, codestream + 12)
        )
        return columns, rows
    if stream[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 <= len(stream):
        if stream[place] != 0xFF:
            return None
        marker = stream[place + 1]
        if marker == 0xFF:
            place += 1
        elif marker in _STANDALONE:
            place += 2
        elif marker == 0xF7 or (
            0xC0 <= marker <= 0xCF and marker not in _NO_FRAME_HEADERS
        ):
            rows, columns = (
                int.from_bytes(stream[start : start + 2], "big")
                for start in (place + 5, place + 7)
            )
            return columns, rows
        else:
            place += 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    return None
