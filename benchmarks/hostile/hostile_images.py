"""Images that are damaged or hostile by hand, and whether each must be refused."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .children import FILE_BYTES
from .image_files import CANARY, dicom, encoded, png, tiff


def _wrote(content: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(content())


def _grey(**tags: Any) -> Callable[[Path], object]:
    return _wrote(
        lambda: dicom(np.arange(64, dtype=np.uint16).reshape(8, 8) * 100, **tags)
    )


def _broken_meta() -> bytes:
    """A damaged length in the file's header: pydicom warns with the bytes that it finds there."""
    content = bytearray(dicom(np.zeros((8, 8), np.uint16)))
    name = content.find(CANARY.encode())
    content[140:144] = (2**31).to_bytes(4, "little")
    content[name - 2 : name] = (2**15).to_bytes(2, "little")
    return bytes(content)


def _deflated_bomb() -> bytes:
    """A deflated DICOM that expands to gigabytes."""
    content = dicom(np.zeros((8, 8), np.uint16), syntax="1.2.840.10008.1.2.1.99")
    start = content.find(b"1.2.840.10008.1.2.1.99") + 22
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    element = b"\x09\x00\x10\x10OB\0\0" + (3 << 30).to_bytes(4, "little")
    body = compressor.compress(element)
    for _ in range(192):
        body += compressor.compress(bytes(1 << 24))
    return content[:start] + body + compressor.flush()


def _animated(kind: str) -> bytes:
    frames = [
        Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (0, 120, 255)
    ]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


def _loop(file: Path) -> None:
    file.symlink_to(file.name)


def _link_to(target: str) -> Callable[[Path], object]:
    return lambda file: file.symlink_to(target)


