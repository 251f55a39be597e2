"""The occluders that draw: what they draw with, and what comes out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from hashlib import sha256
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.errors import ConfigError, OcclusionError
from pytest_retrieval_robust.occluders import WHOLE, Occluder
from pytest_retrieval_robust.occluders.drawn._drawing import (
    UNIT,
    Dice,
    Point,
    Span,
    Stroke,
    along,
    bands,
    blank,
    curve,
    draw,
    length,
    shared_out,
    squared_distances,
    stamp,
)
from pytest_retrieval_robust.occluders.drawn._font import GLYPHS, HEIGHT, WIDTH
from pytest_retrieval_robust.occluders.drawn.burned_in_text import BurnedInText
from pytest_retrieval_robust.occluders.drawn.ecg_leads import EcgLeads
from pytest_retrieval_robust.occluders.drawn.lines import Lines
from pytest_retrieval_robust.occluders.drawn.marker import Marker
from pytest_retrieval_robust.occluders.drawn.pacemaker import Pacemaker
from pytest_retrieval_robust.occluders.severity import (
    CELLS,
    NEVER,
    STEPS,
    Onsets,
    SeverityOccluder,
)

Make = Callable[..., SeverityOccluder]
DEFAULTS: list[SeverityOccluder] = [
    Pacemaker(),
    EcgLeads(),
    Lines(),
    BurnedInText(),
    Marker(),
]
VARIANTS: list[SeverityOccluder] = [
    Pacemaker(side="left"),
    Pacemaker(side="right"),
    EcgLeads(count=1),
    EcgLeads(count=9),
    Lines(count=1),
    Lines(count=8),
    BurnedInText(lines=1),
    BurnedInText(lines=12),
    Marker(side="left"),
    Marker(side="right"),
]
ALL = [*DEFAULTS, *VARIANTS]
IDS = [f"study-{number}" for number in range(40)]

each_default = pytest.mark.parametrize(
    "occluder", DEFAULTS, ids=lambda occluder: occluder.name
)
occluders = st.sampled_from(ALL)
levels = st.integers(0, 1000).map(lambda n: n / 1000)
seeds = st.integers(0, 2**64 - 1)
ids = st.text(max_size=20)

coordinates = st.integers(-4 * UNIT, 20 * UNIT)
points = st.tuples(coordinates, coordinates)
strokes = st.builds(
    Stroke, points, points, st.integers(0, 5 * UNIT), st.integers(1, STEPS)
)
NEAR = 26  # cells from the corner within which all strokes above end


def squared_distance(column: int, row: int, start: Point, stop: Point) -> Fraction:
    """From a cell's centre to the segment, by the textbook."""
    x = column * UNIT + Fraction(UNIT, 2)
    y = row * UNIT + Fraction(UNIT, 2)
    right = stop[0] - start[0]
    down = stop[1] - start[1]
    squared = right**2 + down**2
    part = (
        Fraction(0)
        if squared == 0
        else ((x - start[0]) * right + (y - start[1]) * down) / squared
    )
    part = min(max(part, Fraction(0)), Fraction(1))
    return (x - start[0] - part * right) ** 2 + (y - start[1] - part * down) ** 2


def digest(onsets: Onsets) -> str:
    return sha256(onsets.astype("<i2").tobytes()).hexdigest()[:16]


@settings(max_examples=30)
@given(st.lists(strokes, min_size=1, max_size=3))
def test_strokes_cover_the_cells_whose_centre_is_near_enough_exactly(
    drawn: list[Stroke],
) -> None:
    canvas = blank()
    draw(canvas, drawn)
    for row in range(0, NEAR, 2):
        for column in range(NEAR):
            onsets = [
                stroke.onset
                for stroke in drawn
                if squared_distance(column, row, stroke.start, stroke.stop)
                <= stroke.radius**2
            ]
            assert canvas[row, column] == min(onsets, default=NEVER)
    assert (canvas[NEAR:] == NEVER).all()
    assert (canvas[:, NEAR:] == NEVER).all()


