"""`regions`: hides anatomical regions, cell by cell, of data sets that have masks."""

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
    """Where the occluder's regions are in the images of a batch.

    Equal only to itself, because priorities are cached by occluder.
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
        fill: One of `fills.FILLS`.
        region: `lungs`, `heart`, `mediastinum` or another name that the data set's masks
            have; several joined by `+`.
    """

    fill: str = "black"
    region: str = "lungs"
    areas: _Areas | None = field(default=None, kw_only=True, repr=False)
    """Set by `bind`."""

    family: ClassVar[str] = "regions"

    def __post_init__(self) -> None:
        super().__post_init__()
        names = self.region.split("+") if isinstance(self.region, str) else [""]
        are_names = all(name and name == name.strip() for name in names)
        if not are_names or len(set(names)) < len(names):
            raise OcclusionError(
                "Expected a region or several different ones joined by '+', got"
                f" region={self.region!r}. Use lungs, heart, mediastinum or"
                " lungs+heart."
            )

    def bind(self, scene: Scene) -> Regions:
        """The occluder that knows where the regions of the scene's images are."""
        regions = self.region.split("+")
        read = scene.setting.masks
        masks = [read(number) for number in scene.numbers]
        _require_known(regions, masks, scene)
        areas = [_area(regions, masks_of_image) for masks_of_image in masks]
        of_id = dict(zip(scene.ids, areas, strict=True))
        return replace(self, areas=_Areas(of_id)).for_batch(scene)

    def looked_at(
        self, setting: Setting, numbers: Sequence[int], groups: NDArray[np.int64]
    ) -> bytes | None:
        """The masks of the images: they are files of their own, and may be drawn anew."""
        base_digest = super().looked_at(setting, numbers, groups)
        if base_digest is None:
            return None
        digest = sha256(base_digest)
        read = setting.masks
        for number in numbers:
            for name, mask in sorted(read(number).items()):
                digest.update(f"{number} {name} {mask.shape}".encode() + mask.tobytes())
        return digest.digest()

    def onsets(self, image_id: str, seed: int) -> Onsets:
        if self.areas is None or image_id not in self.areas.of_id:
            got = "none" if self.areas is None else "another batch's"
            raise OcclusionError(
                f"Expected the masks of each image for {self.name}, got {got}. Bind the"
                " occluder to the batch first: occluder.bind(scene). evaluate() and the"
                " fixtures do it for you."
            )
        area = self.areas.of_id[image_id]
        return np.where(area, _patch_onsets(image_id, seed), np.int16(NEVER))


def _require_known(
    regions: Sequence[str], masks: Sequence[Mapping[str, Any]], scene: Scene
) -> None:
    """An image may lack a region; a name that no image has is a slip."""
    in_batch = {name for masks_of_image in masks for name in masks_of_image}
    for name in regions:
        # The batch is looked at first, because the data set may have to read all masks.
        if name not in in_batch and name not in scene.setting.regions:
            raise OcclusionError(
                f"Expected a region out of {', '.join(scene.setting.regions)}, which"
                f" {scene.setting.dataset.name} has, got region={name!r}. Choose one,"
                " or several joined by '+'."
            )


def _area(
    regions: Sequence[str], masks: Mapping[str, NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """The cells whose centre lies in one of the regions."""
    area: NDArray[np.bool_] = np.zeros((CELLS, CELLS), dtype=np.bool_)
    for name in regions:
        if name in masks:
            mask = masks[name]
            rows = _at_centres(mask.shape[0])
            columns = _at_centres(mask.shape[1])
            area |= mask[rows[:, None], columns]
    return area


def _at_centres(side: int) -> NDArray[np.int64]:
    """The pixel, out of `side`, under the centre of each cell."""
    return (2 * np.arange(CELLS, dtype=np.int64) + 1) * side // (2 * CELLS)


def _patch_onsets(image_id: str, seed: int) -> Onsets:
    """(CELLS, CELLS): the severity from which `patches` hides each cell, its shares
    rounded as there.
    """
    order = Patches(_GRID).order([image_id], seed, "cpu")[0].numpy()
    # The cell of order p is hidden where round(level * cells) > p, halves rounded up:
    # from (p + 1/2) / cells on. Minus a floor of a negative number rounds up.
    onsets = -(-(2 * order + 1) * STEPS // (2 * _GRID**2))
    width = CELLS // _GRID
    spread: Onsets = onsets.astype(np.int16).repeat(width, axis=0).repeat(width, axis=1)
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
