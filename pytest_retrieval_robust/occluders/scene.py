"""What an occluder may look at before it hides: a model on a data set, and one batch of
its images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..core.encoding import Box, Encoder, Images
from ..core.errors import OcclusionError
from ._donors import Donors, prepared_donors
from ._kept import Kept

if TYPE_CHECKING:
    from torch import Tensor

    from .drawn_ahead import DrawnAhead

MaskReader = Callable[[int], Mapping[str, NDArray[np.bool_]]]


class ImagesWithMasks(Images, Protocol):
    """A data set that has anatomical masks."""

    def masks(self, index: int) -> Mapping[str, NDArray[np.bool_]]:
        """(rows, columns) bool by name, true inside; a region may be absent."""


class ImagesWithRegions(Images, Protocol):
    """A data set that says which names its masks have."""

    @property
    def regions(self) -> Sequence[str]: ...


# By `getattr` and not by `isinstance`, which from Python 3.12 on does not see what a
# wrapper of a data set passes on by `__getattr__`.
def _has_masks(dataset: Images) -> TypeGuard[ImagesWithMasks]:
    return getattr(dataset, "masks", None) is not None


def _has_regions(dataset: Images) -> TypeGuard[ImagesWithRegions]:
    return getattr(dataset, "regions", None) is not None


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
        # Read where they lie: a gallery in a mapped file may not fit into memory.
        digest = sha256(self.reports.cpu().contiguous().numpy().data)
        digest.update(self.report_groups.tobytes())
        return digest.digest()

    @cached_property
    def donors(self) -> Donors:
        """The data set's donors, prepared by the model. Broken images are left out."""
        return prepared_donors(self.encoder, self.dataset)

    @property
    def masks(self) -> MaskReader:
        """Reads the anatomical masks of an image by its number; `OcclusionError` where
        the data set has none.
        """
        dataset = self.dataset
        # Data sets of files always have the method, but name regions only if they were
        # given masks.
        opened_without = _has_regions(dataset) and dataset.regions == ()
        if opened_without or not _has_masks(dataset):
            raise OcclusionError(
                "Expected a data set with anatomical masks, got none in"
                f" {dataset.name}. Give masks=FOLDER to a data set of files, or add a"
                " masks(index) method to your own."
            )
        return dataset.masks

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """The names that masks of the data set have: its own `regions`, else those of
        all its masks, in order.
        """
        dataset = self.dataset
        if _has_regions(dataset):
            return tuple(dataset.regions)
        read = self.masks
        names: set[str] = set()
        for number in range(len(dataset.image_ids)):
            names.update(read(number))
        return tuple(sorted(names))


@dataclass(frozen=True, eq=False, repr=False)
class Scene:
    """One batch: B images of a setting, prepared and on the model's device."""

    setting: Setting
    numbers: Sequence[int]
    """The images' numbers in the data set."""
    ids: Sequence[str]
    pixels: Tensor
    """(B, 3, H, W) floating on the 0..1 scale.

    Fills that are made of them are kept for all levels, until a torch operation changes
    them. So nobody may write to their memory by other ways, such as an array of numpy
    that shares it, or `data`.
    """
    frames: Sequence[Box]
    groups: NDArray[np.int64]
    """(B,) the images' group numbers: reports of the same group are right for them."""
    drawn_ahead: DrawnAhead | None = None
    """What was drawn while the images were decoded."""

    @cached_property
    def kept_fills(self) -> Kept:
        """Fills that the levels share: together at most as large as the pixels, or one."""
        return Kept(self.pixels.nbytes)