def _socket(file: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        before = os.getcwd()
        os.chdir(file.parent)  # a socket's path may hold 108 bytes
        listener.bind(file.name)
        os.chdir(before)


def _sparse(file: Path) -> None:
    with file.open("wb") as stream:
        stream.write(encoded(Image.new("L", (8, 8)), "PNG")[:-12])
        stream.truncate(FILE_BYTES - 1)


_HUGE = 1 << 20
BY_HAND: Sequence[tuple[str, Callable[[Path], object], bool]] = (
    ("empty", _wrote(bytes), True),
    ("a text", _wrote(lambda: b"<html>404</html>"), True),
    ("zeros", _wrote(lambda: bytes(4096)), True),
    ("a GIF", _wrote(lambda: encoded(Image.new("L", (8, 8)), "GIF")), True),
    ("a BMP", _wrote(lambda: encoded(Image.new("L", (8, 8)), "BMP")), True),
    (
        "an EPS",
        _wrote(lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nquit\n"),
        True,
    ),
    ("an SVG", _wrote(lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>"), True),
    ("a FIFO", os.mkfifo, True),
    ("a socket", _socket, True),
    ("a folder", os.mkdir, True),
    ("a loop of links", _loop, True),
    ("a link to nowhere", _link_to("nowhere"), True),
    ("a link to zeros", _link_to("/dev/zero"), True),
    ("a link to a file outside", _link_to("/etc/hostname"), True),
    ("a sparse file of 2 GiB", _sparse, True),
    ("PNG of a million squared", _wrote(lambda: png(_HUGE, _HUGE, b"")), True),
    ("PNG of 2**31 - 1", _wrote(lambda: png(2**31 - 1, 1, b"")), True),
    ("PNG of width 0", _wrote(lambda: png(0, 8, b"")), True),
    (
        "PNG of 160 million pixels",
        _wrote(lambda: png(16_000, 10_000, bytes(16_001 * 10_000))),
        True,
    ),
    (
        "PNG of 140 million pixels",
        _wrote(lambda: png(14_000, 10_000, bytes(14_001 * 10_000))),
        False,
    ),
    ("PNG whose data is a bomb", _wrote(lambda: png(8, 8, bytes(1 << 30))), False),
    (
        "PNG with a text that is a bomb",
        _wrote(
            lambda: png(
                8, 8, bytes(72), (b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 29), 1))
            )
        ),
        False,
    ),
    (
        "PNG with 100,000 texts",
        _wrote(lambda: png(8, 8, bytes(72), *[(b"tEXt", b"a\0b")] * 100_000)),
        False,
    ),
    (
        "PNG with a profile that is a bomb",
        _wrote(
            lambda: png(
                8, 8, bytes(72), (b"iCCP", b"a\0\0" + zlib.compress(bytes(1 << 29), 1))
            )
        ),
        False,
    ),
    (
        "PNG, cut",
        _wrote(lambda: encoded(Image.new("L", (64, 64), 7), "PNG")[:60]),
        True,
    ),
    (
        "PNG, a wrong checksum",
        _wrote(lambda: png(8, 8, bytes(72))[:-6] + b"xxxxxx"),
        False,
    ),
    (
        "JPEG, cut",
        _wrote(lambda: encoded(Image.effect_noise((64, 64), 50), "JPEG")[:400]),
        True,
    ),
    ("JPEG of 65,535 squared", _wrote(lambda: _jpeg_of(65_535, 65_535)), True),
    ("JPEG of 0 by 0", _wrote(lambda: _jpeg_of(0, 0)), True),
    ("TIFF of a million squared", _wrote(lambda: tiff(_HUGE, _HUGE)), True),
    ("TIFF of 2**32 - 1", _wrote(lambda: tiff(2**32 - 1, 2**32 - 1)), True),
    ("TIFF, a strip of 4 GiB", _wrote(lambda: tiff(4, 4, _279=2**32 - 1)), False),
    ("TIFF, a strip beyond its end", _wrote(lambda: tiff(4, 4, _273=2**31)), True),
    ("TIFF, 65,535 samples", _wrote(lambda: tiff(4, 4, _277=65_535)), True),
    ("TIFF of 64 bits", _wrote(lambda: tiff(4, 4, _258=64)), True),
    ("TIFF, an unknown compression", _wrote(lambda: tiff(4, 4, _259=34_712)), True),
    ("TIFF whose directories are a loop", _wrote(lambda: tiff(4, 4, _0=8)), False),
    (
        "WebP, a huge canvas",
        _wrote(lambda: b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff" * 6),
        True,
    ),
    ("WebP, animated", _wrote(lambda: _animated("WEBP")), True),
    ("PNG, animated", _wrote(lambda: _animated("PNG")), True),
    ("TIFF of several pages", _wrote(lambda: _animated("TIFF")), True),
    ("DICOM", _grey(), False),
    ("DICOM, a slope of NaN", _grey(RescaleSlope="NaN", RescaleIntercept="0"), True),
    (
        "DICOM, an intercept of inf",
        _grey(RescaleSlope="1", RescaleIntercept="inf"),
        True,
    ),
    ("DICOM, a slope of 0", _grey(RescaleSlope="0", RescaleIntercept="0"), False),
    ("DICOM, a window of NaN", _grey(WindowCenter="NaN", WindowWidth="100"), True),
    ("DICOM of 65,535 squared", _grey(Rows=65_535, Columns=65_535), True),
    ("DICOM of 0 rows", _grey(Rows=0), True),
    ("DICOM of a million frames", _grey(NumberOfFrames="1000000"), True),
    ("DICOM without pixels", _grey(PixelData=b""), True),
    (
        "DICOM, another transfer syntax",
        _wrote(
            lambda: dicom(np.zeros((8, 8), np.uint16)).replace(
                b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0"
            )
        ),
        True,
    ),
    ("DICOM, a damaged header", _wrote(_broken_meta), True),
    ("DICOM, deflated bomb", _wrote(_deflated_bomb), True),
    ("DICOM, cut", _wrote(lambda: dicom(np.zeros((64, 64), np.uint16))[:900]), True),
)


def _jpeg_of(width: int, height: int) -> bytes:
    content = bytearray(encoded(Image.new("L", (8, 8)), "JPEG"))
    frame = content.find(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(content)
