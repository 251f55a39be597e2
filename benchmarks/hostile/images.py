"""Images that are damaged, huge, endless or of a strange kind: a picture, or
`UnreadableImageError`, and no warning.
"""

from __future__ import annotations

import io
import logging
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import DatasetError, UnreadableImageError

from .children import FILE_BYTES, in_children
from .mutations import mutated
from .trials import Check, Ground, Row, Trial

CANARY = "CANARYDOE"
"""The patient's name in the DICOM files, and the folder of every image."""
_SUFFIXES = ("png", "jpg", "tif", "webp", "dcm")


def rows(ground: Ground) -> Iterator[Trial]:
    place = ground.place("images")
    checks: list[tuple[str, Check]] = [
        (name, partial(_by_hand, place, number, make, refused))
        for number, (name, make, refused) in enumerate(ground.some(_BY_HAND, 12))
    ]
    yield from in_children(checks)
    valid = valid_images()
    fuzzed = [
        (
            f"fuzzed {list(valid)[number % len(valid)]} {number}",
            partial(_fuzzed, ground, place, valid, number),
        )
        for number in range(ground.count(8_300, 150))
    ]
    yield from in_children(fuzzed, chunk=500)


def read(place: Path, name: str) -> str | None:
    """Read one image through a table; what is wrong with how it went, "picture" where
    one was read.
    """
    table = place / f"table-{os.getpid()}.csv"
    table.write_text(f"image,report\n{CANARY}/{name},a report\n", encoding="utf-8")
    messages = _Messages()
    logging.getLogger().addHandler(messages)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            outcome = _outcome_of(table)
    finally:
        logging.getLogger().removeHandler(messages)
    if caught:
        return f"a warning passed: {caught[0].category.__name__}: {caught[0].message}"
    return f"a log record passed: {messages.texts[0]}" if messages.texts else outcome


