"""PNG, JPEG, TIFF and WebP as 8-bit pictures, upright.

Pillow decodes them. What it leaves to do: refuse files of several pictures or of cut
strips, and turn pictures the right way up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from ...core.foreign import FOREIGN
from .deep_grey import USED_BITS, eight_bit, is_deep_colour, require_visible_colour
from .refusals import CONVERT, COPY_AGAIN, Refused, require_size
from .tiff import is_tiff, require_one_page
from .tiff_tags import IMAGE_LENGTH, ORIENTATION, first_value, tags_of

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
_KEPT = ("transparency", "icc_profile", USED_BITS)
"""What is kept of a picture's `info`. Its texts may tell of a patient, and without the
orientation nobody turns the picture once more.
"""
_MULTI_PICTURE_ENTRIES = 0xB002


def read_raster(stream: BinaryIO, bits: int | None = None) -> Image:
    """The picture of a PNG, JPEG, TIFF or WebP file, upright, in 8 bits.

    Modes of 8 bits stay. Values of more bits are scaled by the greatest that the file's
    depth can hold, or by `bits`. Raises `Refused`, and whatever Pillow raises for a
    damaged file.
    """
    with _opened(stream) as image:
        require_size(*image.size)
        _require_one_frame(image)
        _require_all_rows(image)
        # All three are to be asked for before the pixels are loaded.
        has_deep_colour = is_deep_colour(image)
        tags = tags_of(image)
        image.load()
        # Pillow has turned a TIFF by now.
        orientation = 1 if image.format == "TIFF" else orientation_of(image)
        if has_deep_colour:
            require_visible_colour(image, bits)
        picture = eight_bit(image, tags, bits)
    picture = upright(picture, orientation)
    picture.info = {key: picture.info[key] for key in _KEPT if key in picture.info}
    return picture


def _opened(stream: BinaryIO) -> ImageFile:
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    head = stream.read(16)
    stream.seek(0)
    if is_tiff(head):
        require_one_page(stream)
    try:
        return images.open(stream, formats=_FORMATS)
    except images.DecompressionBombError:
        raise Refused(
            "a picture",
            "more pixels than a radiograph has, as a decompression bomb has",
        ) from None
    except UnidentifiedImageError:
        raise _unidentified(head) from None


def orientation_of(image: Image) -> int:
    """The Exif orientation of a loaded image, 1 to 8; 1 if it has none that can be read."""
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except FOREIGN:
        # The pixels are whole, and viewers show them as they are.
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def upright(image: Image, orientation: int) -> Image:
    """The image turned and mirrored as its orientation says."""
    from PIL.Image import Transpose

    methods = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    if orientation == 1:
        return image
    return image.transpose(methods[orientation])


def frames_of(image: Image) -> int:
    """How many pictures a PNG, WebP or JPEG file holds.

    Thumbnails and gain maps of a JPEG are not counted.
    """
    if image.format == "MPO":
        entries = getattr(image, "mpinfo", {}).get(_MULTI_PICTURE_ENTRIES, ())
        kinds = [str(entry["Attribute"]["MPType"]) for entry in entries[1:]]
        return 1 + sum("Multi-Frame" in kind for kind in kinds)
    if image.format == "TIFF":
        # `require_one_page` has counted its pages.
        return 1
    return int(getattr(image, "n_frames", 1))


def _unidentified(head: bytes) -> Refused:
    kind = _kind_of_file(head)
    if kind is None:
        return Refused("a whole image", "no PNG, JPEG, TIFF, WebP or DICOM", COPY_AGAIN)
    return Refused(
        "a whole image",
        f"a {kind} that is damaged or of a kind that Pillow does not read",
        CONVERT,
    )


def _kind_of_file(head: bytes) -> str | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    return "TIFF" if is_tiff(head) else None


def _require_one_frame(image: ImageFile) -> None:
    frames = frames_of(image)
    if frames != 1:
        raise Refused("one picture per file", f"{frames} frames", CONVERT)


def _require_all_rows(image: ImageFile) -> None:
    """Raise `Refused` for a TIFF whose strips end before its last row.

    Pillow would leave the rest black.
    """
    if image.format != "TIFF" or not image.tile:
        return
    rows = first_value(tags_of(image).get(IMAGE_LENGTH, 0))
    # By their places: a tile has no names in Pillow 10.
    extents = [tile[1] for tile in image.tile]
    last_row = max(extent[3] for extent in extents if extent)
    if last_row < rows:
        raise Refused(
            "a whole image", "a TIFF whose strips end before its last row", COPY_AGAIN
        )
