"""Pictures of more than 8 bits, in 8 bits: which value is white follows from the file.

Pillow gives the raw numbers of grey pictures and cuts colours to 8 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .levels import Values, by_value
from .refusals import CONVERT, LEAST_SHARE, SKIP, Refused
from .tiff_tags import (
    BITS_PER_SAMPLE,
    PHOTOMETRIC,
    SAMPLE_FORMAT,
    SIGNED,
    UNSIGNED,
    WHITE_IS_ZERO,
    first_value,
)

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

USED_BITS = "used bits"
"""The key in a picture's `info` for how many bits its greatest value takes, in pictures
of more than 8 bits.
"""
_MOST_16_BITS = 65_535


@dataclass(frozen=True)
class _Depth:
    """How a file writes grey values of more than 8 bits."""

    bits: int
    """Per value, the sign among them."""
    is_signed: bool
    is_inverted: bool
    """Whether 0 is white."""


def is_deep_colour(image: ImageFile) -> bool:
    """Whether Pillow will cut 16-bit colours to 8 bits.

    To be asked before the image is loaded.
    """
    if image.mode.startswith("I") or not image.tile:
        return False
    # By their places: a tile has no names in Pillow 10.
    arguments = image.tile[0][3]
    raw_mode = arguments if isinstance(arguments, str) else str((arguments or ("",))[0])
    return ";16" in raw_mode


def require_visible_colour(image: Image, bits: int | None) -> None:
    """Raise `Refused` for 16-bit colours that are all but black after the cut."""
    if bits not in (None, 16):
        raise Refused(
            f"grey values or 8-bit colours beside bits={bits}",
            "16-bit colours",
            CONVERT,
        )
    colours = ("L",) if image.mode == "LA" else image.getbands()[:3]
    greatest = max(int(np.asarray(image.getchannel(band)).max()) for band in colours)
    if bits is None and greatest < 256 // LEAST_SHARE:
        raise Refused(
            "16-bit colours that can be seen",
            f"at most {greatest} of 255 after scaling, which is all but black",
            "Scale its values to 16 bits, give bits=16 if it is meant to be so dark,"
            f" {SKIP}",
        )


def eight_bit(image: Image, tags: Mapping[int, Any], bits: int | None) -> Image:
    """A picture of 8 bits from a loaded one."""
    if image.mode == "F":
        raise Refused(
            "whole numbers", "floating-point values, which have no known white", CONVERT
        )
    sample_format = first_value(tags.get(SAMPLE_FORMAT, UNSIGNED))
    is_signed = sample_format == SIGNED
    is_inverted = tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
    if image.mode.startswith("I"):
        stored_bits = first_value(tags.get(BITS_PER_SAMPLE, 16))
        values = np.asarray(image)
        # Pillow hands out unsigned numbers of 32 bits as signed ones.
        if stored_bits == 32 and sample_format == UNSIGNED:
            values = values.view(np.uint32)
        return _scaled(values, _Depth(stored_bits, is_signed, is_inverted), bits)
    if is_signed:
        if image.mode != "L":
            raise Refused("unsigned colours", "signed ones", CONVERT)
        values = np.asarray(image).view(np.int8)
        return _scaled(values, _Depth(8, True, is_inverted), bits=7)
    if image.mode == "La":
        return image.convert("LA")
    if image.mode == "LAB":
        return image.convert("RGB")
    if image.mode == "RGBa":
        return image.convert("RGBA")
    return image.copy()


def _scaled(values: np.ndarray[Any, Any], depth: _Depth, bits: int | None) -> Image:
    """Grey values in 8 bits: 0 is black and the greatest of their depth white.

    The scale is the same for all pictures of a depth. TIFF 6.0 has white at
    2**BitsPerSample - 1, and at 0 if the photometric interpretation says so.
    """
    from PIL import Image as images

    least = int(values.min())
    greatest = int(values.max())
    if least < 0:
        raise Refused(
            "grey values of 0 or more",
            f"{depth.bits}-bit values from {least}, which have no known black",
            CONVERT,
        )
    white_bits = _bits_of_white(depth, greatest) if bits is None else bits
    white = 2**white_bits - 1
    if greatest > white:
        raise Refused(
            f"values that bits={bits} can hold",
            f"values up to {greatest}",
            f"Give a larger number of bits, {SKIP}",
        )
    is_dark = 0 < greatest * LEAST_SHARE < white
    if bits is None and depth.bits >= 16 and is_dark:
        raise Refused(
            f"{depth.bits}-bit values that can be seen",
            f"at most {greatest} of {white}, which is all but black",
            f"Give the bits that the values take, as in bits=12 (bits={white_bits} if"
            f" it is meant to be so), {SKIP}",
        )

    def to_shares(levels: Values) -> Values:
        shares: Values = (white - levels if depth.is_inverted else levels) / white
        return shares

    # Values of 16 bits are scaled by a table, whatever type Pillow gave them.
    stored = values.astype(np.uint16) if greatest <= _MOST_16_BITS else values
    picture = images.fromarray(by_value(stored, to_shares))
    if bits is None and depth.bits == 16:
        picture.info[USED_BITS] = greatest.bit_length()
    return picture


def _bits_of_white(depth: _Depth, greatest: int) -> int:
    if depth.bits <= 16:
        return depth.bits - depth.is_signed
    # The end of 32 bits is seldom the white of a picture: its values end earlier.
    if depth.is_inverted or greatest > _MOST_16_BITS:
        raise Refused(
            "values of up to 16 bits",
            f"{depth.bits}-bit values up to {greatest}, which have no known white",
            f"Give the number of bits of white, as in bits=32, {SKIP}",
        )
    return 16