@settings(max_examples=30)
@given(
    points,
    points,
    st.lists(st.integers(1, 5 * UNIT), min_size=1, max_size=3, unique=True),
)
def test_bands_lie_between_their_radii(
    start: Point, stop: Point, radii: list[int]
) -> None:
    radii = sorted(radii)
    canvas = blank()
    onsets = [NEVER if number == 1 else 10 + number for number in range(len(radii))]
    bands(canvas, start, stop, radii, onsets)
    for row in range(0, NEAR, 2):
        for column in range(NEAR):
            apart = squared_distance(column, row, start, stop)
            expected = next(
                (
                    onset
                    for radius, onset in zip(radii, onsets, strict=True)
                    if apart <= radius**2
                ),
                NEVER,
            )
            assert canvas[row, column] == expected
    assert (canvas[NEAR:] == NEVER).all()


@settings(max_examples=20)
@given(st.lists(strokes, min_size=1, max_size=3))
def test_squared_distances_are_those_of_the_nearest_stroke(drawn: list[Stroke]) -> None:
    distances = squared_distances(np.arange(3, 9), np.arange(2, 6), drawn)
    for row, column in np.ndindex(4, 6):
        expected = min(
            squared_distance(column + 3, row + 2, stroke.start, stroke.stop)
            for stroke in drawn
        )
        assert distances[row, column] == expected.numerator // expected.denominator


def test_strokes_far_across_and_outside_of_the_image_are_exact_too() -> None:
    """The largest products that occur still fit 64 bits."""
    far = Stroke((-3000, -2500), (7000, 6500), 4000, 7)
    canvas = blank()
    draw(canvas, [far])
    for row, column in ((0, 0), (255, 0), (0, 255), (255, 255), (128, 3), (9, 200)):
        inside = squared_distance(column, row, far.start, far.stop) <= far.radius**2
        assert canvas[row, column] == (7 if inside else NEVER)
    before = canvas.copy()
    draw(
        canvas,
        [Stroke((-900, 90), (-800, 99), 99, 1), Stroke((90, 5000), (90, 5000), 99, 1)],
    )
    draw(canvas, [])
    assert np.array_equal(canvas, before)


@given(st.integers(-30, 270), st.integers(-30, 270))
def test_stamps_are_cut_off_at_the_border(column: int, row: int) -> None:
    canvas = blank()
    picture = np.arange(1, 13, dtype=np.int16).reshape(3, 4)
    stamp(canvas, column, row, picture)
    padded = np.full((CELLS + 80, CELLS + 80), NEVER, dtype=np.int16)
    padded[40 + row : 43 + row, 40 + column : 44 + column] = picture
    assert np.array_equal(canvas, padded[40:-40, 40:-40])


@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=30).filter(any),
    st.integers(1, 400),
    st.integers(100, 600),
)
def test_spans_follow_one_another_and_fill_the_whole(
    weights: list[int], first: int, width: int
) -> None:
    spans = shared_out(weights, Span(first, first + width - 1))
    assert spans[0].first == first
    assert spans[-1].last <= first + width - 1
    assert all(span.first <= span.last for span in spans)
    assert [span.first for span in spans] == sorted(span.first for span in spans)
    largest = max(range(len(weights)), key=weights.__getitem__)
    expected = width * weights[largest] / sum(weights)
    assert abs(spans[largest].last - spans[largest].first + 1 - expected) <= 1


@given(
    st.lists(points, min_size=2, max_size=6), st.integers(1, 500), st.integers(0, 499)
)
def test_lines_pass_their_points_and_grow_from_the_first_to_the_last(
    way: list[Point], first: int, width: int
) -> None:
    path = curve(way)
    assert (path[0], path[-1]) == (way[0], way[-1])
    passed = iter(path)
    assert all(point in passed for point in way)
    onsets = [stroke.onset for stroke in along(path, 9, Span(first, first + width))]
    assert onsets == sorted(onsets)
    assert onsets[0] == first
    assert onsets[-1] <= first + width
    assert length(path) <= sum(
        abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in pairwise(path)
    )


@given(ids, seeds, st.integers(-9, 9), st.integers(0, 20), st.integers(1, 30))
def test_dice_stay_in_their_range(
    image_id: str, seed: int, low: int, width: int, count: int
) -> None:
    dice = Dice(image_id, seed, "test")
    assert low <= dice.between(low, low + width) <= low + width
    assert sorted(dice.shuffled(count)) == list(range(count))


def test_the_font_has_different_characters_of_one_size() -> None:
    assert "".join(GLYPHS) == "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert len(set(GLYPHS.values())) == len(GLYPHS)
    for rows in GLYPHS.values():
        assert len(rows) == HEIGHT
        assert all(0 <= row < 1 << WIDTH for row in rows)


