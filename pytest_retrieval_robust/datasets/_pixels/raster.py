"""PNG, JPEG, TIFF and WebP as 8-bit pictures, upright: what Pillow decodes, and what it
leaves to be done.

Pillow gives the raw numbers of pictures with more than 8 bits: which of them is white
follows from the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ...core.foreign import FOREIGN
from .reading import (
    CONVERT,
    COPY_AGAIN,
    LEAST_SHARE,
    SKIP,
    Refused,
    by_value,
    require_size,
)
from .tiff import is_tiff, require_one_page

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
_LENGTH, _BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION, _SAMPLE_FORMAT = (
    257,
    258,
    262,
    274,
    339,
)
_UNSIGNED, _SIGNED = 1, 2
_KEPT = ("transparency", "icc_profile")
USED_BITS = "used bits"
"""The key in a picture's `info` of how many bits its greatest value takes, for pictures
of more than 8 bits.
"""


def read_raster(stream: BinaryIO, bits: int | None = None) -> Image:
    """The picture of a PNG, JPEG, TIFF or WebP file, upright, in 8 bits; modes of 8 bits stay.

    Values of more than 8 bits are scaled by the greatest that the file's depth can
    hold, or by `bits`. Raises `Refused`, and whatever Pillow raises for a damaged file.
    """
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    head = stream.read(16)
    stream.seek(0)
    if is_tiff(head):
        require_one_page(stream)
    try:
        opened = images.open(stream, formats=_FORMATS)
    except images.DecompressionBombError:
        raise Refused(
            "a picture",
            "more pixels than a radiograph has, as a decompression bomb has",
        ) from None
    except UnidentifiedImageError:
        raise _unidentified(head) from None
    with opened as image:
        require_size(*image.size)
        _require_one_frame(image)
        _require_all_rows(image)
        is_deep_colour = _is_deep_colour(image)
        tags = dict(getattr(image, "tag_v2", {}))
        image.load()
        orientation = (
            1 if image.format == "TIFF" else orientation_of(image)
        )  # Pillow has turned a TIFF by now
        if is_deep_colour:
            _require_visible_colour(image, bits)
        picture = _eight_bit(image, tags, bits)
    picture = upright(picture, orientation)
    # Without the tag: nobody may turn it once more. Without texts: they may tell of a patient.
    picture.info = {
        key: value for key, value in picture.info.items() if key in (*_KEPT, USED_BITS)
    }
    return picture


def orientation_of(image: Image) -> int:
    """The Exif orientation of a loaded image, 1 to 8; 1 where it has none that can be read."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except FOREIGN:  # the pixels are whole, and viewers show them as they are
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def upright(image: Image, orientation: int) -> Image:
    """The image turned and mirrored as its orientation says."""
    from PIL.Image import Transpose

    methods = (
        Transpose.FLIP_LEFT_RIGHT,
        Transpose.ROTATE_180,
        Transpose.FLIP_TOP_BOTTOM,
        Transpose.TRANSPOSE,
        Transpose.ROTATE_270,
        Transpose.TRANSVERSE,
        Transpose.ROTATE_90,
    )
    if orientation == 1:
        return image
    return image.transpose(methods[orientation - 2])


def frames_of(image: Image) -> int:
    """How many pictures a PNG, WebP or JPEG file holds; thumbnails and gain maps of a
    JPEG are not counted.
    """
    if image.format == "MPO":
        entries = getattr(image, "mpinfo", {}).get(0xB002, ())
        further = sum(
            "Multi-Frame" in str(entry["Attribute"]["MPType"]) for entry in entries[1:]
        )
        return 1 + further
    if image.format == "TIFF":
        return 1  # `require_one_page` has counted
    return int(getattr(image, "n_frames", 1))


def _unidentified(head: bytes) -> Refused:
    kind = None
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        kind = "PNG"
    elif head.startswith(b"\xff\xd8\xff"):
        kind = "JPEG"
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        kind = "WebP"
    elif is_tiff(head):
        kind = "TIFF"
    if kind is None:
        return Refused("a whole image", "no PNG, JPEG, TIFF, WebP or DICOM", COPY_AGAIN)
    return Refused(
        "a whole image",
        f"a {kind} that is damaged or of a kind that Pillow does not read",
        CONVERT,
    )


def _require_one_frame(image: ImageFile) -> None:
    frames = frames_of(image)
    if frames != 1:
        raise Refused("one picture per file", f"{frames} frames", CONVERT)


def _require_all_rows(image: ImageFile) -> None:
    """Raise `Refused` for a TIFF whose strips end before its last row: Pillow leaves
    the rest black.
    """
    if image.format != "TIFF" or not image.tile:
        return
    rows = _first(getattr(image, "tag_v2", {}).get(_LENGTH, 0))
    if max(tile.extents[3] for tile in image.tile if tile.extents) < rows:
        raise Refused(
            "a whole image", "a TIFF whose strips end before its last row", COPY_AGAIN
        )


