"""`regions`: what it hides follows the data set's masks and the order of `patches`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pytest_retrieval_robust import evaluate, load_model, load_occluder
from pytest_retrieval_robust.core.errors import OcclusionError
from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.occluders import WHOLE, Occluder
from pytest_retrieval_robust.occluders.area.patches import Patches
from pytest_retrieval_robust.occluders.drawn.regions import Regions
from pytest_retrieval_robust.occluders.scene import Scene, Setting
from pytest_retrieval_robust.occluders.severity import CELLS

Masks = Mapping[str, NDArray[np.bool_]]
DATA = SyntheticCxr(pairs=6, size=CELLS)
NUMBERS = (3, 0, 5)
IDS = [DATA.image_ids[number] for number in NUMBERS]

levels = st.integers(0, 1000).map(lambda n: n / 1000)
seeds = st.integers(0, 2**64 - 1)
regions = st.sampled_from(
    ["lungs", "heart", "mediastinum", "lungs+heart", "mediastinum+heart+lungs"]
)


@dataclass
class OwnData:
    """A data set of somebody's own: images named by their numbers."""

    all_masks: Sequence[Masks]
    name: str = "own"
    reads: list[int] = field(default_factory=list)

    @property
    def image_ids(self) -> list[str]:
        return [str(number) for number in range(len(self.all_masks))]

    def image(self, index: int) -> Image.Image:
        return Image.new("L", (8, 8), index)

    def masks(self, index: int) -> Masks:
        self.reads.append(index)
        return self.all_masks[index]


def scene_of(dataset: Any, numbers: Sequence[int]) -> Scene:
    """A batch of a data set; no model is asked for anything."""
    setting = Setting(None, dataset, torch.zeros(1, 4), np.zeros(1, dtype=np.int64))  # type: ignore[arg-type]
    ids = [dataset.image_ids[number] for number in numbers]
    return Scene(
        setting,
        numbers,
        ids,
        torch.zeros(len(ids), 3, 8, 8),
        [WHOLE] * len(ids),
        np.zeros(len(ids), dtype=np.int64),
    )


def bound(
    region: str, dataset: Any = DATA, numbers: Sequence[int] = NUMBERS
) -> Regions:
    return Regions(region=region).bind(scene_of(dataset, numbers))


def truth(region: str) -> torch.Tensor:
    """(images, 1, 256, 256): the union of the data set's own masks."""
    found = [DATA.masks(number) for number in NUMBERS]
    return torch.from_numpy(
        np.stack(
            [np.any([masks[r] for r in region.split("+")], axis=0) for masks in found]
        )
    )[:, None]


@pytest.mark.parametrize("region", ["lungs", "heart", "mediastinum", "lungs+heart"])
def test_level_1_hides_exactly_the_regions(region: str) -> None:
    mask = bound(region).mask(IDS, 1, 0, CELLS, WHOLE)
    assert torch.equal(mask, truth(region))
    assert mask.flatten(1).any(dim=1).all()


@settings(max_examples=30)
@given(regions, levels, seeds)
def test_it_hides_what_patches_hides_of_the_regions(
    region: str, level: float, seed: int
) -> None:
    mask = bound(region).mask(IDS, level, seed, CELLS, WHOLE)
    assert torch.equal(
        mask, Patches(16).mask(IDS, level, seed, CELLS, WHOLE) & truth(region)
    )


@settings(max_examples=20)
@given(regions, levels, levels, seeds)
def test_masks_are_nested_and_shares_are_those_of_the_mask(
    region: str, level: float, other_level: float, seed: int
) -> None:
    occluder = bound(region)
    less, more = (
        occluder.mask(IDS, level, seed, CELLS, WHOLE)
        for level in sorted((level, other_level))
    )
    assert not (less & ~more).any()
    assert (
        occluder.shares(IDS, max(level, other_level), seed)
        == more.double().mean(dim=(1, 2, 3)).tolist()
    )


def test_an_image_does_not_depend_on_its_batch() -> None:
    whole = bound("lungs").mask(IDS, 0.4, 7, 64, WHOLE)
    for place, number in enumerate(NUMBERS):
        alone = bound("lungs", numbers=[number])
        assert torch.equal(alone.mask([IDS[place]], 0.4, 7, 64, WHOLE)[0], whole[place])


