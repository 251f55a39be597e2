"""What an occluder may look at before it hides: a model on a data set, and one batch of
its images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import OcclusionError, UnreadableImageError
from ._images import (
    Box,
    Encoder,
    Images,
    open_image,
    prepare_image,
    stacked,
    unit_scale,
)

if TYPE_CHECKING:
    from torch import Tensor

    from ._donors import Donors

MaskReader = Callable[[int], Mapping[str, NDArray[np.bool_]]]


@dataclass(frozen=True, eq=False, repr=False)
class Setting:
    """A model on a data set, for as long as the two are evaluated."""

    encoder: Encoder
    dataset: Images
    reports: Tensor
    """(G, D) the embeddings of the gallery of reports."""
    report_groups: NDArray[np.int64]
    """(G,) their group numbers."""

    @cached_property
    def gallery_digest(self) -> bytes:
        """Changes with any embedding or group of the gallery."""
        return sha256(
            self.reports.cpu().numpy().tobytes() + self.report_groups.tobytes()
        ).digest()

    @cached_property
    def donors(self) -> Donors:
        """The data set's donors, prepared by the model; broken images are none."""
        from ._donors import DONORS, Donors
        from .hashing import by_hash

        dataset, ids, kept = self.dataset, [], []
        for number in by_hash(dataset.image_ids, "donors"):
            try:
                image = open_image(dataset, number, f"its image number {number}")
            except UnreadableImageError:
                continue
            kept.append(prepare_image(self.encoder, image))
            ids.append(dataset.image_ids[number])
            if len(ids) == DONORS:
                break
        if len(ids) < 2:
            raise OcclusionError(
                f"Expected at least two images in {dataset.name} for fill='donor', got"
                f" images={len(ids)}. Choose another fill."
            )
        pixels = unit_scale(stacked(kept, self.encoder.name), self.encoder.device)
        return Donors(ids, pixels, [one.frame for one in kept])

    @property
    def masks(self) -> MaskReader:
        """Reads the anatomical masks of an image by its number; `OcclusionError` where
        the data set has none.
        """
        read: MaskReader | None = getattr(self.dataset, "masks", None)
        # Data sets of files always have the method, but regions only where they were given masks.
        if read is None or getattr(self.dataset, "regions", None) == ():
            raise OcclusionError(
                "Expected a data set with anatomical masks, got none in"
                f" {self.dataset.name}. Give masks=FOLDER to a data set of files, or a"
                " masks(index) method to one of your own."
            )
        return read

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """The names that masks of the data set have: its own `regions`, else those of
        all its masks, in order.
        """
        said: Sequence[str] | None = getattr(self.dataset, "regions", None)
        if said is not None:
            return tuple(said)
        read = self.masks
        return tuple(
            sorted(
                {
                    name
                    for number in range(len(self.dataset.image_ids))
                    for name in read(number)
                }
            )
        )


@dataclass(frozen=True, eq=False, repr=False)
class Scene:
    """One batch: B images of a setting, prepared and on the model's device."""

    setting: Setting
    numbers: Sequence[int]
    """The images' numbers in the data set."""
    ids: Sequence[str]
    pixels: Tensor
    """(B, 3, H, W) floating on the 0..1 scale."""
    frames: Sequence[Box]
    groups: NDArray[np.int64]
    """(B,) the images' group numbers: reports of the same group are right for them."""
