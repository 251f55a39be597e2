"""Hiding part of the source and then preparing it is hiding through `frame` what was
prepared, but for cells' edges.

A pixel of the square is made of the source pixels under its filter. Where these all lie
in cells of one state, hidden or not, both orders must agree. Every geometry that a
loader uses is here but BioViL's: it stretches each image between its own extremes, so
that hiding the brightest pixel changes all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from numpy.typing import NDArray
from PIL import Image

from pytest_retrieval_robust.models import LoadRequest, ModelCard, Prepared
from pytest_retrieval_robust.models._formats.geometry import Geometry
from pytest_retrieval_robust.models._formats.gloria import GLORIA
from pytest_retrieval_robust.models._formats.open_clip.creating import Created
from pytest_retrieval_robust.models._formats.open_clip.encoder import OpenClipEncoder
from pytest_retrieval_robust.models._formats.pictures import (
    Prepare,
    fit_and_pad,
    pad_and_resize,
    resize_and_crop,
    shaped,
    stretch,
    stretch_without_antialias,
)
from pytest_retrieval_robust.models._formats.preprocessing import FILTERS
from pytest_retrieval_robust.models._formats.transformers.processor import picture_of
from pytest_retrieval_robust.occluders import WHOLE
from pytest_retrieval_robust.occluders.area import AreaOccluder
from pytest_retrieval_robust.strategies import Occlusion, Patches, occlusions

from .pil_processors import pil_version

Grey: TypeAlias = NDArray[np.uint8]
Reach: TypeAlias = Callable[[float], float]
"""How many source pixels to either side a pixel of the square is made of, given how
many there are to a pixel.
"""
BICUBIC = FILTERS["bicubic"]
BILINEAR = FILTERS["bilinear"]
_SUPPORT = {BILINEAR: 1, BICUBIC: 2, FILTERS["lanczos"]: 3, FILTERS["nearest"]: 1}
SIDE = 48
CANVAS = 80


@dataclass(frozen=True)
class Way:
    prepare: Prepare
    reach: Reach


def by(filter_: Image.Resampling) -> Reach:
    """A filter that widens as it shrinks the image."""
    return lambda step: _SUPPORT[filter_] * max(1, step)


def twice(*, antialias: bool) -> Reach:
    """Lanczos to the canvas and bicubic to the square; the latter's support is of
    pixels of the canvas.
    """

    def reach(step: float) -> float:
        first = step * SIDE / CANVAS
        return by(FILTERS["lanczos"])(first) + first * (
            2 * max(1, CANVAS / SIDE) if antialias else 2
        )

    return reach


def open_clip_way(mode: str) -> Way:
    """A real encoder around no network: only its preprocessing is asked for."""
    import open_clip

    network = SimpleNamespace(
        visual=SimpleNamespace(preprocess_cfg={"size": SIDE, "resize_mode": mode})
    )
    network.to, network.eval = (lambda **_: network), (lambda: network)
    transform = open_clip.transform.image_transform(
        SIDE, is_train=False, resize_mode=mode, fill_color=0
    )
    created = Created(network, transform, tokenizer=None)
    encoder = OpenClipEncoder("stub", created, LoadRequest(), ModelCard("stub"))
    return Way(encoder.prepare, by(BICUBIC))


def transformers_way(**settings_: Any) -> Way:
    from transformers import CLIPImageProcessor

    return Way(
        picture_of("stub", pil_version(CLIPImageProcessor(**settings_)), {}).prepare,
        by(BICUBIC),
    )


WAYS: dict[str, Way] = {
    "shortest": Way(shaped(Geometry("shortest", 60, SIDE), BICUBIC), by(BICUBIC)),
    "shortest lanczos": Way(
        shaped(Geometry("shortest", SIDE, SIDE), FILTERS["lanczos"]),
        by(FILTERS["lanczos"]),
    ),
    "shortest nearest": Way(
        shaped(Geometry("shortest", SIDE, SIDE), FILTERS["nearest"]),
        by(FILTERS["nearest"]),
    ),
    "shortest, padded": Way(
        shaped(Geometry("shortest", 31, SIDE), BILINEAR), by(BILINEAR)
    ),
    "longest": Way(shaped(Geometry("longest", SIDE, SIDE), BILINEAR), by(BILINEAR)),
    "exact": Way(shaped(Geometry("exact", SIDE, SIDE), BICUBIC), by(BICUBIC)),
    "exact, cropped": Way(shaped(Geometry("exact", 57, SIDE), BICUBIC), by(BICUBIC)),
    "resize_and_crop": Way(resize_and_crop(55, SIDE, BILINEAR), by(BILINEAR)),
    "resize_and_crop grey": Way(
        resize_and_crop(SIDE, SIDE, BICUBIC, grey=True), by(BICUBIC)
    ),
    "stretch": Way(stretch(SIDE, BICUBIC, grey=True), by(BICUBIC)),
    "stretch_without_antialias": Way(stretch_without_antialias(SIDE), lambda _: 1),
    "pad_and_resize": Way(pad_and_resize(SIDE, BICUBIC), by(BICUBIC)),
    "pad_and_resize bilinear": Way(pad_and_resize(SIDE, BILINEAR), by(BILINEAR)),
    "fit_and_pad": Way(
        fit_and_pad(CANVAS, SIDE, 101.5, 83.4, antialias=False), twice(antialias=False)
    ),
    "fit_and_pad antialias": Way(
        fit_and_pad(CANVAS, SIDE, 101.5, 83.4, antialias=True), twice(antialias=True)
    ),
    "gloria": Way(GLORIA.picture("gloria", {}, LoadRequest()).prepare, by(BILINEAR)),
    "open_clip shortest": open_clip_way("shortest"),
    "open_clip longest": open_clip_way("longest"),
    "open_clip squash": open_clip_way("squash"),
    "transformers shortest": transformers_way(
        size={"shortest_edge": 56},
        crop_size={"height": SIDE, "width": SIDE},
        resample=3,
    ),
    "transformers exact": transformers_way(
        size={"height": SIDE, "width": SIDE}, do_center_crop=False, resample=3
    ),
}


def noise(width: int, height: int) -> Grey:
    """No pixel is black, so that hidden ones are told apart."""
    return np.random.default_rng(width * 1000 + height).integers(
        64, 256, (height, width), dtype=np.uint8
    )


@st.composite
def sources(draw: DrawFn) -> Grey:
    """From a single pixel to several times the square; up to 12 times as long as wide."""
    width = draw(st.integers(1, 400))
    return noise(
        width, draw(st.integers(max(1, -(-width // 12)), min(400, width * 12)))
    )


def footprints(
    frame: tuple[float, float], pixels: int, length: int, reach: Reach
) -> tuple[NDArray[Any], NDArray[Any]]:
    """(pixels,) each: the first and last source position, in source pixels, that a
    pixel of one axis is made of.
    """
    start, stop = (edge * pixels for edge in frame)
    step = length / (stop - start)
    middle = (np.arange(pixels) + 0.5 - start) * step
    margin = (
        reach(step) + 1
    )  # a source pixel is hidden whole, up to half of it beyond a cell's edge
    return middle - margin, middle + margin


def agreed(
    frame: tuple[float, float, float, float],
    pixels: int,
    source: Grey,
    hidden: NDArray[np.bool_],
    reach: Reach,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(S, S) each: made of hidden cells alone, made of shown cells and padding alone.
    `hidden` is (G, G).
    """
    grid = len(hidden)
    sums = np.pad(
        hidden.astype(np.int64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0))
    )
    ranges = []
    inside = []
    for axis, length in ((1, source.shape[0]), (0, source.shape[1])):
        first, last = footprints((frame[axis], frame[axis + 2]), pixels, length, reach)
        cells = (np.floor(first / length * grid), np.floor(last / length * grid) + 1)
        ranges.append([np.clip(edge, 0, grid).astype(np.int64) for edge in cells])
        middle = (first + last) / 2
        inside.append((middle >= 0) & (middle < length))
    (top, bottom), (left, right) = ranges
    count = (
        sums[np.ix_(bottom, right)]
        - sums[np.ix_(top, right)]
        - sums[np.ix_(bottom, left)]
        + sums[np.ix_(top, left)]
    )
    area = np.outer(bottom - top, right - left)
    return (count == area) & np.outer(*inside), count == 0