def test_level_0_and_pixels_outside_stay_bit_for_bit() -> None:
    pixels = torch.rand(3, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    occluder = bound("lungs")
    assert torch.equal(occluder.occlude(pixels, IDS, 0, 0, WHOLE), pixels)
    mask = occluder.mask(IDS, 0.6, 0, 224, WHOLE)
    assert torch.equal(
        occluder.occlude(pixels, IDS, 0.6, 0, WHOLE), torch.where(mask, 0.0, pixels)
    )


@pytest.mark.parametrize("shape", [(8, 8), (300, 100), (1, 513), (1024, 700)])
def test_masks_of_any_size_are_taken_at_the_cells_centres(
    shape: tuple[int, int],
) -> None:
    mask = np.random.default_rng(0).random(shape) < 0.5
    hidden = bound("thymus", OwnData([{"thymus": mask}]), [0]).mask(
        ["0"], 1, 0, CELLS, WHOLE
    )[0, 0]
    centres = [
        [int((cell + 0.5) / CELLS * side) for cell in range(CELLS)] for side in shape
    ]
    assert np.array_equal(hidden.numpy(), mask[np.ix_(*centres)])


def test_an_image_without_the_region_keeps_all_its_pixels() -> None:
    full = np.ones((4, 4), dtype=np.bool_)
    data = OwnData([{"heart": full}, {"lungs": full}, {}])
    occluder = bound("lungs", data, [0, 1, 2])
    assert occluder.shares(["0", "1", "2"], 1, 0) == [0.0, 1.0, 0.0]
    assert bound("lungs+heart", data, [0, 1, 2]).shares(["0", "1", "2"], 1, 0) == [
        1.0,
        1.0,
        0.0,
    ]


def test_a_batch_without_the_region_is_no_error_where_other_images_have_it() -> None:
    full = np.ones((4, 4), dtype=np.bool_)
    data = OwnData([{"heart": full}, {"lungs": full}])
    assert bound("lungs", data, [0]).shares(["0"], 1, 0) == [0.0]


def test_an_unknown_region_lists_what_there_is() -> None:
    data = OwnData(
        [
            {"heart": np.ones((4, 4), dtype=np.bool_)},
            {"liver": np.ones((4, 4), dtype=np.bool_)},
        ]
    )
    with pytest.raises(
        OcclusionError, match=r"out of heart, liver, which own has, got region='lung'"
    ):
        bound("lung", data, [0])
    with pytest.raises(
        OcclusionError, match=r"heart, lungs, mediastinum.*got region='longs'"
    ):
        bound("heart+longs")


def test_findings_are_regions_too() -> None:
    number = next(number for number in range(6) if "pacemaker" in DATA.masks(number))
    share = bound("pacemaker", numbers=[number]).shares([DATA.image_ids[number]], 1, 0)[
        0
    ]
    assert 0 < share < 0.05


def test_a_data_set_without_masks_says_how_to_give_them() -> None:
    class Plain:
        name = "plain"
        image_ids = ("a",)

    with pytest.raises(
        OcclusionError, match="anatomical masks, got none in plain. Give masks=FOLDER"
    ):
        bound("lungs", Plain(), [0])


def test_bound_occluders_are_never_taken_for_another() -> None:
    """Priorities are cached by occluder, ids and seed: other masks of the same ids must
    not come from there.
    """
    full = np.ones((4, 4), dtype=np.bool_)
    empty = np.zeros((4, 4), dtype=np.bool_)
    of_full, of_empty = (
        bound("lungs", OwnData([{"lungs": mask}]), [0]) for mask in (full, empty)
    )
    assert of_full.shares(["0"], 1, 0) == [1.0]
    assert of_empty.shares(["0"], 1, 0) == [0.0]
    assert of_full != of_empty
    assert of_full != Regions()
    assert of_full.name == of_empty.name == "regions"


def test_masks_are_read_once_a_batch() -> None:
    data = OwnData([{"lungs": np.ones((4, 4), dtype=np.bool_)}] * 3)
    occluder = bound("lungs", data, [2, 0])
    for level in (0.1, 0.5, 1):
        occluder.shares(["2", "0"], level, 0)
    assert data.reads == [2, 0]


def test_names_hold_what_is_not_the_default() -> None:
    assert Regions().name == "regions"
    loaded = load_occluder("regions(region=lungs+heart,fill=mean)")
    assert loaded.name == "regions(fill=mean,region=lungs+heart)"
    assert loaded == Regions("mean", "lungs+heart")
    assert isinstance(loaded, Occluder)


MISUSES: dict[str, Callable[[], object]] = {
    "region=''": lambda: Regions(region=""),
    r"region='lungs\+'": lambda: Regions(region="lungs+"),
    r"region='lungs\+lungs'": lambda: Regions(region="lungs+lungs"),
    r"joined by '\+', got region='lungs\+ heart'": lambda: Regions(
        region="lungs+ heart"
    ),
    "region=3": lambda: Regions(region=3),  # type: ignore[arg-type]
    "Did you mean 'black'": lambda: Regions(fill="blakc"),
    "got none. Bind the occluder": lambda: Regions().mask(["a"], 0.5, 0, 8, WHOLE),
    "got none. Bind": (
        lambda: Regions().occlude(torch.zeros(1, 3, 8, 8), ["a"], 0.5, 0, WHOLE)
    ),
    "got another batch's. Bind": lambda: bound("lungs").shares(["a"], 0.5, 0),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_says_what_was_got(message: str) -> None:
    with pytest.raises(OcclusionError, match=message):
        MISUSES[message]()


def test_drawings_never_change_between_releases() -> None:
    data = OwnData([{"lungs": np.ones((4, 4), dtype=np.bool_)}])
    onsets = bound("lungs", data, [0]).onsets("0", 3)
    assert onsets[::16, ::16][0].tolist() == [
        499,
        319,
        694,
        745,
        155,
        256,
        479,
        417,
        717,
        100,
        432,
        342,
        81,
        854,
        14,
        84,
    ]


def test_evaluate_binds_it() -> None:
    data = SyntheticCxr(pairs=24)
    curve = evaluate(
        load_model("tiny-cxr-clip"),
        data,
        load_occluder("regions"),
        levels=(0, 0.5, 1),
        device="cpu",
    )
    achieved = [outcome.achieved_level for outcome in curve.outcomes]
    assert achieved[0] == 0
    assert 0.02 < achieved[1] < achieved[2] < 0.4
    every = Regions().bind(scene_of(data, range(24))).shares(data.image_ids, 1, 0)
    assert achieved[2] == pytest.approx(sum(every) / 24)
