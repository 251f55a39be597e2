"""The tags of a TIFF that bear on its levels, by their numbers in TIFF 6.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_LENGTH = 257
BITS_PER_SAMPLE = 258
PHOTOMETRIC = 262
ORIENTATION = 274
SAMPLE_FORMAT = 339

WHITE_IS_ZERO = 0
UNSIGNED = 1
SIGNED = 2


def tags_of(image: Image) -> Mapping[int, Any]:
    """The tags of a TIFF; none of other pictures."""
    return dict(getattr(image, "tag_v2", {}))


def first_value(value: Any) -> int:
    """The number of a tag that has one, or one per channel."""
    return int(value[0] if isinstance(value, tuple) else value)