@given(occluders, ids, seeds)
def test_onsets_are_thousandths_and_something_is_hidden_from_a_tenth_on(
    occluder: SeverityOccluder, image_id: str, seed: int
) -> None:
    onsets = occluder.onsets(image_id, seed)
    assert onsets.shape == (CELLS, CELLS)
    assert onsets.dtype == np.int16
    assert (((onsets >= 1) & (onsets <= STEPS)) | (onsets == NEVER)).all()
    # A single line may begin outside of the image, and shows a few cells of itself.
    assert (onsets <= STEPS // 10).any()
    assert np.array_equal(onsets, occluder.onsets(image_id, seed))


@given(occluders, levels, levels, seeds)
def test_masks_are_nested_in_the_severity(
    occluder: SeverityOccluder, level: float, other_level: float, seed: int
) -> None:
    less, more = (
        occluder.mask(["a", "b"], level, seed, 96, WHOLE)
        for level in sorted((level, other_level))
    )
    assert not (less & ~more).any()


@given(occluders, levels, seeds)
def test_the_share_recorded_is_that_of_the_mask(
    occluder: SeverityOccluder, level: float, seed: int
) -> None:
    mask = occluder.mask(["a", "b"], level, seed, CELLS, WHOLE)
    assert (
        occluder.shares(["a", "b"], level, seed)
        == mask.double().mean(dim=(1, 2, 3)).tolist()
    )


@given(occluders, levels, seeds, st.permutations(range(4)))
def test_an_image_does_not_depend_on_its_batch(
    occluder: SeverityOccluder, level: float, seed: int, places: list[int]
) -> None:
    names = ["a", "b", "", "a/ü.png"]
    whole = occluder.mask(names, level, seed, 64, WHOLE)
    assert torch.equal(
        occluder.mask([names[i] for i in places], level, seed, 64, WHOLE), whole[places]
    )
    assert torch.equal(
        occluder.mask([names[places[0]]], level, seed, 64, WHOLE)[0], whole[places[0]]
    )


@each_default
def test_nothing_else_changes_and_nothing_at_0(occluder: SeverityOccluder) -> None:
    pixels = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)) / 2
    assert torch.equal(occluder.occlude(pixels, ["a", "b"], 0, 0, WHOLE), pixels)
    assert occluder.shares(["a", "b"], 0, 0) == [0.0, 0.0]
    mask = occluder.mask(["a", "b"], 0.7, 0, 224, WHOLE)
    assert torch.equal(
        occluder.occlude(pixels, ["a", "b"], 0.7, 0, WHOLE),
        torch.where(mask, 1.0, pixels),
    )
    assert mask.flatten(1).any(dim=1).all()


