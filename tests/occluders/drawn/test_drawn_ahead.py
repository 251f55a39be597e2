"""Drawings that were made while images were decoded change no mask and no share."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.occluders import WHOLE, Occluder, drawn_ahead
from pytest_retrieval_robust.occluders.drawn.lines import Lines
from pytest_retrieval_robust.occluders.drawn_ahead import Drawing, DrawnAhead
from pytest_retrieval_robust.occluders.scene import Scene
from pytest_retrieval_robust.occluders.severity import (
    CELLS,
    NEVER,
    STEPS,
    Onsets,
    SeverityOccluder,
    counts_of,
)

from ..test_batch import scene

IDS = ["a", "b", "c"]
DRAWN = ["lines", "marker", "pacemaker(side=left)", "ecg-leads", "burned-in-text"]
SEEDS = (0, 7)


def batch_of(ahead: DrawnAhead | None) -> Scene:
    whole = scene()
    return replace(
        whole,
        ids=IDS,
        numbers=range(3),
        pixels=whole.pixels[:3].clone(),
        frames=[WHOLE] * 3,
        groups=np.arange(3),
        drawn_ahead=ahead,
    )


def masks(occluder: Occluder) -> list[Any]:
    """Masks and shares at some levels and seeds."""
    numbers: list[Any] = []
    for level in (0.001, 0.3, 1.0):
        for seed in SEEDS:
            numbers += occluder.mask(IDS, level, seed, 64, WHOLE).flatten().tolist()
            numbers += occluder.shares(IDS, level, seed)
    return numbers


@pytest.mark.parametrize("name", DRAWN)
def test_masks_are_those_that_are_drawn_when_they_are_needed(name: str) -> None:
    occluder = load_occluder(name)
    ahead = DrawnAhead((occluder, seed) for seed in SEEDS)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(ahead.draw, IDS))
    assert isinstance(occluder, SeverityOccluder)
    drawing = ahead.drawing(occluder, "b", 7)
    assert drawing is not None
    canvas = np.full((CELLS, CELLS), NEVER, dtype=np.int16)
    drawing.draw_on(canvas)
    assert np.array_equal(canvas, occluder.onsets("b", 7))
    batch = batch_of(ahead)
    assert masks(occluder.bind(batch)) == masks(occluder)


def test_what_was_drawn_ahead_is_not_drawn_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    occluder = load_occluder("lines")
    ahead = DrawnAhead((occluder, seed) for seed in SEEDS)
    ahead.draw("a")
    ahead.draw("c")
    drawn = []
    onsets = Lines.onsets

    def counted(self: Lines, image_id: str, seed: int) -> Onsets:
        drawn.append((image_id, seed))
        return onsets(self, image_id, seed)

    monkeypatch.setattr(Lines, "onsets", counted)
    batch = batch_of(ahead)
    masks(occluder.bind(batch))
    assert drawn == [("b", 0), ("b", 7)]


def test_other_parameters_and_seeds_are_other_drawings() -> None:
    ahead = DrawnAhead([(load_occluder("lines(count=2)"), 0)])
    ahead.draw("a")
    drawing = ahead.drawing(Lines(count=2), "a", 0)
    assert drawing is not None
    assert ahead.drawing(Lines(count=3), "a", 0) is None
    assert ahead.drawing(Lines(count=2), "a", 1) is None
    assert ahead.drawing(Lines(count=2), "b", 0) is None


@dataclass(frozen=True)
class Dotted(SeverityOccluder):
    """A user's own, which draws another dot once it is bound."""

    family: ClassVar[str] = "dotted"
    column: int = 2

    def bind(self, scene: Scene) -> Dotted:
        return replace(cast(Dotted, super().bind(scene)), column=6)

    def onsets(self, image_id: str, seed: int) -> Onsets:  # noqa: ARG002
        canvas = np.full((CELLS, CELLS), NEVER, dtype=np.int16)
        # Cells 2 and 6 of an axis are those at the centres of pixels 0 and 1 of 64.
        canvas[2, self.column] = 1
        return canvas


