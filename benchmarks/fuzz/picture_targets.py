"""Pictures, by their formats."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.hostile.image_files import ARRAY, CANARY
from pytest_retrieval_robust.datasets._pixels.stored_image import StoredImage

from .mutators import png_of, zip_of
from .target import Mutate, Read, Target


def _picture(folder: Path, bits: int | None = None) -> Read:
    # Folders and files are named after patients.
    home = folder / CANARY
    home.mkdir()
    file = home / f"{CANARY}.img"
    image = StoredImage(file, "image 1 of the table", bits, ARRAY)

    def read(content: bytes) -> None:
        file.write_bytes(content)
        np.asarray(image.decoded())

    return read


def _target(
    name: str, parser: str, mutate: Mutate | None = None, bits: int | None = None
) -> Target:
    return Target(name, parser, partial(_picture, bits=bits), mutate=mutate)


TARGETS = (
    _target("png", "pictures: PNG", png_of),
    _target("png-bits", "pictures: PNG whose white has 12 bits", png_of, bits=12),
    _target("jpeg", "pictures: JPEG"),
    _target("tiff", "pictures: TIFF"),
    _target("webp", "pictures: WebP"),
    _target("dicom", "pictures: DICOM, in six transfer syntaxes"),
    _target("npz", "pictures: arrays of NumPy", zip_of),
)
