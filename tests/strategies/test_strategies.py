from __future__ import annotations

import doctest
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray
from PIL.Image import Image, Resampling

import pytest_retrieval_robust.strategies as public
from pytest_retrieval_robust.core.errors import OcclusionError, RobustError
from pytest_retrieval_robust.models import LoadRequest
from pytest_retrieval_robust.models._formats.gloria import GLORIA
from pytest_retrieval_robust.models._formats.pictures import (
    fit_and_pad,
    pad_and_resize,
    resize_and_crop,
)
from pytest_retrieval_robust.strategies import (
    Blobs,
    Border,
    Box,
    Boxes,
    Grid,
    Occlusion,
    Patches,
    Side,
    corners,
    corruptions,
    edits,
    embeddings,
    images,
    levels,
    noises,
    occlusions,
    picture,
    reports,
    severities,
    unit_rows,
)

MODULES = (
    "",
    "._occlusions",
    "._severities",
    "._edits",
    "._images",
    "._reports",
    "._embeddings",
)
TOP_LEFT = Box(at="top-left")


@given(st.data(), st.floats(0, 1))
def test_levels_stay_within_bounds(data: st.DataObject, top: float) -> None:
    assert 0 <= data.draw(levels(top)) <= top


def test_levels_reach_their_top() -> None:
    assert find(levels(0.29), lambda level: level > 0.285) == 0.29


@given(st.data(), st.floats(0, 1))
def test_no_more_than_max_share_is_hidden(data: st.DataObject, share: float) -> None:
    occlusion = data.draw(occlusions(share))
    assert occlusion.share <= share
    assert occlusion.mask(["a"], 32).double().mean() <= share


@given(occlusions())
def test_an_occlusion_applies_what_its_mask_says(occlusion: Occlusion) -> None:
    pixels = torch.full((1, 3, 32, 32), 2.0)
    changed = (occlusion.apply(pixels, ["a"]) != pixels).any(1, keepdim=True)
    assert torch.equal(changed, occlusion.mask(["a"], 32))
    assert changed.double().mean() == occlusion.share
    assert occlusion.shares(["a", "b"]) == [occlusion.share] * 2


@given(occlusions() | corners())
def test_the_repr_makes_the_occlusion_again(occlusion: Occlusion) -> None:
    assert eval(repr(occlusion), vars(public)) == occlusion


@pytest.mark.parametrize("family", [Patches, Box, Boxes, Blobs, Grid, Border, Side])
def test_every_area_occluder_is_drawn(family: type) -> None:
    found = find(
        occlusions(), lambda one: type(one.occluder) is family and one.share > 0
    )
    assert (found.occluder.cells, found.share, found.seed) == (32, 1 / 1024, 0)  # type: ignore[attr-defined]


def test_occlusions_shrink_to_the_corner_and_to_nothing_hidden() -> None:
    assert find(occlusions(), lambda _: True) == Occlusion(TOP_LEFT, 0.0, 0)
    assert find(occlusions(), lambda found: found.share > 0) == Occlusion(
        TOP_LEFT, 1 / 1024, 0
    )
    assert find(occlusions(), lambda found: found.share >= 0.25) == Occlusion(
        TOP_LEFT, 0.25, 0
    )


def test_what_needs_patches_shrinks_to_patches() -> None:
    assert find(
        occlusions(), lambda found: "patches" in found.occluder.name and found.share > 0
    ) == Occlusion(Patches(32), 1 / 1024, 0)


def test_a_failing_share_stays_while_the_shape_becomes_simpler() -> None:
    hides_the_middle = find(
        occlusions(), lambda found: bool(found.mask(["a"], 64)[..., 32, 32].any())
    )
    assert hides_the_middle.occluder == TOP_LEFT
    assert hides_the_middle.share <= (17 / 32) ** 2 + 1 / 1024


