"""Files of pictures as other programs write them, made byte by byte: TIFF, PNG chunks,
DICOM headers.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

WIDTH = 256
LENGTH = 257
BITS = 258
COMPRESSION = 259
PHOTOMETRIC = 262
STRIP = 273
ORIENTATION = 274
SAMPLES = 277
ROWS_PER_STRIP = 278
STRIP_BYTES = 279
SUBFILE = 254
OLD_SUBFILE = 255
SAMPLE_FORMAT = 339
WHITE_IS_ZERO = 0
BLACK_IS_ZERO = 1
RGB = 2
UNSIGNED = 1
SIGNED = 2
FLOAT = 3


@dataclass(frozen=True)
class Page:
    """A page of an uncompressed TIFF."""

    values: np.ndarray[Any, Any]
    """(rows, columns) or (rows, columns, 3)."""
    bits: int = 8
    photometric: int = BLACK_IS_ZERO
    sample_format: int = UNSIGNED
    orientation: int = 1
    subfile: int | None = None
    old_subfile: int | None = None


def tiff(*pages: Page, order: str = "<", last: int = 0, big: bool = False) -> bytes:
    """A TIFF or BigTIFF file; `last` is the offset that its last page gives for the next one."""
    mark = b"II" if order == "<" else b"MM"
    word, entry_count = ("Q", "Q") if big else ("I", "H")
    head = mark + (
        struct.pack(order + "HHH", 43, 8, 0) if big else struct.pack(order + "H", 42)
    )
    content = bytearray(head + struct.pack(order + word, 0))
    link = len(content) - struct.calcsize(order + word)
    for page in pages:
        strip = len(content)
        data = packed(page.values, page.bits, order)
        content += data + b"\0" * (len(data) % 2)
        content[link : link + struct.calcsize(order + word)] = struct.pack(
            order + word, len(content)
        )
        entries = _entries(page, strip, len(data))
        content += struct.pack(order + entry_count, len(entries))
        for tag, value in sorted(entries.items()):
            size = 8 if big else 4
            content += struct.pack(order + "HH" + word, tag, 4, 1)
            content += struct.pack(order + "I", value).ljust(size, b"\0")
        link = len(content)
        content += struct.pack(order + word, last)
    return bytes(content)


def _entries(page: Page, strip: int, size: int) -> dict[int, int]:
    rows, columns = page.values.shape[:2]
    samples = 1 if page.values.ndim == 2 else page.values.shape[2]
    entries = {
        WIDTH: columns,
        LENGTH: rows,
        BITS: page.bits,
        COMPRESSION: 1,
        PHOTOMETRIC: page.photometric,
    }
    entries |= {
        STRIP: strip,
        ORIENTATION: page.orientation,
        SAMPLES: samples,
        ROWS_PER_STRIP: rows,
    }
    entries |= {STRIP_BYTES: size, SAMPLE_FORMAT: page.sample_format}
    if page.subfile is not None:
        entries[SUBFILE] = page.subfile
    if page.old_subfile is not None:
        entries[OLD_SUBFILE] = page.old_subfile
    return entries


def packed(values: np.ndarray[Any, Any], bits: int, order: str) -> bytes:
    """Whole numbers of 1 to 32 bits as TIFF lays them out: each row begins at a byte."""
    if bits >= 8 and bits % 8 == 0:
        kind = {8: "1", 16: "2", 32: "4"}[bits]
        sign = "i" if values.dtype.kind == "i" else "u"
        return values.astype(f"{order}{sign}{kind}").tobytes()
    rows = []
    for row in values:
        digits = "".join(f"{int(value):0{bits}b}" for value in row)
        digits += "0" * (-len(digits) % 8)
        rows.append(int(digits, 2).to_bytes(len(digits) // 8, "big"))
    return b"".join(rows)


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png_claiming(columns: int, rows: int, *further: bytes) -> bytes:
    """A PNG of that size, with nothing in it."""
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    chunks = [
        chunk(b"IHDR", header),
        *further,
        chunk(b"IDAT", zlib.compress(b"\0")),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(image: Image.Image, kind: str, orientation: int, **options: Any) -> bytes:
    """The image as it is, with an Exif orientation."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(image, kind, exif=exif, **options)


def turned(values: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    """Stored rows and columns as they are to be seen (TIFF 6.0, Orientation: where row
    0 and column 0 lie).
    """
    ways = {
        1: values,  # top left
        2: values[:, ::-1],  # top right
        3: values[::-1, ::-1],  # bottom right
        4: values[::-1],  # bottom left
        5: np.swapaxes(values, 0, 1),  # left top
        6: np.rot90(values, -1),  # right top
        7: np.swapaxes(values, 0, 1)[::-1, ::-1],  # right bottom
        8: np.rot90(values, 1),  # left bottom
    }
    return ways[orientation]


def animation(kind: str, frames: Sequence[Image.Image]) -> bytes:
    """An APNG, an animated WebP or a TIFF of several pages."""
    return encoded(frames[0], kind, save_all=True, append_images=list(frames[1:]))
