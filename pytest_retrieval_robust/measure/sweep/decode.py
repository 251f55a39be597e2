"""Images decoded and prepared, each with a digest of its pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...core.encoding import Prepares, open_image, prepare_image
from ...core.errors import UnreadableImageError
from ..abilities import skips_unreadable
from ..embeddings.shards import DIGEST_BYTES

if TYPE_CHECKING:
    from PIL.Image import Image

    from .plan import SweepPlan

_STRIP_BYTES = 1 << 18


@dataclass(frozen=True, repr=False)
class DecodedImage:
    """An image as the model wants it, and the digest of its pixels before that."""

    prepared: Prepares | None
    """None for a broken image that the data set skips."""
    digest: bytes


def decode(plan: SweepPlan, number: int, content: bytes = b"") -> DecodedImage:
    """The image with that number in the data set.

    It is decoded unless a model that prepares alike has had it, from the same `content`:
    what the data set knows of its file, if anything. A file that was changed since is
    another image.
    """
    if plan.pictures is None:
        return decode_afresh(plan, number)
    kept = plan.pictures.get(number, content)
    if kept is not None:
        return kept
    decoded = decode_afresh(plan, number)
    plan.pictures.put(number, decoded, content)
    return decoded


def decode_afresh(plan: SweepPlan, number: int) -> DecodedImage:
    """The image with that number, whatever other models have kept of it."""
    dataset = plan.pairs.dataset
    if plan.decoding == "device":
        from .device_decode import decoded_on_device

        on_device = decoded_on_device(plan.model, dataset, number)
        if on_device is not None:
            return on_device
    try:
        image = open_image(dataset, number, plan.image_name(number))
    except UnreadableImageError:
        if not skips_unreadable(dataset):
            raise
        return DecodedImage(None, bytes(DIGEST_BYTES))
    # Before the model is given the image, which it may change.
    digest = picture_digest(image)
    return DecodedImage(prepare_image(plan.model, image), digest)


def picture_digest(image: Image) -> bytes:
    """32 bytes that change with what an image shows: its pixels and their colours."""
    digest = hashlib.sha256(f"{image.mode}{image.size}".encode())
    for strip in _strips(image):
        digest.update(strip.tobytes())
    palette = image.palette
    if palette is not None:
        # The same indices into other colours are another picture.
        colours = image.getpalette(None)
        transparency = image.info.get("transparency")
        digest.update(repr((palette.mode, colours, transparency)).encode())
    return digest.digest()


def _strips(image: Image) -> Iterator[Image]:
    """The image cut into strips of whole rows.

    Their bytes one after another are those of the image, because Pillow fills up each
    row by itself. A copy of a strip fits into a processor's cache, and one of the whole
    image takes longer than hashing it.
    """
    width, height = image.size
    rows = max(1, _STRIP_BYTES // (width * len(image.getbands())))
    for top in range(0, height, rows):
        yield image.crop((0, top, width, min(height, top + rows)))
