"""Anatomical masks that a user lays beside a data set of files: `FOLDER/REGION/<image id>.png`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from ._places import checked_place, inside, require_root

_SUFFIX = re.compile(r"\.(png|jpe?g|tiff?|webp|dcm|dicom)\Z", re.IGNORECASE)
_MODES = ("1", "L")

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskFolder:
    """A folder of masks. Made by `open_masks`."""

    root: Path
    regions: tuple[str, ...]
    """The names of its folders, in alphabetical order."""

    def read(self, image_id: str, size: Callable[[], tuple[int, int]]) -> dict[str, Mask]:
        """The masks of an image, (rows, columns) bool; `size` gives the image's (columns, rows).

        A region without a file is absent. `DatasetError` names a file by its last part: folders may be patients'.
        """
        place = mask_place(image_id)
        try:
            checked_place(place, "an id")
        except DatasetError:
            raise DatasetError(
                f"Expected image ids that are paths inside masks={self.root.name!r}, got one that leads out of it. "
                "Give the images ids without '..', a leading '/' or a drive."
            ) from None
        found = {region: self._mask(region, place, size) for region in self.regions}
        return {region: mask for region, mask in found.items() if mask is not None}

    def _mask(self, region: str, place: str, size: Callable[[], tuple[int, int]]) -> Mask | None:
        shown = f"{PurePosixPath(place).name} of region {region!r}"
        file = inside(self.root, f"{region}/{place}", shown)
        try:
            with file.open("rb") as stream:
                return _decoded(stream, size(), shown)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise DatasetError(
                f"Expected a readable mask, got {type(error).__name__} for {shown}. Check its permissions and its disk."
            ) from error


def open_masks(folder: Path, ids: Iterable[str], *, name: str) -> MaskFolder:
    """The masks in `folder` for images of these ids; `DatasetError` where two of them would have the same mask."""
    root = require_root(folder, "masks", name, "one folder a region, which holds a PNG an image")
    regions = tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir() and entry.name[0] != "."))
    if not regions:
        raise DatasetError(
            f"Expected a folder a region, as in masks/lungs/<image id>.png, got none in masks={root.name!r} of {name}. "
            "Give the folder above them."
        )
    places = [mask_place(image_id) for image_id in ids]
    if len(set(places)) < len(places):
        raise DatasetError(
            f"Expected image ids of {name} that differ without their suffixes, since each has the mask of that name, "
            f"got {len(places) - len(set(places))} of {len(places)} that do not. Give the images other ids."
        )
    return MaskFolder(root, regions)


def mask_place(image_id: str) -> str:
    """Where an image's mask lies in the folder of a region.

    >>> mask_place("p10/s5/a.jpg"), mask_place("02aa804e-bde0afdd"), mask_place("1.2.840.7")
    ('p10/s5/a.png', '02aa804e-bde0afdd.png', '1.2.840.7.png')
    """
    return _SUFFIX.sub("", image_id) + ".png"


def _decoded(stream: BinaryIO, size: tuple[int, int], shown: str) -> Mask:
    from PIL import Image as images

    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", images.DecompressionBombWarning
            )  # it has the image's own size, or is refused
            with images.open(stream, formats=("PNG",)) as mask:
                _require_fit(mask.mode, mask.size, size, shown)
                found: Mask = np.asarray(mask) != 0
                return found
    except DatasetError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        raise DatasetError(
            f"Expected a whole PNG, got {type(error).__name__} while the mask was decoded: {shown}. Export it again."
        ) from error


def _require_fit(mode: str, got: tuple[int, int], expected: tuple[int, int], shown: str) -> None:
    if mode not in _MODES:
        raise DatasetError(
            f"Expected an 8-bit grey mask, nonzero inside the region, got mode={mode!r}: {shown}. Export it so."
        )
    if got != expected:
        sizes = [f"{columns} x {rows}" for columns, rows in (expected, got)]
        raise DatasetError(
            f"Expected a mask of the image's size, {sizes[0]} pixels, got {sizes[1]}: {shown}. Export masks at the "
            "image's size."
        )