@pytest.mark.parametrize(
    ("occluder", "least", "mean", "most"),
    [
        (Pacemaker(), 0.03, (0.04, 0.06), 0.06),
        (EcgLeads(), 0.03, (0.03, 0.06), 0.06),
        (Lines(), 0.04, (0.04, 0.08), 0.08),
        (BurnedInText(), 0.05, (0.05, 0.10), 0.10),
        (Marker(), 0.01, (0.01, 0.03), 0.03),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_shares_are_those_of_the_clinic(
    occluder: SeverityOccluder, least: float, mean: tuple[float, float], most: float
) -> None:
    shares = occluder.shares(IDS, 1, 0)
    assert least < min(shares)
    assert max(shares) < most
    assert mean[0] < sum(shares) / len(shares) < mean[1]
    small, half = (sum(occluder.shares(IDS, level, 0)) for level in (0.1, 0.5))
    assert 0 < 4 * small < 2 * half < 2 * sum(shares)


@pytest.mark.parametrize("make", [Pacemaker, Marker])
def test_a_side_is_that_of_the_picture(make: Make) -> None:
    for number, side in enumerate(("left", "right")):
        onsets = [
            make(side=side).onsets(image_id, 0)[:100] <= STEPS // 3 for image_id in IDS
        ]
        halves = np.split(np.stack(onsets), 2, axis=2)
        assert halves[number].any(axis=(1, 2)).all()
        assert not halves[1 - number].any()


def test_random_sides_are_both_drawn() -> None:
    for make in (Pacemaker, Marker):
        sides = [(make().onsets(i, 0)[:, :128] <= 100).any() for i in IDS]
        assert 3 <= sum(sides) <= 37


@pytest.mark.parametrize(
    ("make", "most"), [(EcgLeads, 9), (Lines, 8), (partial(BurnedInText, "white"), 12)]
)
def test_more_of_them_hide_more(make: Make, most: int) -> None:
    key = "count" if make in (EcgLeads, Lines) else "lines"
    shares = [
        sum(make(**{key: count}).shares(IDS[:20], 1, 0))
        for count in (1, most // 2, most)
    ]
    assert shares == sorted(shares)
    assert shares[2] > 3 * shares[0]


@each_default
def test_images_and_seeds_have_their_own_drawings(occluder: SeverityOccluder) -> None:
    drawn = {
        digest(occluder.onsets(image_id, seed))
        for image_id in IDS[:8]
        for seed in (0, 1)
    }
    assert len(drawn) == 16


PINNED = {
    "pacemaker": "a1a300b69350d73b",
    "ecg-leads": "7059f1fb64b959d0",
    "lines": "0181af3feb2bba79",
    "burned-in-text": "599eb2b79d7d0ae1",
    "marker": "28af679aa72d9c93",
    "pacemaker(side=left)": "9203e445fb8f906c",
    "pacemaker(side=right)": "a1a300b69350d73b",
    "ecg-leads(count=1)": "0029b80508842fac",
    "ecg-leads(count=9)": "f735a4944314571d",
    "lines(count=1)": "ff97957aff6669bb",
    "lines(count=8)": "468cebac7f3cdbf0",
    "burned-in-text(lines=1)": "9de7e427026990d2",
    "burned-in-text(lines=12)": "f9ecef30e40ce1f5",
    "marker(side=left)": "1270b90d7a65d2b1",
    "marker(side=right)": "28af679aa72d9c93",
}


@pytest.mark.parametrize("occluder", ALL, ids=lambda occluder: occluder.name)
def test_drawings_never_change_between_releases(occluder: SeverityOccluder) -> None:
    assert digest(occluder.onsets("study-1", 3)) == PINNED[occluder.name]


@each_default
def test_the_catalogue_has_them_by_name(occluder: SeverityOccluder) -> None:
    loaded = load_occluder(occluder.name)
    assert loaded == occluder
    assert isinstance(loaded, Occluder)
    assert (
        load_occluder(f"{occluder.name}(fill=mean)").name
        == f"{occluder.name}(fill=mean)"
    )


def test_names_hold_what_is_not_the_default() -> None:
    assert Pacemaker(fill="grey", side="left").name == "pacemaker(fill=grey,side=left)"
    assert load_occluder("lines(count=2)") == Lines(count=2)
    assert load_occluder("burned-in-text(lines=3)") == BurnedInText(lines=3)
    with pytest.raises(ConfigError, match="side='top'"):
        load_occluder("marker(side=top)")


MISUSES: dict[str, Callable[[], object]] = {
    "side='top'": lambda: Pacemaker(side="top"),
    "out of random, left, right, got side='L'": lambda: Marker(side="L"),
    "count from 1 to 9, got count=0": lambda: EcgLeads(count=0),
    "count from 1 to 8, got count=9": lambda: Lines(count=9),
    "count=True": lambda: Lines(count=True),
    "lines from 1 to 12, got lines=13": lambda: BurnedInText(lines=13),
    "lines=1.0": lambda: BurnedInText(lines=1.0),  # type: ignore[arg-type]
    "Did you mean 'white'": lambda: Lines(fill="whit"),
    "level=1.1": lambda: Lines().shares(["a"], 1.1, 0),
    "seed=-1": lambda: Lines().shares(["a"], 1, -1),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_says_what_was_got(message: str) -> None:
    with pytest.raises(OcclusionError, match=message):
        MISUSES[message]()


@pytest.mark.parametrize(
    "module", ["pacemaker", "ecg_leads", "lines", "burned_in_text", "marker", "regions"]
)
def test_registration_loads_no_torch(module: str) -> None:
    code = (
        f"import sys, pytest_retrieval_robust.occluders.drawn.{module}; sys.exit('torch' in"
        " sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_default
def test_cuda_gives_the_same_bits(occluder: SeverityOccluder) -> None:
    pixels = torch.rand(3, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    on_host = occluder.occlude(pixels, IDS[:3], 0.6, 5, WHOLE)
    assert torch.equal(
        occluder.occlude(pixels.cuda(), IDS[:3], 0.6, 5, WHOLE).cpu(), on_host
    )
