"""The radiographs of the embedded data set: drawn as the findings say, at every size,
alike on every processor.
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust.core.errors import DatasetError
from pytest_retrieval_robust.datasets.synthetic_cxr.anatomy import (
    sample_exposure,
    sample_patient,
    sample_pose,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.findings import sample_details
from pytest_retrieval_robust.datasets.synthetic_cxr.masks import ORGANS, masks
from pytest_retrieval_robust.datasets.synthetic_cxr.render import density_of, render
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import (
    NORMAL,
    SLOTS,
    Slot,
    Study,
    draw,
    states_with,
)

Map = NDArray[np.float64]
# Findings of every slot at once would hide each other; these are drawn one at a time.
FOUND = [
    (slot.name, state)
    for slot in SLOTS
    if slot.name != "nodule size"
    for state in slot.states[1:]
]
studies = st.builds(
    draw,
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.sampled_from(["train", "test"]),
)


def added(**findings: str) -> Map:
    """What the findings add to the density of a normal study, in grey levels of 255, 96 x 96."""
    with_them = Study(5, 3, states_with(**findings))
    without = Study(5, 3)
    return 255 * (
        density_of(with_them, 96, 96).astype(np.float64) - density_of(without, 96, 96)
    )


def one(slot: str, state: str) -> dict[str, str]:
    size = {"nodule_size": "large"} if slot == "nodule" else {}
    return {slot.replace(" ", "_"): state} | size


def test_body_pose_exposure_and_details_do_not_depend_on_the_findings() -> None:
    corner = added(effusion_left="large", pacemaker="left", heart="severe")[:40, :30]
    assert np.abs(corner).max() == 0
    assert (
        sample_details(Study(5, 3)).tolist()
        == sample_details(Study(5, 3, states_with(picc="left"))).tolist()
    )


def test_studies_differ_in_body_pose_and_exposure() -> None:
    for sample in (sample_patient, sample_pose, sample_exposure):
        assert sample(1, 1) == sample(1, 1)
        assert sample(1, 1) != sample(1, 2)
        assert sample(1, 1) != sample(2, 1)


@pytest.mark.parametrize(
    ("side", "columns"), [("right", slice(0, 40)), ("left", slice(56, 96))]
)
def test_an_effusion_brightens_its_own_base_more_the_larger_it_is(
    side: str, columns: slice
) -> None:
    change = [
        added(**{f"effusion_{side}": size})[48:80, columns].mean()
        for size in SLOTS[0].states[1:]
    ]
    assert 0 < change[0] < change[1] < change[2]
    assert (
        np.abs(added(**{f"effusion_{side}": "large"})[:, ::-1][48:80, columns]).mean()
        < 1
    )


def test_a_pneumothorax_darkens_its_own_side() -> None:
    change = added(pneumothorax="right large")
    assert change[15:60, 8:40].min() < -40
    assert np.abs(change[:, 56:]).max() == 0


def test_a_large_heart_widens_to_both_sides() -> None:
    mild, severe = (
        added(heart=grade).clip(min=0).sum() for grade in ("mild", "severe")
    )
    assert 0 < mild < severe


def test_oedema_is_densest_around_both_hila() -> None:
    veil = added(oedema="severe")
    for columns, outer in (
        (slice(22, 38), slice(10, 16)),
        (slice(58, 74), slice(82, 88)),
    ):
        assert veil[35:50, columns].mean() > 25
        assert veil[35:50, columns].mean() > 2 * veil[60:66, outer].mean()


@pytest.mark.parametrize(
    "slot",
    [slot for slot in SLOTS if "nodule" not in slot.name],
    ids=lambda slot: slot.name,
)
def test_every_state_of_a_slot_looks_different(slot: Slot) -> None:
    shown = [added(**one(slot.name, state)) for state in slot.states]
    assert all(np.abs(before - after).max() > 20 for before, after in pairwise(shown))


@pytest.mark.parametrize(
    "zone",
    ["right upper", "right mid", "right lower", "left upper", "left mid", "left lower"],
)
def test_a_nodule_is_seen_where_it_is_said_to_be(zone: str) -> None:
    small, large = (
        added(nodule=zone, nodule_size=size).clip(min=0) for size in ("small", "large")
    )
    rows, columns = np.nonzero(large > 10)
    assert ("right" in zone) == (columns.mean() < 48)
    assert 15 < rows.mean() < 72
    assert 0 < small.sum() < large.sum()


@settings(max_examples=15)
@given(studies, st.sampled_from([64, 96, 128]))
def test_the_same_study_is_drawn_at_every_size(study: Study, size: int) -> None:
    small = render(study, size, size).astype(float)
    large = render(study, 4 * size, 4 * size).astype(float)
    # What is left is grain, and margins rounded to a pixel; other studies differ by 20 and more.
    assert np.abs(large.reshape(size, 4, size, 4).mean(axis=(1, 3)) - small).mean() < 7


@pytest.mark.parametrize(("rows", "columns"), [(96, 192), (192, 96), (96, 98)])
def test_the_chest_of_any_aspect_is_undistorted_in_the_middle(
    rows: int, columns: int
) -> None:
    study = draw(4, 4, "test")
    top = (rows - 96) // 2
    left = (columns - 96) // 2
    middle = density_of(study, rows, columns)[top : top + 96, left : left + 96]
    # Textures start elsewhere, the anatomy is the same.
    assert np.abs(middle - density_of(study, 96, 96)).mean() < 0.012


def test_the_mean_of_a_picture_says_nothing_about_the_exposure_of_its_findings() -> (
    None
):
    """The gain is automatic: what opacities add in one place is taken away everywhere else."""
    plain, white = (
        render(Study(7, 7, states), 96, 96).mean()
        for states in (NORMAL, states_with(oedema="severe"))
    )
    assert abs(white - plain) < 8
    assert added(oedema="severe").mean() > 8


# Masks


@settings(max_examples=20)
@given(studies)
def test_masks_name_the_organs_and_exactly_the_findings_of_the_study(
    study: Study,
) -> None:
    found = masks(study, 96, 96)
    # The heart is an organ, and also what a study with an enlarged one shows.
    present = [
        slot.name
        for slot in SLOTS
        if study.has(slot.name) and slot.name not in ("nodule size", "heart")
    ]
    assert list(found) == [*ORGANS, *present]
    assert all(
        mask.dtype == bool and mask.shape == (96, 96) and mask.any()
        for mask in found.values()
    )


@settings(max_examples=20)
@given(studies)
def test_organs_do_not_overlap(study: Study) -> None:
    found = masks(study, 128, 96)
    assert np.stack([found[organ] for organ in ORGANS]).sum(axis=0).max() == 1


@pytest.mark.parametrize(
    ("slot", "state"), FOUND, ids=lambda value: str(value).replace(" ", "-")
)
def test_a_finding_is_seen_inside_its_mask(slot: str, state: str) -> None:
    """Most of what an opacity, air or a device changes lies in its mask, and the mask
    is filled by it.
    """
    change = np.abs(added(**one(slot, state)))
    mask = masks(Study(5, 3, states_with(**one(slot, state))), 96, 96)[slot]
    if slot in ("heart", "volumes", "diaphragm", "scoliosis"):
        # A structure that is elsewhere: it changes what it left, too.
        before = masks(Study(5, 3), 96, 96)["lungs"]
        assert change[mask | before].mean() > change[~(mask | before)].mean()
    else:
        # The rest is a faint rim, and what a collimator's margin hides.
        assert change[mask].sum() > 0.75 * change.sum()
        assert (change[mask] > 3).mean() > 0.8


def test_a_side_is_the_patients_own() -> None:
    right = masks(Study(5, 3, states_with(effusion_right="large")), 96, 96)[
        "effusion right"
    ]
    assert right[:, :48].sum() > 100
    assert right[:, 48:].sum() == 0


def test_the_lungs_shrink_with_the_volumes_and_the_heart_grows_with_its_grade() -> None:
    low, normal, high = (
        masks(Study(5, 3, states_with(volumes=v)), 96, 96)
        for v in ("low", "normal", "high")
    )
    assert low["lungs"].sum() < normal["lungs"].sum() < high["lungs"].sum()
    hearts = [
        masks(Study(5, 3, states_with(heart=h)), 96, 96)["heart"].sum()
        for h in ("normal", "mild", "severe")
    ]
    assert hearts == sorted(set(hearts))


def test_masks_lie_on_the_picture_at_every_size() -> None:
    study = draw(8, 8, "test")
    small = masks(study, 96, 96)
    large = masks(study, 384, 384)
    for name in ORGANS:
        share = large[name].reshape(96, 4, 96, 4).mean(axis=(1, 3))
        assert (small[name] == (share > 0.5)).mean() > 0.985


# Every processor

_DRAW = """
import sys, numpy as np
from pytest_retrieval_robust.datasets.synthetic_cxr.render import render
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import draw
np.save(sys.argv[1], np.stack([render(draw(3, i, "test"), 96, 96) for i in range(60)]))
"""


def test_pictures_are_alike_to_one_grey_level_without_vector_instructions(
    tmp_path: Path,
) -> None:
    features = " ".join(_vector_features())
    if not features:
        pytest.skip("numpy uses no optional instructions on this processor")
    drawn = []
    for disabled in ("", features):
        file = tmp_path / f"{len(disabled)}.npy"
        environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": disabled}
        subprocess.run(
            [sys.executable, "-c", _DRAW, str(file)], env=environment, check=True
        )
        drawn.append(np.load(file).astype(int))
    assert np.abs(drawn[0] - drawn[1]).max() <= 1


def _vector_features() -> list[str]:
    """What numpy dispatches to on this processor beyond its baseline."""
    found = np.show_config(mode="dicts")
    assert found is not None
    return list(found["SIMD Extensions"].get("found", []))


# Bad input


@pytest.mark.parametrize(("rows", "columns"), [(63, 96), (96, 1025)])
@pytest.mark.parametrize("make", [render, masks])
def test_a_picture_too_small_or_too_large_is_an_error(
    make: object, rows: int, columns: int
) -> None:
    assert callable(make)
    with pytest.raises(
        DatasetError,
        match="Expected an image size from 64 to 1024 pixels, got .*; draw at ",
    ):
        make(Study(1, 1), rows, columns)
