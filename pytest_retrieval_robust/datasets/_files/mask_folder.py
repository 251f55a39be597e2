"""Anatomical masks that a user lays beside a data set: `FOLDER/REGION/<image id>.png`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import DatasetError
from ...core.files import NotRegularError, open_regular
from ...core.foreign import FOREIGN, let_go
from .._pixels.damage import kind_of
from .._pixels.mask import Mask, read_mask
from .._pixels.refusals import Refused
from .paths import checked_path, inside, require_root

_SUFFIX = re.compile(r"\.(png|jpe?g|tiff?|webp|dcm|dicom|npz)\Z", re.IGNORECASE)

SizeOf = Callable[[], tuple[int, int]]
"""Gives the upright image's (columns, rows), which may have to be decoded for it."""


@dataclass(frozen=True, repr=False)
class MaskFolder:
    """A folder of masks. Made by `open_masks`.

    Its `repr` has no path, because pytest prints what a failing test held.
    """

    root: Path
    regions: tuple[str, ...]
    """The names of its folders, in alphabetical order."""

    def __repr__(self) -> str:
        return f"<MaskFolder of {len(self.regions)} regions>"

    def read(self, image_id: str, size: SizeOf, where: str) -> dict[str, Mask]:
        """The masks of an image by region, (rows, columns) bool.

        A region without a file is absent. `where` names the image in messages, because a
        file's name may be a patient's.
        """
        outcome = self._masks_or_error(mask_path(image_id), size, where)
        # Pytest can show the local variables of the frame that raises.
        del image_id
        if isinstance(outcome, DatasetError):
            raise outcome
        return outcome

    def _masks_or_error(
        self, path: str, size: SizeOf, where: str
    ) -> dict[str, Mask] | DatasetError:
        """The masks, or an error without the frames that know the masks' path."""
        try:
            checked_path(path, "an id")
        except DatasetError:
            return DatasetError(
                f"Expected image ids that are paths inside masks={self.root.name!r},"
                " got one that leads out of it. Give the images ids without '..', a"
                " leading '/' or a drive."
            )
        masks: dict[str, Mask] = {}
        for region in self.regions:
            outcome = self._mask_or_error(region, path, size, where)
            if isinstance(outcome, DatasetError):
                return outcome
            if outcome is not None:
                masks[region] = outcome
        return masks

    def _mask_or_error(
        self, region: str, path: str, size: SizeOf, image_name: str
    ) -> Mask | DatasetError | None:
        """None if the region has no mask of this image."""
        where = f"region {region!r} of {image_name}"
        try:
            with open_regular(inside(self.root, f"{region}/{path}", where)) as stream:
                return read_mask(stream, size())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Refused as refused:
            problem = refused.named(where)
            let_go(refused)
        except NotRegularError as error:
            problem = DatasetError(
                f"Expected a mask, got {error}: {where}. Put the mask's file there."
            )
        # Of the image, when its size was asked for, or of a link that leads out.
        except DatasetError as error:
            return error.with_traceback(None)
        except FOREIGN as error:
            problem = DatasetError(
                f"Expected a readable mask, got {kind_of(error)}: {where}. Check its"
                " permissions and its disk."
            )
            let_go(error)
        return problem


def open_masks(folder: Path, ids: Iterable[str], *, name: str) -> MaskFolder:
    """The masks in `folder` for images of these ids.

    Raises `DatasetError` if two images would have the same mask.
    """
    root = require_root(
        folder, "masks", name, "one folder per region, which holds one PNG per image"
    )
    folders = [entry.name for entry in root.iterdir() if entry.is_dir()]
    regions = tuple(sorted(name for name in folders if not name.startswith(".")))
    if not regions:
        raise DatasetError(
            "Expected one folder per region, as in masks/lungs/<image id>.png, got none"
            f" in masks={root.name!r} of {name}. Give the folder above them."
        )
    # `a.png` and `a.jpg` would both have the mask `a.png`.
    paths = [mask_path(image_id) for image_id in ids]
    repeated = len(paths) - len(set(paths))
    if repeated:
        raise DatasetError(
            f"Expected image ids of {name} that differ without their suffixes, because"
            f" each has the mask of that name, got {repeated} of {len(paths)} that do"
            " not. Give the images other ids."
        )
    return MaskFolder(root, regions)


def mask_path(image_id: str) -> str:
    """Where an image's mask lies in the folder of a region.

    >>> mask_path("p10/s5/a.jpg"), mask_path("02aa804e-bde0afdd"), mask_path("1.2.840.7")
    ('p10/s5/a.png', '02aa804e-bde0afdd.png', '1.2.840.7.png')
    """
    return _SUFFIX.sub("", image_id) + ".png"
