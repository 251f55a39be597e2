"""DICOM files up to their pixels: reading within limits, and what a picture must say of itself."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import Any, BinaryIO

from ...core.errors import DatasetError
from .dicom_elements import whole, word
from .refusals import (
    CONVERT,
    COPY_AGAIN,
    LEAVE_OUT,
    MOST_BYTES,
    Refused,
    require_size,
)

GREY = ("MONOCHROME1", "MONOCHROME2")
PALETTE = "PALETTE COLOR"
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", PALETTE)
_NOT_READ = ("YBR_PARTIAL_422", "YBR_PARTIAL_420", "HSV", "ARGB", "CMYK", "XYB")
"""Words of the standard that messages may repeat. Any other word may be a patient's name."""
_BITS_ALLOCATED = (1, 8, 16, 32)
_EXPANDED_AT_ONCE = 1 << 20
_PREFIX_END = 132
_META_GROUP = b"\x02\x00"
INSTALL_DICOM = "Run `pip install pytest-retrieval-robust[dicom]`."


def read_file(stream: BinaryIO) -> Any:
    """The data set of a DICOM file, in memory; a deflated one is expanded within `MOST_BYTES`.

    Raises `Refused` if pydicom is missing and for what is no DICOM, and whatever
    pydicom raises for damaged files.
    """
    try:
        import pydicom
    except ImportError:
        raise Refused(
            "pydicom to read DICOM", "no such package", INSTALL_DICOM, DatasetError
        ) from None
    head = stream.read(_PREFIX_END)
    stream.seek(0)
    has_prefix = head[128:] == b"DICM"
    content = _undeflated(BytesIO(stream.read()), has_prefix)
    file = pydicom.dcmread(content, force=not has_prefix)
    if not has_prefix and "PixelData" not in file:
        raise Refused(
            "a whole image",
            "no PNG, JPEG, TIFF, WebP or DICOM (it has no DICM prefix)",
            COPY_AGAIN,
        )
    _complete_syntax(file)
    return file


def _undeflated(stream: BytesIO, has_prefix: bool) -> BytesIO:
    """The file itself, or the same without deflation: pydicom would expand it without a limit."""
    from pydicom.filereader import read_dataset
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    stream.seek(_PREFIX_END if has_prefix else 0)
    if stream.read(2) != _META_GROUP:
        stream.seek(0)
        return stream
    stream.seek(-2, 1)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag.group != 2)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        stream.seek(0)
        return stream

    # Only the data set is deflated, which begins after the file meta information.
    deflated = stream.read()
    size, is_whole = _expanded_size(deflated)
    if size > MOST_BYTES:
        raise Refused(
            f"a file of at most {MOST_BYTES} bytes",
            "a deflated one that expands to more",
            LEAVE_OUT,
        )
    if not is_whole:
        raise Refused(
            "a whole image", "a deflated DICOM file that was cut short", COPY_AGAIN
        )
    content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(deflated)
    return BytesIO(_explicit_header() + content)


def _expanded_size(deflated: bytes) -> tuple[int, bool]:
    """How many bytes a stream expands to, and whether its end was reached.

    Counting stops beyond `MOST_BYTES`. It goes in pieces, so that a stream that is
    refused takes no memory.
    """
    expander = zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    rest = deflated
    while not expander.eof and size <= MOST_BYTES:
        piece = expander.decompress(rest, _EXPANDED_AT_ONCE)
        rest = expander.unconsumed_tail
        size += len(piece)
        if not piece and not rest:
            break
    return size, expander.eof


def _explicit_header() -> bytes:
    """Preamble, prefix and the one element of file meta information that pydicom needs."""
    from pydicom.uid import ExplicitVRLittleEndian

    syntax = ExplicitVRLittleEndian.encode()
    # Values of DICOM have an even length.
    syntax += b"\0" * (len(syntax) % 2)
    element = b"\x02\x00\x10\x00UI" + len(syntax).to_bytes(2, "little") + syntax
    return b"\0" * 128 + b"DICM" + element


def _complete_syntax(file: Any) -> None:
    """Give a file without meta information the syntax that it could be read in."""
    from pydicom.uid import (
        ExplicitVRBigEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
    )

    if file.file_meta.get("TransferSyntaxUID"):
        return
    is_implicit, is_little_endian = file.original_encoding
    if is_implicit:
        syntax = ImplicitVRLittleEndian
    elif is_little_endian:
        syntax = ExplicitVRLittleEndian
    else:
        syntax = ExplicitVRBigEndian
    file.file_meta.TransferSyntaxUID = syntax


def require_picture(file: Any) -> str:
    """The photometric interpretation of a data set that is one whole picture.

    Raises `Refused`, which says what else it is.
    """
    if "PixelData" not in file:
        raise Refused("a DICOM image", _without_pixels(file), LEAVE_OUT)
    frames = whole(file, "NumberOfFrames") or 1
    if frames != 1:
        raise Refused("one picture per file", f"{frames} frames", CONVERT)
    photometric = _photometric(file)
    _require_shape(file, photometric)
    _require_depth(file)
    return photometric


def _without_pixels(file: Any) -> str:
    if "FloatPixelData" in file or "DoubleFloatPixelData" in file:
        return "floating-point pixels, which have no known white"
    return "one without pixels"


def _photometric(file: Any) -> str:
    read = (*GREY, *COLOUR)
    photometric = word(file, "PhotometricInterpretation")
    if photometric in read:
        return photometric
    got = "none of the standard's"
    if photometric in _NOT_READ:
        got = f"PhotometricInterpretation={photometric}"
    raise Refused(f"PhotometricInterpretation {', '.join(read)}", got, LEAVE_OUT)


def _require_shape(file: Any, photometric: str) -> None:
    rows = whole(file, "Rows") or 0
    columns = whole(file, "Columns") or 0
    if rows < 1 or columns < 1:
        raise Refused("a whole image", f"Rows={rows}, Columns={columns}", COPY_AGAIN)
    require_size(columns, rows)
    # The pixels are laid out by this number.
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
        choices = ", ".join(map(str, _BITS_ALLOCATED))
        raise Refused(f"BitsAllocated of {choices}", f"{allocated}", CONVERT)
    if not 1 <= stored <= allocated:
        raise Refused(f"BitsStored from 1 to {allocated}", f"{stored}", CONVERT)
    representation = whole(file, "PixelRepresentation")
    if representation not in (0, 1):
        raise Refused("PixelRepresentation 0 or 1", f"{representation}", CONVERT)
    # PS3.3 C.7.6.3: decoders would show pixels whose bits are elsewhere wrongly.
    high = whole(file, "HighBit")
    if high is not None and high != stored - 1:
        raise Refused(
            f"HighBit={stored - 1} beside BitsStored={stored}", f"{high}", CONVERT
        )
