"""Anatomical masks that a user lays beside a data set of files: `FOLDER/REGION/<image id>.png`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DatasetError
from ...core.files import NotRegularError, open_regular
from ...core.foreign import FOREIGN, let_go
from .._files.places import checked_place, inside, require_root
from .raster import frames_of, orientation_of, upright
from .reading import Refused, kind_of, quiet

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_SUFFIX = re.compile(r"\.(png|jpe?g|tiff?|webp|dcm|dicom)\Z", re.IGNORECASE)
_MODES = ("1", "L")

Mask = NDArray[np.bool_]


@dataclass(frozen=True, repr=False)
class MaskFolder:
    """A folder of masks.

    Made by `open_masks`. Its `repr` has no path, for pytest prints what a failing test
    held.
    """

    root: Path
    regions: tuple[str, ...]
    """The names of its folders, in alphabetical order."""

    def __repr__(self) -> str:
        return f"<MaskFolder of {len(self.regions)} regions>"

    def read(
        self, image_id: str, size: Callable[[], tuple[int, int]], shown: str
    ) -> dict[str, Mask]:
        """The masks of an image, (rows, columns) bool; `size` gives the upright image's
        (columns, rows).

        A region without a file is absent. `shown` names the image in messages, for a
        file's name may be a patient's.
        """
        outcome = self._all(mask_place(image_id), size, shown)
        del image_id  # pytest can show the local variables of whoever raises
        if isinstance(outcome, DatasetError):
            raise outcome
        return outcome

    def _all(
        self, place: str, size: Callable[[], tuple[int, int]], shown: str
    ) -> dict[str, Mask] | DatasetError:
        """The masks, or what is wrong with one of them: an error without the frames
        that know its path.
        """
        try:
            checked_place(place, "an id")
        except DatasetError:
            return DatasetError(
                f"Expected image ids that are paths inside masks={self.root.name!r},"
                " got one that leads out of it. Give the images ids without '..', a"
                " leading '/' or a drive."
            )
        found: dict[str, Mask] = {}
        for region in self.regions:
            outcome = self._mask(region, place, size, f"region {region!r} of {shown}")
            if isinstance(outcome, DatasetError):
                return outcome
            if outcome is not None:
                found[region] = outcome
        return found

    def _mask(
        self, region: str, place: str, size: Callable[[], tuple[int, int]], shown: str
    ) -> Mask | DatasetError | None:
        try:
            with open_regular(inside(self.root, f"{region}/{place}", shown)) as stream:
                return _decoded(stream, size())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Refused as refused:
            problem = refused.named(shown)
            let_go(refused)
        except NotRegularError as error:
            problem = DatasetError(
                f"Expected a mask, got {error}: {shown}. Put the mask's file there."
            )
        # of the image, whose size was asked for, or of a link that leads out
        except DatasetError as error:
            return error.with_traceback(None)
        except FOREIGN as error:
            problem = DatasetError(
                f"Expected a readable mask, got {kind_of(error)}: {shown}. Check its"
                " permissions and its disk."
            )
            let_go(error)
        return problem


def open_masks(folder: Path, ids: Iterable[str], *, name: str) -> MaskFolder:
    """The masks in `folder` for images of these ids; `DatasetError` where two of them
    would have the same mask.
    """
    root = require_root(
        folder, "masks", name, "one folder a region, which holds a PNG an image"
    )
    regions = tuple(
        sorted(
            entry.name
            for entry in root.iterdir()
            if entry.is_dir() and entry.name[0] != "."
        )
    )
    if not regions:
        raise DatasetError(
            "Expected a folder a region, as in masks/lungs/<image id>.png, got none in"
            f" masks={root.name!r} of {name}. Give the folder above them."
        )
    places = [mask_place(image_id) for image_id in ids]
    if len(set(places)) < len(places):
        raise DatasetError(
            f"Expected image ids of {name} that differ without their suffixes, since"
            f" each has the mask of that name, got {len(places) - len(set(places))} of"
            f" {len(places)} that do not. Give the images other ids."
        )
    return MaskFolder(root, regions)


def mask_place(image_id: str) -> str:
    """Where an image's mask lies in the folder of a region.

    >>> mask_place("p10/s5/a.jpg"), mask_place("02aa804e-bde0afdd"), mask_place("1.2.840.7")
    ('p10/s5/a.png', '02aa804e-bde0afdd.png', '1.2.840.7.png')
    """
    return _SUFFIX.sub("", image_id) + ".png"


def _decoded(stream: BinaryIO, size: tuple[int, int]) -> Mask:
    """The mask, upright as its image is; `Refused` for one that does not fit it."""
    from PIL import Image as images

    try:
        with quiet(), images.open(stream, formats=("PNG",)) as mask:
            _require_kind(mask, size)
            mask.load()
            shown = upright(mask, orientation_of(mask))
            _require_fit(shown.size, size)
            found: Mask = np.asarray(shown) != 0
            return found
    except images.DecompressionBombError:
        got = "far more pixels than its image"
    except Refused:
        raise
    # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
    except FOREIGN as error:
        got = f"{kind_of(error)} while the mask was decoded"
        let_go(error)
    raise Refused("a whole PNG", got, "Export it again.", DatasetError)


def _require_kind(mask: ImageFile, size: tuple[int, int]) -> None:
    """What can be said before anything is decoded: a mask of another size may be as
    large as it likes.
    """
    if mask.mode not in _MODES:
        raise Refused(
            "an 8-bit grey mask, nonzero inside the region",
            f"mode={mask.mode!r}",
            "Export it so.",
            DatasetError,
        )
    frames = frames_of(mask)
    if frames != 1:
        raise Refused(
            "one mask per file",
            f"{frames} frames",
            "Export it as a single picture.",
            DatasetError,
        )
    if sorted(mask.size) != sorted(size):
        _require_fit(mask.size, size)


def _require_fit(got: tuple[int, int], expected: tuple[int, int]) -> None:
    if got != expected:
        sizes = [f"{columns} x {rows}" for columns, rows in (expected, got)]
        raise Refused(
            f"a mask of the image's size, {sizes[0]} pixels upright",
            sizes[1],
            "Export masks at the image's size.",
            DatasetError,
        )
