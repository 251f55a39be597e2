"""The smallest breaking occlusion and the sensitivity maps, on the embedded encoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from pytest_retrieval_robust import (
    find_breaking,
    load_dataset,
    load_model,
    sensitivity_map,
)
from pytest_retrieval_robust.core.errors import (
    DatasetError,
    EmbeddingError,
    ModelError,
    OcclusionError,
)
from pytest_retrieval_robust.core.searches import BreakingOutcome
from pytest_retrieval_robust.measure import batches
from pytest_retrieval_robust.measure.batches import sampled_images, setting_of
from pytest_retrieval_robust.measure.breaking import BreakingResult
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.models import DualEncoder
from pytest_retrieval_robust.occluders.guided._probe import Probe

PAIRS = 60
IMAGES = 4
GRID = 4


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model() -> DualEncoder:
    return load_model("tiny-cxr-clip", device="cpu")


@pytest.fixture(scope="module")
def result(model: DualEncoder) -> BreakingResult:
    return find_breaking(
        model,
        load_dataset("synthetic-cxr", pairs=PAIRS),
        k=5,
        grid=GRID,
        images=IMAGES,
        budget=300,
    )


def test_the_report_is_found_before_and_not_after(result: BreakingResult) -> None:
    is_found = ~np.isnan(result.shares)
    assert is_found.any()
    assert (result.ranks_before[is_found] <= 5).all()
    assert (result.ranks_after[is_found] > 5).all()
    assert (result.ranks_before[~is_found] > 5).all()


def test_shares_are_those_of_the_masks(result: BreakingResult) -> None:
    is_found = ~np.isnan(result.shares)
    shares = result.shares[is_found]
    assert shares == pytest.approx(result.masks[is_found].mean(axis=(1, 2)))
    assert result.outcome.shares == tuple(sorted(shares.tolist()))
    assert result.encodings.max() <= result.outcome.budget


def test_it_comes_near_the_fewest_that_an_exhaustive_search_finds(
    model: DualEncoder,
) -> None:
    """On nine cells, which have a tenth of the sets of sixteen."""
    grid = 3
    data = load_dataset("synthetic-cxr", pairs=PAIRS)
    result = find_breaking(model, data, k=5, grid=grid, images=IMAGES, budget=300)
    assert not np.isnan(result.shares).any()
    pairs = pairs_of(data)
    scene = next(sampled_images(setting_of(model, pairs), model, pairs, IMAGES))
    probe = Probe(scene, grid, "black", 5)
    hidden = result.masks.sum(axis=(1, 2))
    fewest = np.array(
        [_fewest(probe, image, most) for image, most in enumerate(hidden.tolist())]
    )
    assert (fewest == hidden).sum() >= IMAGES - 1


def _fewest(probe: Probe, image: int, most: int) -> int:
    """By trying every set of fewer than `most` cells, of which some set breaks it."""
    cells = probe.grid**2
    for size in range(most):
        sets = list(combinations(range(cells), size))
        versions = np.zeros((len(sets), cells), dtype=np.bool_)
        versions[
            np.arange(len(sets))[:, None],
            np.array(sets, dtype=np.int64).reshape(len(sets), size),
        ] = True
        if (probe._ask(np.full(len(versions), image), versions).margin < -1e-5).any():
            return size
    return most


def test_the_outcome_survives_json(result: BreakingResult) -> None:
    assert BreakingOutcome.from_json(result.outcome.as_json()) == result.outcome


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.05, 0.1), (0.25, 0.1), (0.5, 0.2), (0.75, 0.3), (1.0, 0.4)],
)
def test_a_quantile_is_a_share_that_was_seen(
    result: BreakingResult, share: float, expected: float
) -> None:
    assert (
        replace(result.outcome, shares=(0.1, 0.2, 0.3, 0.4)).quantile(share) == expected
    )
    assert replace(result.outcome, shares=()).quantile(share) is None


def test_the_images_do_not_depend_on_the_data_sets_order(model: DualEncoder) -> None:
    pairs = pairs_of(load_dataset("synthetic-cxr", pairs=PAIRS))
    setting = setting_of(model, pairs)
    forward = next(sampled_images(setting, model, pairs, 5))
    backward = next(
        sampled_images(setting, model, replace(pairs, images=pairs.images[::-1]), 5)
    )
    assert list(forward.ids) == list(backward.ids)


@pytest.mark.parametrize(
    ("label", "left", "right"), [("effusion left", 2, 3), ("effusion right", 0, 1)]
)
def test_the_map_of_an_effusion_peaks_at_its_base(
    model: DualEncoder, label: str, left: int, right: int
) -> None:
    """The patient's left is on the right of the picture."""
    heat = sensitivity_map(
        model, load_dataset("synthetic-cxr", pairs=150), grid=4, images=12, label=label
    )
    row, column = heat.peak
    assert row in (2, 3)
    assert left <= column <= right