class Wrapper:
    """A user's own around one of ours, which hides nothing."""

    def __init__(self, inner: Occluder) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def mask(self, ids: Sequence[str], *_: Any, **__: Any) -> torch.Tensor:
        return torch.zeros(len(ids), 1, 64, 64, dtype=torch.bool)


class Failing(Lines):
    """One whose drawing fails, as one of this package might."""

    def onsets(self, image_id: str, seed: int) -> Onsets:  # noqa: ARG002
        raise ValueError(image_id)


def test_occluders_of_other_kinds_are_ignored() -> None:
    own = cast(Occluder, Dotted())
    wrapper = cast(Occluder, Wrapper(load_occluder("lines")))
    others = [own, wrapper, Failing(), load_occluder("patches")]
    others += [load_occluder("regions")]
    ahead = DrawnAhead((occluder, 0) for occluder in others)
    ahead.draw("a")
    assert not ahead._drawings
    batch = batch_of(ahead)
    assert masks(own.bind(batch))[:3] == [False, True, False]
    assert masks(own)[:3] == [True, False, False]
    assert not any(masks(wrapper)[: 3 * 64 * 64])


def test_what_fails_is_reported_where_the_mask_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    occluder = load_occluder("lines")
    ahead = DrawnAhead([(occluder, 0)])
    monkeypatch.setattr(Lines, "onsets", Failing.onsets)
    ahead.draw("a")
    batch = batch_of(ahead)
    with pytest.raises(ValueError, match="a"):
        occluder.bind(batch).mask(["a"], 0.5, 0, 8, WHOLE)


def test_drawings_take_no_more_memory_than_they_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drawn_ahead, "_LIMIT", 20_000)
    occluder = load_occluder("lines")
    assert isinstance(occluder, SeverityOccluder)
    ahead = DrawnAhead([(occluder, 0)])
    for number in range(20):
        ahead.draw(str(number))
    drawings = [ahead.drawing(occluder, str(number), 0) for number in range(20)]
    assert drawings[0] is not None
    assert drawings[-1] is None


onsets_of_any_kind = arrays.arrays(
    np.int16, (2, 5, 7), elements=st.integers(-3, STEPS + 3) | st.just(NEVER)
)


@given(onsets_of_any_kind, st.integers(1, STEPS + 1))
def test_counts_are_those_of_the_cells_below_a_threshold(
    onsets: Onsets, threshold: int
) -> None:
    counts = counts_of(onsets)
    expected = [int((image < threshold).sum()) for image in onsets]
    assert counts[:, threshold - 1].tolist() == expected


@given(onsets_of_any_kind)
def test_a_drawing_is_what_was_drawn(onsets: Onsets) -> None:
    drawing = Drawing.of(onsets[0])
    canvas = np.full((5, 7), NEVER, dtype=np.int16)
    drawing.draw_on(canvas)
    assert np.array_equal(canvas, onsets[0])


@pytest.mark.parametrize("name", DRAWN)
def test_shares_are_the_means_of_the_hidden_cells(name: str) -> None:
    occluder = load_occluder(name)
    assert isinstance(occluder, SeverityOccluder)
    for level in (0.0, 0.001, 0.25, 0.7, 1.0):
        threshold = occluder.threshold(level)
        expected = [
            float(np.mean(occluder.onsets(image_id, 3) < threshold)) for image_id in IDS
        ]
        assert occluder.shares(IDS, level, 3) == expected


@dataclass(frozen=True)
class Sudden(Lines):
    """With a threshold of its own."""

    family: ClassVar[str] = "lines"

    def threshold(self, level: float) -> int:
        return STEPS + 200 if level == 1 else 0


def test_a_threshold_of_its_own_is_counted_too() -> None:
    assert Sudden().shares(IDS, 1.0, 0) == Lines().shares(IDS, 1.0, 0)
    assert Sudden().shares(IDS, 0.5, 0) == [0.0] * 3