def assert_both_orders_agree(
    way: Way, source: Grey, occlusion: Occlusion, prepare: Prepare | None = None
) -> tuple[int, int]:
    """How many pixels of the square had to agree: hidden ones, shown ones."""
    occluder = occlusion.occluder
    assert isinstance(occluder, AreaOccluder)
    prepared = (prepare or way.prepare)(Image.fromarray(source))
    side = prepared.pixels.shape[-1]
    in_square, in_source, in_cells = (
        occlusion.mask(["study-1"], size, frame)[0, 0].numpy()
        for size, frame in (
            ((side, side), prepared.frame),
            (source.shape, WHOLE),
            (occluder.grid, WHOLE),
        )
    )
    through_frame = np.where(in_square, 0, prepared.pixels)
    hidden_first = way.prepare(
        Image.fromarray(np.where(in_source, np.uint8(0), source))
    ).pixels
    hidden, shown = agreed(prepared.frame, side, source, in_cells, way.reach)
    difference = np.abs(through_frame.astype(np.float64) - hidden_first).max(axis=0)
    tolerance = (
        0 if prepared.pixels.dtype == np.uint8 else 1e-6
    )  # black that was normalised and taken back
    assert difference[hidden | shown].max(initial=0) <= tolerance
    assert in_square[hidden].all()
    assert not in_square[shown].any()
    return int(hidden.sum()), int((shown & ~hidden).sum())


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=50)
@given(source=sources(), occlusion=occlusions())
def test_both_orders_agree_away_from_edges(
    way: str, source: Grey, occlusion: Occlusion
) -> None:
    hidden, shown = assert_both_orders_agree(WAYS[way], source, occlusion)
    event(f"checked: {'hidden' if hidden else ''} {'shown' if shown else ''}")


HALF = Occlusion(Patches(grid=4), 0.5, seed=1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [(300, 260), (60, 77)])
def test_hidden_and_shown_pixels_are_looked_at(way: str, size: tuple[int, int]) -> None:
    hidden, shown = assert_both_orders_agree(WAYS[way], noise(*size), HALF)
    assert hidden > 50
    assert shown > 50


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("across", "down"), [(0.25, 0), (0, 0.25), (0.1, 0), (0, 0.1)])
def test_a_frame_that_is_off_by_a_cell_or_less_is_found(
    way: str, across: float, down: float
) -> None:
    def off(image: Image.Image) -> Prepared:
        prepared = WAYS[way].prepare(image)
        left, top, right, bottom = prepared.frame
        x, y = across * (right - left), down * (bottom - top)
        return replace(prepared, frame=(left + x, top + y, right + x, bottom + y))

    with pytest.raises(AssertionError, match="where"):
        assert_both_orders_agree(WAYS[way], noise(300, 260), HALF, off)