def test_a_map_is_the_mean_fall_of_the_right_score(model: DualEncoder) -> None:
    """Against a loop that hides one cell of one image at a time."""
    data = load_dataset("synthetic-cxr", pairs=12)
    heat = np.array(sensitivity_map(model, data, grid=2, images=3).rows)
    pairs = pairs_of(data)
    scene = next(sampled_images(setting_of(model, pairs), model, pairs, 3))
    reports = scene.setting.reports
    right = [
        int(np.flatnonzero(pairs.report_groups == group)[0]) for group in scene.groups
    ]
    side = scene.pixels.shape[-1] // 2
    falls = np.zeros((2, 2))
    for image in range(3):
        clean = scene.pixels[image : image + 1]
        before = float(model.encode_images(clean)[0] @ reports[right[image]])
        for row, column in np.ndindex(2, 2):
            hidden = clean.clone()
            top, left = row * side, column * side
            hidden[:, :, top : top + side, left : left + side] = 0
            after = float(model.encode_images(hidden)[0] @ reports[right[image]])
            falls[row, column] += before - after
    assert heat == pytest.approx(falls / 3, abs=1e-5)


def test_the_search_gives_a_map_of_each_frequent_label(result: BreakingResult) -> None:
    assert result.outcome.sensitivity.images == IMAGES
    # A few images are too few for one.
    assert result.outcome.by_label == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": 1}, "grid=1"),
        ({"grid": 300}, "grid=300"),
        ({"fill": "blakc"}, "Did you mean 'black'"),
        ({"images": 0}, "images=0"),
        ({"k": 0}, "k=0"),
        ({"k": 60}, "at most the 59 wrong reports of a query, got k=60"),
        ({"budget": 700}, "three encodings per cell, got budget=700 for grid=16"),
    ],
)
def test_bad_input_says_what_to_change(
    model: DualEncoder, options: dict[str, object], message: str
) -> None:
    with pytest.raises(OcclusionError, match=message):
        find_breaking(model, load_dataset("synthetic-cxr", pairs=PAIRS), **options)  # type: ignore[arg-type]


def test_an_unknown_label_lists_the_known_ones(model: DualEncoder) -> None:
    with pytest.raises(
        DatasetError, match=r"effusion left.*got label='effusion lefft'"
    ):
        sensitivity_map(
            model, load_dataset("synthetic-cxr", pairs=12), label="effusion lefft"
        )


def test_a_label_that_none_has_is_an_error(model: DualEncoder) -> None:
    normal = load_dataset("synthetic-cxr", pairs=12, prevalence=0.0)
    with pytest.raises(DatasetError, match="got 0 of 12"):
        sensitivity_map(model, normal, label="effusion left")


@dataclass(frozen=True)
class Faulty:
    """The encoder with other image rows; it counts the reports of each call."""

    model: DualEncoder
    answer: Callable[[Tensor], Tensor]
    batches: list[int] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        self.batches.append(len(texts))
        return self.model.encode_reports(texts)

    def encode_images(self, pixels: Tensor) -> Tensor:
        return self.answer(self.model.encode_images(pixels))


def test_nan_under_occlusion_is_an_error_and_not_an_unbroken_model(
    model: DualEncoder,
) -> None:
    faulty: Any = Faulty(model, lambda rows: rows * float("nan"))
    with pytest.raises(
        EmbeddingError, match="Expected finite scores from tiny-cxr-clip, got NaN"
    ):
        find_breaking(
            faulty, load_dataset("synthetic-cxr", pairs=12), k=2, grid=2, images=2
        )


def test_an_encoder_that_raises_is_named(model: DualEncoder) -> None:
    def fail(rows: Tensor) -> Tensor:
        raise ValueError(f"no place for {len(rows)} images.")

    faulty: Any = Faulty(model, fail)
    with pytest.raises(
        ModelError,
        match="encode_images of tiny-cxr-clip to return embeddings, got ValueError",
    ):
        find_breaking(
            faulty, load_dataset("synthetic-cxr", pairs=12), k=2, grid=2, images=2
        )


def test_the_gallery_is_encoded_in_parts(model: DualEncoder) -> None:
    faulty: Any = Faulty(model, lambda rows: rows)
    setting_of(faulty, pairs_of(load_dataset("synthetic-cxr", pairs=150)))
    assert faulty.batches == [64, 64, 22]


def test_many_images_are_searched_in_parts_alike(
    model: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_dataset("synthetic-cxr", pairs=12)
    whole = find_breaking(model, data, k=2, grid=2, images=5)
    monkeypatch.setattr(batches, "PART", 2)
    parts = find_breaking(model, data, k=2, grid=2, images=5)
    assert parts.outcome.shares == whole.outcome.shares
    assert parts.numbers.tolist() == whole.numbers.tolist()
    assert (parts.masks == whole.masks).all()
