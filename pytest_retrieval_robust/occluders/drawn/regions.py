"""`regions`: hides anatomical regions, cell by cell, where the data set has masks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...core.errors import OcclusionError
from .. import OccluderEntry
from ..area.patches import Patches
from ..severity import CELLS, NEVER, STEPS, Onsets, SeverityOccluder

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue
    from ..scene import Scene, Setting

_GRID = Patches().grid


@dataclass(frozen=True, eq=False)
class _Areas:
    """Where the asked regions are in the images of a batch.

    Equal only to itself: priorities are kept by occluder.
    """

    of_id: Mapping[str, NDArray[np.bool_]]
    """Image id -> (CELLS, CELLS)."""


@dataclass(frozen=True)
class Regions(SeverityOccluder):
    """The part of the regions that `patches` hides at the same level; all of them at 1.

    What is hidden is `patches` at 16 x 16 cells, of the same seed and level, within the
    regions: so the two can be compared. An image without any of the regions keeps all
    its pixels, and has the share 0.

    >>> Regions("black", "lungs+heart").name
    'regions(region=lungs+heart)'

    Args:
        fill: One of `fills.FILLS`. region: `lungs`, `heart`, `mediastinum` or another
        name that the data set's masks have; several joined by `+`.
    """

    fill: str = "black"
    region: str = "lungs"
    areas: _Areas | None = field(default=None, kw_only=True, repr=False)
    """Set by `bind`."""

    family: ClassVar[str] = "regions"

    def __post_init__(self) -> None:
        super().__post_init__()
        names = self.region.split("+") if isinstance(self.region, str) else [""]
        if not all(name and name == name.strip() for name in names) or len(
            set(names)
        ) < len(names):
            raise OcclusionError(
                "Expected a region or several different ones joined by '+', got"
                f" region={self.region!r}. Use lungs, heart, mediastinum or"
                " lungs+heart."
            )

    def bind(self, scene: Scene) -> Regions:
        """The occluder for the batch of `scene`, which knows where the regions of its
        images are.
        """
        asked = self.region.split("+")
        read = scene.setting.masks
        masks = [read(number) for number in scene.numbers]
        _require_known(asked, masks, scene)
        of_id = {
            image_id: _area(asked, found)
            for image_id, found in zip(scene.ids, masks, strict=True)
        }
        return replace(self.with_donors(scene), areas=_Areas(of_id))

    def looked_at(
        self, setting: Setting, numbers: Sequence[int], groups: NDArray[np.int64]
    ) -> bytes | None:
        """The masks of the images: they are files of their own, and may be drawn anew."""
        seen = super().looked_at(setting, numbers, groups)
        if seen is None:
            return None
        digest, read = sha256(seen), setting.masks
        for number in numbers:
            for name, mask in sorted(read(number).items()):
                digest.update(f"{number} {name} {mask.shape}".encode() + mask.tobytes())
        return digest.digest()

    def onsets(self, image_id: str, seed: int) -> Onsets:
        if self.areas is None or image_id not in self.areas.of_id:
            got = "none" if self.areas is None else "another batch's"
            raise OcclusionError(
                f"Expected the masks of each image for {self.name}, got {got}. Bind the"
                " occluder to the batch first: occluder.bind(scene), which evaluate()"
                " and the fixtures do by themselves."
            )
        return np.where(
            self.areas.of_id[image_id], _patch_onsets(image_id, seed), np.int16(NEVER)
        )


def _require_known(
    asked: Sequence[str], masks: Sequence[Mapping[str, Any]], scene: Scene
) -> None:
    """An image may lack a region; a name that no image has is a slip."""
    absent = [name for name in asked if not any(name in found for found in masks)]
    for name in absent:
        if name not in scene.setting.regions:
            raise OcclusionError(
                f"Expected a region out of {', '.join(scene.setting.regions)}, which"
                f" {scene.setting.dataset.name} has, got region={name!r}. Choose one,"
                " or several joined by '+'."
            )


def _area(
    asked: Sequence[str], masks: Mapping[str, NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """The cells whose centre lies in one of the asked regions."""
    area: NDArray[np.bool_] = np.zeros((CELLS, CELLS), dtype=np.bool_)
    for name in asked:
        if name in masks:
            rows, columns = (_at_centres(side) for side in masks[name].shape)
            area |= masks[name][rows[:, None], columns]
    return area


def _at_centres(side: int) -> NDArray[np.int64]:
    """The pixel, out of `side`, under the centre of each cell."""
    return (2 * np.arange(CELLS, dtype=np.int64) + 1) * side // (2 * CELLS)


def _patch_onsets(image_id: str, seed: int) -> Onsets:
    """(CELLS, CELLS): the severity from which `patches` hides each cell, its shares
    rounded as there.
    """
    places: NDArray[np.int64] = Patches(_GRID).order([image_id], seed, "cpu")[0].numpy()
    # Place p is hidden where round(level * cells) > p, halves up: from (p + 1/2) / cells on.
    onsets = -(-(2 * places + 1) * STEPS // (2 * _GRID**2))
    spread: Onsets = (
        onsets.astype(np.int16)
        .repeat(CELLS // _GRID, axis=0)
        .repeat(CELLS // _GRID, axis=1)
    )
    return spread


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Regions.family,
            summary=(
                "anatomical regions, of data sets that have masks: lungs, heart,"
                " mediastinum"
            ),
            parameters={"fill": str, "region": str},
            build=Regions,
            by_name_only=True,
        )
    )
