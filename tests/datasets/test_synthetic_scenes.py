"""The general data set: distinct, deterministic, split without leaks, and captioned as
it is drawn.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import DatasetError
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.datasets.synthetic_scenes.dataset import SyntheticScenes
from pytest_retrieval_robust.datasets.synthetic_scenes.scenes import (
    BACKGROUNDS,
    COLOURS,
    LABEL_SIZES,
    PLACES,
    SHAPES,
    SIZES,
    Scene,
    Thing,
    caption,
    draw,
    render,
    split_of,
)

scenes = st.builds(
    draw,
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.sampled_from(["train", "test"]),
)


@pytest.fixture(scope="module")
def data() -> SyntheticScenes:
    return SyntheticScenes()


def test_it_is_in_the_catalogue_and_fulfils_the_protocol(data: SyntheticScenes) -> None:
    loaded = load_dataset("synthetic-scenes")
    assert isinstance(loaded, RetrievalDataset)
    assert loaded.fingerprint == data.fingerprint
    assert data.image_groups.dtype == data.report_groups.dtype == np.int64


def test_it_holds_500_pairs_with_different_ids_captions_and_combinations(
    data: SyntheticScenes,
) -> None:
    for values in (
        data.image_ids,
        data.reports,
        [scene.key for scene in data.scenes],
        data.patients,
    ):
        assert len(set(values)) == len(values) == 500


def test_images_are_in_colour_and_of_the_size_asked_for(data: SyntheticScenes) -> None:
    assert (data.image(0).mode, data.image(0).size) == ("RGB", (224, 224))
    assert SyntheticScenes(1, 50).image(0).size == (50, 50)


def test_no_combination_and_no_caption_of_the_test_split_occurs_in_training(
    data: SyntheticScenes,
) -> None:
    training = [draw(40_417, number, "train") for number in range(5000)]
    assert not {scene.key for scene in training} & {scene.key for scene in data.scenes}
    assert not {caption(scene) for scene in training} & set(data.reports)


@settings(max_examples=50)
@given(scenes)
def test_the_caption_names_every_thing_with_its_place(scene: Scene) -> None:
    words = caption(scene).lower()
    assert any(ground in words for ground in BACKGROUNDS[scene.background])
    for thing in scene.things:
        found = [
            f"a {size} {colour} {shape} {near} the {place}"
            for size in SIZES[thing.size]
            for colour in COLOURS[thing.colour]
            for shape in SHAPES[thing.shape]
            for near in ("at", "near", "by")
            for place in PLACES[thing.place]
        ]
        assert any(phrase in words for phrase in found)


@settings(max_examples=50)
@given(scenes)
def test_labels_say_what_lies_where_and_the_split_follows_from_them(
    scene: Scene,
) -> None:
    labels = scene.labels()
    assert all(
        0 <= label < size for label, size in zip(labels, LABEL_SIZES, strict=True)
    )
    assert sum(label > 0 for label in labels[1:10]) == len(scene.things) in (2, 3)
    assert split_of(scene) == split_of(
        Scene(scene.seed + 1, 0, scene.background, scene.things[::-1])
    )


@pytest.mark.parametrize("place", range(len(PLACES)))
@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_a_thing_is_drawn_at_its_place(place: int, shape: int) -> None:
    with_it = render(Scene(1, 1, 0, (Thing(place, shape, 5, 1),)), 96).astype(int)
    change = np.abs(with_it - render(Scene(1, 1, 0, ()), 96)).sum(axis=2)
    rows, columns = np.nonzero(change > 60)
    assert (int(rows.mean() // 32), int(columns.mean() // 32)) == divmod(place, 3)


def test_the_same_scene_is_drawn_at_every_size() -> None:
    scene = draw(3, 3, "test")
    small = render(scene, 64).astype(float)
    large = render(scene, 256).astype(float)
    assert np.abs(large.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3)) - small).mean() < 5


@pytest.mark.parametrize("index", [-1, 500])
def test_an_image_number_out_of_range_is_an_error(
    data: SyntheticScenes, index: int
) -> None:
    with pytest.raises(IndexError, match=f"Expected .* got index={index}; "):
        data.image(index)


@pytest.mark.parametrize(
    ("name", "value"), [("pairs", 0), ("size", 31), ("size", 1025), ("split", "dev")]
)
def test_a_bad_option_is_an_error_that_names_it(name: str, value: object) -> None:
    with pytest.raises(DatasetError, match=f"Expected .* got {name}={value!r}\\. "):
        SyntheticScenes(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["synthetic-cxr", "synthetic-scenes"])
def test_a_list_is_the_same_object_whenever_it_is_asked_for(name: str) -> None:
    """Nobody who asks once per image makes it once per image."""
    data = load_dataset(name)
    for member in (
        "image_ids",
        "reports",
        "patients",
        "image_groups",
        "report_groups",
        "fingerprint",
    ):
        assert getattr(data, member) is getattr(data, member)