@given(corners(max_share=0.05))
def test_a_corner_is_hidden_and_nothing_far_from_it(corner: Occlusion) -> None:
    mask = corner.mask(["a"], 32)[0, 0]
    assert 1 / 1024 <= corner.share <= 0.05
    assert int(mask[[0, 0, 31, 31], [0, 31, 0, 31]].sum()) == 1
    assert not mask[8:24].any()
    assert not mask[:, 8:24].any()


def test_corners_shrink_to_a_black_cell_at_the_top_left() -> None:
    assert find(corners(), lambda _: True) == Occlusion(TOP_LEFT, 1 / 1024, 0)


@given(images(min_side=3, max_side=100))
def test_images_are_of_the_sizes_asked_for(image: Image) -> None:
    assert image.mode in ("L", "RGB")
    assert all(3 <= side <= 100 for side in image.size)
    assert max(image.size) <= 16 * min(image.size)


@settings(max_examples=30)
@given(images())
def test_published_preprocessing_takes_every_image(image: Image) -> None:
    ways = (
        resize_and_crop(64, 56, Resampling.BICUBIC),
        pad_and_resize(64, Resampling.BILINEAR),
        fit_and_pad(80, 64, 101.5, 83.4, antialias=False),
        GLORIA.picture("gloria", {}, LoadRequest()).prepare,
    )
    assert {way(image).pixels.shape[0] for way in ways} == {3}


def test_images_shrink_to_a_black_pixel() -> None:
    image = find(images(), lambda _: True)
    assert (image.mode, image.size, image.getpixel((0, 0))) == ("L", (1, 1), 0)
    small = find(images(min_side=8), lambda _: True)
    assert (small.size, small.getextrema()) == ((8, 8), (0, 0))


@pytest.mark.parametrize("kind", ["flat", "ramp", "checkers", "film", "noise"])
def test_a_picture_has_the_levels_asked_for(kind: Any) -> None:
    grey, colour = (
        np.asarray(picture(64, 48, mode, kind, 10, 200)) for mode in ("L", "RGB")
    )
    assert (grey.shape, colour.shape) == ((48, 64), (48, 64, 3))
    assert grey.min() == 10 or kind == "noise"
    assert grey.max() == {"flat": 10, "noise": grey.max()}.get(kind, 200)
    assert (colour[..., 0] == grey).all()
    assert (kind == "flat") == bool((colour[..., 1] == grey).all())


@given(reports(max_sentences=5))
def test_reports_are_texts_that_are_not_empty(text: str) -> None:
    assert text.strip()
    assert text.encode("utf-8").decode("utf-8") == text


@pytest.mark.parametrize(
    "kind",
    [
        lambda text: len(text.split()) > 300,
        lambda text: len(text.split()) == 1,
        lambda text: not text.isascii(),
        lambda text: "___" in text and "\n" in text,
    ],
    ids=["long", "one word", "other alphabets", "blanks and lines"],
)
def test_reports_are_of_every_kind(kind: Callable[[str], bool]) -> None:
    find(reports(), kind, settings=settings(phases=[Phase.generate]))


def test_reports_shrink_to_a_word() -> None:
    assert find(reports(), lambda _: True) == "Normal."


@given(embeddings(min_rows=2, max_rows=9, min_dims=2, max_dims=5))
def test_embeddings_are_unit_rows_of_the_sizes_asked_for(
    rows: NDArray[np.float32],
) -> None:
    assert rows.dtype == np.float32
    assert 2 <= rows.shape[0] <= 9
    assert 2 <= rows.shape[1] <= 5
    assert np.abs(np.linalg.norm(rows.astype(np.float64), axis=1) - 1).max() < 1e-6


@given(embeddings("torch"))
def test_embeddings_may_be_tensors(rows: torch.Tensor) -> None:
    assert rows.dtype == torch.float32
    assert rows.ndim == 2


def test_embeddings_shrink_to_few_rows_and_dims() -> None:
    assert find(embeddings(), lambda _: True).shape == (1, 1)
    assert find(
        embeddings(), lambda rows: len(rows) > 2 and len(np.unique(rows, axis=0)) > 2
    ).shape == (3, 2)


