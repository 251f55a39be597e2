"""Small image files of every kind that is read, and headers that say what they like."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
from PIL import Image

CANARY = "CANARYDOE"
"""The patient's name in the DICOM files, and the folder of every image."""
ARRAY = "slo_fundus"
"""The array that is the picture, in archives of NumPy."""


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
        "NPZ": arrays(**{ARRAY: grey, CANARY: colours}),
        "NPZ of fractions": arrays(**{ARRAY: deep / np.float32(257)}),
    }


def arrays(**values: Any) -> bytes:
    """A NumPy archive."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **values)
    return buffer.getvalue()


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
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID = SecondaryCaptureImageStorage
    file.SOPInstanceUID = "1.2.3"
    file.PatientName = f"{CANARY}^JANE"
    file.PatientID = f"{CANARY}-1"
    file.Rows, file.Columns = pixels.shape[:2]
    if pixels.ndim == 2:
        file.SamplesPerPixel = 1
        file.PhotometricInterpretation = "MONOCHROME2"
    else:
        file.SamplesPerPixel = 3
        file.PhotometricInterpretation = "RGB"
        file.PlanarConfiguration = 0
    bits = pixels.itemsize * 8
    file.BitsAllocated = bits
    file.BitsStored = bits
    file.HighBit = bits - 1
    file.PixelRepresentation = 0
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
    body = b"".join(_chunk(name, content) for name, content in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def _chunk(name: bytes, content: bytes) -> bytes:
    length = struct.pack(">I", len(content))
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return length + name + content + checksum


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
    count = struct.pack("<H", len(tags))
    next_directory = struct.pack("<I", tags.get(0, 0))
    header = b"II*\0" + struct.pack("<I", 8) + count + entries + next_directory
    return header.ljust(200, b"\0") + bytes(16)
