"""Images whose pixels the fill `donor` takes: a fixed set of a data set's images, chosen
by their ids alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from ..core.encoding import (
    Box,
    Encoder,
    Images,
    Prepares,
    open_image,
    prepare_image,
    stacked,
    unit_scale,
)
from ..core.errors import OcclusionError, UnreadableImageError
from .hashing import by_hash, host_words

if TYPE_CHECKING:
    from torch import Tensor

DONORS = 16


@dataclass(frozen=True, eq=False, repr=False)
class Donors:
    """Prepared images, as the model wants them, with their ids and frames."""

    ids: Sequence[str]
    pixels: Tensor
    """(D, 3, H, W) floating on the 0..1 scale."""
    frames: Sequence[Box]

    @cached_property
    def digest(self) -> bytes:
        """Changes with anything that a filling is made of."""
        header = f"{list(self.ids)} {list(self.frames)} {tuple(self.pixels.shape)}"
        return sha256(header.encode() + self.pixels.cpu().numpy().tobytes()).digest()

    def number_for(self, image_id: str, seed: int) -> int:
        """The number of the image's donor, which is never the image itself."""
        number = int(host_words(image_id, seed, "donor", 1)[0]) % len(self.ids)
        if self.ids[number] == image_id:
            return (number + 1) % len(self.ids)
        return number


def prepared_donors(encoder: Encoder, dataset: Images) -> Donors:
    """The data set's donors, prepared by the model. Broken images are left out."""
    ids: list[str] = []
    prepared: list[Prepares] = []
    # Asked once: the property of a user's data set may make the list each time.
    image_ids = dataset.image_ids
    for number in by_hash(image_ids, "donors"):
        if len(ids) == DONORS:
            break
        try:
            image = open_image(dataset, number, f"its image number {number}")
        except UnreadableImageError:
            continue
        prepared.append(prepare_image(encoder, image))
        ids.append(image_ids[number])
    # With one donor alone, that image would have to be its own.
    if len(ids) < 2:
        raise OcclusionError(
            f"Expected at least two images in {dataset.name} for fill='donor', got"
            f" images={len(ids)}. Choose another fill."
        )
    pixels = unit_scale(stacked(prepared, encoder.name), encoder.device)
    return Donors(ids, pixels, [image.frame for image in prepared])