def _is_deep_colour(image: ImageFile) -> bool:
    """Whether Pillow will cut 16-bit colours to 8 bits. To be asked before the image is loaded."""
    if image.mode.startswith("I") or not image.tile:
        return False
    arguments = image.tile[0].args
    raw_mode = arguments if isinstance(arguments, str) else str((arguments or ("",))[0])
    return ";16" in raw_mode


def _require_visible_colour(image: Image, bits: int | None) -> None:
    if bits not in (None, 16):
        raise Refused(
            f"grey values or 8-bit colours beside bits={bits}",
            "16-bit colours",
            CONVERT,
        )
    colours = image.getbands()[:3] if image.mode != "LA" else ("L",)
    greatest = max(int(np.asarray(image.getchannel(band)).max()) for band in colours)
    if bits is None and greatest < 256 // LEAST_SHARE:
        raise Refused(
            "16-bit colours that can be seen",
            f"at most {greatest} of 255 after scaling, which is all but black",
            "Scale its values to 16 bits, give bits=16 if it is meant to be so dark,"
            f" {SKIP}",
        )


def _eight_bit(image: Image, tags: dict[int, Any], bits: int | None) -> Image:
    """A picture of 8 bits from a loaded one."""
    if image.mode == "F":
        raise Refused(
            "whole numbers", "floating-point values, which have no known white", CONVERT
        )
    sample_format = _first(tags.get(_SAMPLE_FORMAT, _UNSIGNED))
    if image.mode.startswith("I"):
        depth = _first(tags.get(_BITS_PER_SAMPLE, 16))
        is_inverted = tags.get(_PHOTOMETRIC) == 0
        return _from_deep(
            _stored(image, depth, sample_format),
            depth,
            sample_format == _SIGNED,
            is_inverted,
            bits,
        )
    if sample_format == _SIGNED:
        if image.mode != "L":
            raise Refused("unsigned colours", "signed ones", CONVERT)
        return _from_deep(
            np.asarray(image).view(np.int8), 8, True, tags.get(_PHOTOMETRIC) == 0, 7
        )
    if image.mode == "La":
        return image.convert("LA")
    if image.mode in ("LAB", "RGBa"):
        return image.convert("RGB" if image.mode == "LAB" else "RGBA")
    return image.copy()


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)


def _stored(image: Image, depth: int, sample_format: int) -> np.ndarray[Any, Any]:
    """The numbers of the file. Pillow hands out unsigned numbers of 32 bits as signed ones."""
    values = np.asarray(image)
    if depth == 32 and sample_format == _UNSIGNED:
        return values.view(np.uint32)
    return values


def _from_deep(
    values: np.ndarray[Any, Any],
    depth: int,
    is_signed: bool,
    is_inverted: bool,
    bits: int | None,
) -> Image:
    """Grey values of more than 8 bits: 0 is black and the greatest of their depth
    white, the same for all pictures.

    TIFF 6.0 has white at 2**BitsPerSample - 1, and at 0 where the photometric
    interpretation says so.
    """
    from PIL import Image as images

    least, greatest = int(values.min()), int(values.max())
    if least < 0:
        raise Refused(
            "grey values of 0 or more",
            f"{depth}-bit values from {least}, which have no known black",
            CONVERT,
        )
    white_bits = (
        bits
        if bits is not None
        else _bits_of_white(depth, is_signed, is_inverted, greatest)
    )
    white = 2**white_bits - 1
    if greatest > white:
        raise Refused(
            f"values that bits={bits} can hold",
            f"values up to {greatest}",
            f"Give a larger number of bits, {SKIP}",
        )
    if bits is None and depth >= 16 and 0 < greatest * LEAST_SHARE < white:
        raise Refused(
            f"{depth}-bit values that can be seen",
            f"at most {greatest} of {white}, which is all but black",
            f"Give the bits that the values take, as in bits=12 (bits={white_bits} if"
            f" it is meant to be so), {SKIP}",
        )
    stored = values.astype(np.uint16) if greatest <= 65535 else values
    picture = images.fromarray(
        by_value(
            stored, lambda levels: (white - levels if is_inverted else levels) / white
        )
    )
    if bits is None and depth == 16:
        picture.info[USED_BITS] = greatest.bit_length()
    return picture


def _bits_of_white(
    depth: int, is_signed: bool, is_inverted: bool, greatest: int
) -> int:
    if depth <= 16:
        return depth - is_signed
    if (
        is_inverted or greatest > 65535
    ):  # where 32 bits end is seldom what is white in them
        raise Refused(
            "values of up to 16 bits",
            f"{depth}-bit values up to {greatest}, which have no known white",
            f"Give the number of bits of white, as in bits=32, {SKIP}",
        )
    return 16