class _Messages(logging.Handler):
    """Keeps what a library logs at the level that is shown by default."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _outcome_of(table: Path) -> str | None:
    dataset = load_dataset("table", path=table)
    try:
        picture = dataset.image(0)
        np.asarray(picture)
    except DatasetError as error:
        if not isinstance(error, UnreadableImageError) and "link" not in str(error):
            return f"DatasetError in place of UnreadableImageError: {error}"
        if CANARY in str(error):
            return f"names the folder or the patient: {error}"
        if error.__cause__ is not None or error.__context__ is not None:
            return "the error carries a foreign one, whose text Python prints"
        return None
    return "picture"


def _by_hand(
    place: Path, number: int, make: Callable[[Path], object], refused: bool
) -> str | None:
    file = place / CANARY / f"{number}.img"
    file.parent.mkdir(exist_ok=True)
    make(file)
    found = read(place, file.name)
    if found == "picture":
        return "it was taken for a picture" if refused else None
    return found


def _fuzzed(
    ground: Ground, place: Path, valid: Mapping[str, bytes], number: int
) -> str | None:
    kind = list(valid)[number % len(valid)]
    file = place / CANARY / f"fuzzed-{os.getpid()}"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(mutated(valid[kind], ground.random("image", number)))
    found = read(place, file.name)
    return None if found == "picture" else found


def valid_images() -> dict[str, bytes]:
    """A small file of every kind that is read."""
    grey = np.random.default_rng(0).integers(0, 256, (24, 20), dtype=np.uint8)
    colours = np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1)
    deep = grey.astype(np.uint16) * 257
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "PNG": encoded(Image.fromarray(grey), "PNG"),
        "PNG of 16 bits": encoded(Image.fromarray(deep), "PNG"),
        "PNG with colours": encoded(Image.fromarray(colours), "PNG"),
        "JPEG": encoded(Image.fromarray(grey), "JPEG"),
        "JPEG with EXIF": encoded(Image.fromarray(colours), "JPEG", exif=exif),
        "TIFF": encoded(Image.fromarray(grey), "TIFF"),
        "TIFF of 16 bits": encoded(Image.fromarray(deep), "TIFF"),
        "TIFF, compressed": encoded(
            Image.fromarray(grey), "TIFF", compression="tiff_lzw"
        ),
        "WebP": encoded(Image.fromarray(colours), "WEBP"),
        "WebP without loss": encoded(Image.fromarray(colours), "WEBP", lossless=True),
        "DICOM": dicom(deep),
        "DICOM with colours": dicom(colours),
        "DICOM, deflated": dicom(deep, syntax="1.2.840.10008.1.2.1.99"),
        "DICOM, implicit": dicom(deep, syntax="1.2.840.10008.1.2"),
    }


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def dicom(
    pixels: np.ndarray[Any, Any], syntax: str = "1.2.840.10008.1.2.1", **tags: Any
) -> bytes:
    """A DICOM file of one picture, with the canary as the patient's name."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, SecondaryCaptureImageStorage

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        SecondaryCaptureImageStorage,
        UID("1.2.3"),
    )
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID, file.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    file.PatientName, file.PatientID = f"{CANARY}^JANE", f"{CANARY}-1"
    file.Rows, file.Columns = pixels.shape[:2]
    file.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    file.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        file.PlanarConfiguration = 0
    file.BitsAllocated = file.BitsStored = pixels.itemsize * 8
    file.HighBit, file.PixelRepresentation = file.BitsStored - 1, 0
    file.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(file, name, value)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def png(
    width: int, height: int, data: bytes, *more: tuple[bytes, bytes], depth: int = 8
) -> bytes:
    """A PNG of grey whose header says what it likes."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    chunks = [
        (b"IHDR", header),
        *more,
        (b"IDAT", zlib.compress(data, 1)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(name, content) for name, content in chunks
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def tiff(width: int, height: int, **changes: int) -> bytes:
    """A TIFF whose header says what it likes, with 16 bytes of pixels."""
    tags = {
        256: width,
        257: height,
        258: 8,
        259: 1,
        262: 1,
        273: 200,
        277: 1,
        278: height,
        279: 16,
    }
    tags |= {int(name[1:]): value for name, value in changes.items()}
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items())
    )
    directory = (
        struct.pack("<H", len(tags)) + entries + struct.pack("<I", tags.get(0, 0))
    )
    return (b"II*\0" + struct.pack("<I", 8) + directory).ljust(200, b"\0") + bytes(16)


def _wrote(content: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(content())


def _grey(**tags: Any) -> Callable[[Path], object]:
    return _wrote(
        lambda: dicom(np.arange(64, dtype=np.uint16).reshape(8, 8) * 100, **tags)
    )


def _broken_meta() -> bytes:
    """A damaged length in the file's header: pydicom warns with the bytes that it finds there."""
    content = bytearray(dicom(np.zeros((8, 8), np.uint16)))
    place = content.find(CANARY.encode())
    content[140:144] = (2**31).to_bytes(4, "little")
    content[place - 2 : place] = (2**15).to_bytes(2, "little")
    return bytes(content)


def _deflated_bomb() -> bytes:
    """A deflated DICOM that expands to gigabytes."""
    content = dicom(np.zeros((8, 8), np.uint16), syntax="1.2.840.10008.1.2.1.99")
    start = content.find(b"1.2.840.10008.1.2.1.99") + 22
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    element = b"\x09\x00\x10\x10OB\0\0" + (3 << 30).to_bytes(4, "little")
    body = compressor.compress(element) + b"".join(
        compressor.compress(bytes(1 << 24)) for _ in range(192)
    )
    length = len(content) - len(content[start:])
    return content[:length] + body + compressor.flush()


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
        here = os.getcwd()
        os.chdir(file.parent)  # a socket's path may hold 108 bytes
        listener.bind(file.name)
        os.chdir(here)


def _sparse(file: Path) -> None:
    with file.open("wb") as stream:
        stream.write(encoded(Image.new("L", (8, 8)), "PNG")[:-12])
        stream.truncate(FILE_BYTES - 1)


_HUGE = 1 << 20
_BY_HAND: Sequence[tuple[str, Callable[[Path], object], bool]] = (
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
    place = content.find(b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(content)


ROWS = (
    Row(
        "images",
        "damaged and hostile images: a picture or UnreadableImageError, no warning",
        rows,
    ),
)
