"""JPEGs that any decoder shows alike, but for rounding."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

from ...core.foreign import FOREIGN, let_go
from .quiet import quiet
from .raster import orientation_of
from .refusals import MOST_PIXELS

_START = b"\xff\xd8\xff"
_END = b"\xff\xd9"
_BRIGHTNESS_AND_COLOUR = 1
"""How Adobe's marker says that colours are stored as YCbCr, as in all other files."""


def mode_of_plain_jpeg(content: bytes) -> Literal["L", "RGB"] | None:
    """`L` or `RGB` for a whole JPEG: one picture, upright, grey or in YCbCr, of 8 bits.

    None for any other file.

    Only its header is read. A file that was cut short is none: only Pillow is known to
    notice that while it decodes.
    """
    if not content.startswith(_START) or not content.rstrip(b"\0").endswith(_END):
        return None
    from PIL import Image as images

    try:
        with quiet(), images.open(BytesIO(content), formats=("JPEG",)) as image:
            # A file of several pictures is an MPO.
            if image.format != "JPEG" or image.mode not in ("L", "RGB"):
                return None
            mode: Literal["L", "RGB"] = "L" if image.mode == "L" else "RGB"
            columns, rows = image.size
            has_known_colours = (
                image.info.get("adobe_transform", _BRIGHTNESS_AND_COLOUR)
                == _BRIGHTNESS_AND_COLOUR
            )
            is_usual = has_known_colours and columns * rows <= MOST_PIXELS
            is_plain = is_usual and orientation_of(image) == 1
            return mode if is_plain else None
    except FOREIGN as error:
        # Decoding it on the host says what is wrong with it.
        let_go(error)
        return None
