"""Images as they lie on disks: kinds, depths, and what is wrong with them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pytest_retrieval_robust.datasets._pixels import read_image
from pytest_retrieval_robust.errors import UnreadableImageError

from .trees import picture


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_lossless_kinds(kind: str) -> None:
    image = picture() if kind != "WEBP" else picture().convert("RGB")
    read = read_image(encoded(image, kind, lossless=True), "the image")
    assert np.array_equal(np.asarray(read), np.asarray(image))


def test_jpeg(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(picture(), "JPEG", quality=95))
    assert np.array_equal(np.asarray(read_image(tmp_path / "a.jpg", "a")), np.asarray(Image.open(tmp_path / "a.jpg")))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_by_their_range(kind: str) -> None:
    values = np.linspace(0, 65535, 48).astype(np.uint16).reshape(6, 8)
    read = read_image(encoded(Image.fromarray(values), kind), "the image")
    assert read.mode == "L"
    assert np.array_equal(np.asarray(read), np.rint(values.astype(np.float64) * 255 / 65535))


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "RGB"])
def test_eight_bit_modes_stay(mode: str) -> None:
    assert read_image(encoded(picture().convert(mode), "PNG"), "the image").mode == mode


def bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels in a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"hello", "no PNG, JPEG, TIFF, WebP or DICOM"),
        (encoded(picture(size=(200, 200)), "PNG")[:-3000], "while it was decoded"),
        (encoded(picture(size=(200, 200)), "JPEG")[:-3000], "while it was decoded"),
        (bomb(), "decompression bomb"),
        (encoded(Image.fromarray(np.full((4, 4), 0.5, dtype=np.float32)), "TIFF"), "floating-point values"),
        (encoded(Image.fromarray(np.full((4, 4), -5, dtype=np.int32)), "TIFF"), "32-bit values from -5"),
        (encoded(picture(), "GIF"), "no PNG"),
    ],
    ids=["empty", "text", "cut-png", "cut-jpeg", "bomb", "float", "negative", "gif"],
)
def test_what_cannot_be_read(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match=rf"{said}.*: scan\.png \(row 3\)"):
        read_image(content, "scan.png (row 3)")
    (tmp_path / "scan.png").write_bytes(content)
    with pytest.raises(UnreadableImageError, match=said):
        read_image(tmp_path / "scan.png", "scan.png (row 3)")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="no such file: a.png"):
        read_image(tmp_path / "a.png", "a.png")
    with pytest.raises(UnreadableImageError, match="IsADirectoryError"):
        read_image(tmp_path, "a.png")
