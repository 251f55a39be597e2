"""One anatomical mask: an 8-bit grey PNG, nonzero inside its region."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DatasetError
from ...core.foreign import FOREIGN, let_go
from .damage import kind_of
from .quiet import quiet
from .raster import frames_of, orientation_of, upright
from .refusals import Refused

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_MODES = ("1", "L")

Mask = NDArray[np.bool_]


def read_mask(stream: BinaryIO, size: tuple[int, int]) -> Mask:
    """The mask, (rows, columns) bool, upright as its image is.

    `size` is the upright image's (columns, rows). Raises `Refused` for a mask that is
    broken or does not fit it.
    """
    from PIL import Image as images

    try:
        with quiet(), images.open(stream, formats=("PNG",)) as picture:
            _require_kind(picture, size)
            picture.load()
            turned = upright(picture, orientation_of(picture))
            _require_fit(turned.size, size)
            mask: Mask = np.asarray(turned) != 0
            return mask
    except images.DecompressionBombError:
        got = "far more pixels than its image"
    except Refused:
        raise
    # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more.
    except FOREIGN as error:
        got = f"{kind_of(error)} while the mask was decoded"
        let_go(error)
    raise Refused("a whole PNG", got, "Export it again.", DatasetError)


def _require_kind(picture: ImageFile, size: tuple[int, int]) -> None:
    """Refuse what can be refused before anything is decoded.

    A mask of another size than its image may be of any size.
    """
    if picture.mode not in _MODES:
        raise Refused(
            "an 8-bit grey mask, nonzero inside the region",
            f"mode={picture.mode!r}",
            "Export it so.",
            DatasetError,
        )
    frames = frames_of(picture)
    if frames != 1:
        raise Refused(
            "one mask per file",
            f"{frames} frames",
            "Export it as a single picture.",
            DatasetError,
        )
    # It may yet have to be turned by a quarter.
    if sorted(picture.size) != sorted(size):
        _require_fit(picture.size, size)


def _require_fit(got: tuple[int, int], expected: tuple[int, int]) -> None:
    if got != expected:
        raise Refused(
            f"a mask of the image's size, {_shown_size(expected)} pixels upright",
            _shown_size(got),
            "Export masks at the image's size.",
            DatasetError,
        )


def _shown_size(size: tuple[int, int]) -> str:
    columns, rows = size
    return f"{columns} x {rows}"