def test_some_embeddings_are_equal_nearly_equal_or_in_one_cone() -> None:
    duplicate = unit_rows(2, 64, repeated=1)
    near = unit_rows(2, 64, repeated=1, spread=1e-7)
    narrow = unit_rows(9, 64)
    assert (duplicate[0] == duplicate[1]).all()
    assert (near[0] != near[1]).any()
    assert np.abs(near[0] - near[1]).max() < 1e-6
    assert (narrow @ narrow.T).min() < 0.1
    cone = unit_rows(9, 64, common=1000)
    assert (cone @ cone.T).min() > 0.99


STRATEGIES: dict[str, SearchStrategy[Any]] = {
    "levels(0.3)": levels(0.3),
    "occlusions(0.25)": occlusions(0.25),
    "corners(0.01)": corners(),
    "images(min_side=1, max_side=32)": images(max_side=32),
    "reports(max_sentences=100)": reports(),
    "severities(0.3)": severities(0.3),
    "corruptions('contrast', max_severity=1.0)": corruptions("contrast"),
    "noises('case', 'typos', max_severity=0.5)": noises(
        "case", "typos", max_severity=0.5
    ),
    "edits('side', 'zone')": edits("side", "zone"),
    "embeddings('torch', min_rows=1, max_rows=16, min_dims=2, max_dims=16)": embeddings(
        "torch", min_dims=2
    ),
}


@pytest.mark.parametrize("shown", STRATEGIES)
def test_the_repr_of_a_strategy_makes_it_again(shown: str) -> None:
    assert repr(STRATEGIES[shown]) == shown
    assert repr(eval(shown, vars(public))) == shown


@pytest.mark.parametrize(
    ("strategy", "shown"),
    [
        (
            corruptions("contrast"),
            "AppliedCorruption(name='contrast', severity=0.0, seed=0)",
        ),
        (noises("case"), "AppliedNoise(name='case', severity=0.0, seed=0)"),
        (images(), "picture(1, 1, mode='L', kind='flat', darkest=0)"),
        (
            embeddings(min_rows=9),
            "unit_rows(9, 1, repeated=0, spread=0.0, common=0.0, seed=0)",
        ),
        (
            occlusions(),
            (
                "Occlusion(occluder=Box(grid=32, fill='black', at='top-left'),"
                " level=0.0, seed=0)"
            ),
        ),
    ],
)
def test_a_failing_example_is_printed_as_a_call_that_makes_it_again(
    strategy: SearchStrategy[Any], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @given(strategy)
    def fails(value: object) -> None:
        assert value is None

    with pytest.raises(AssertionError) as caught:
        fails()
    # Python 3.10 has no notes: there Hypothesis prints what it found.
    notes = getattr(caught.value, "__notes__", ())
    printed = "".join(notes) + capsys.readouterr().out
    assert f"value={shown}," in re.sub(r"\(\s+", "(", re.sub(r",\s+", ", ", printed))
    eval(shown, vars(public))


MISUSES: dict[str, Callable[[], object]] = {
    "max_level=30": lambda: levels(30),
    "max_share=30": lambda: occlusions(30),
    "max_share=-1": lambda: corners(-1),
    "max_share=0.0001": lambda: corners(0.0001),
    "min_side=9 and max_side=8": lambda: images(min_side=9, max_side=8),
    "max_side=5000": lambda: images(max_side=5000),
    "max_sentences=0": lambda: reports(max_sentences=0),
    "min_rows=0": lambda: embeddings(min_rows=0),
    "max_dims=2.5": lambda: embeddings(max_dims=2.5),  # type: ignore[call-overload]
    "library='jax'": lambda: embeddings("jax"),  # type: ignore[call-overload]
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_says_what_was_got_when_the_strategy_is_made(message: str) -> None:
    with pytest.raises(
        OcclusionError if "share" in message or "level" in message else RobustError,
        match=message,
    ):
        MISUSES[message]()


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_the_docstrings_run(module: str) -> None:
    assert (
        doctest.testmod(
            import_module(f"pytest_retrieval_robust.strategies{module}")
        ).failed
        == 0
    )
