"""What the base of all occluders decides: levels, buffers, counts of pixels and identity."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import numpy as np
import pytest
import torch

from pytest_retrieval_robust.core.errors import OcclusionError
from pytest_retrieval_robust.occluders import WHOLE
from pytest_retrieval_robust.occluders._donors import Donors
from pytest_retrieval_robust.occluders._frames import view_of
from pytest_retrieval_robust.occluders.area.patches import Patches
from pytest_retrieval_robust.occluders.cells import check_level
from pytest_retrieval_robust.occluders.scene import Scene, Setting

from .generators import FRAMES, IDS, picture

SIDE = 12


@pytest.fixture(scope="module")
def donors() -> Donors:
    return Donors(["other"], picture(1, 3, SIDE, SIDE, seed=9), [WHOLE])


@pytest.fixture
def batch(donors: Donors) -> Scene:
    nothing = cast(Any, None)
    own = Setting(nothing, nothing, torch.zeros(0, 1), np.zeros(0, dtype=np.int64))
    # Where `Setting.donors` keeps what it made.
    vars(own)["donors"] = donors
    pixels = picture(len(IDS), 3, SIDE, SIDE)
    groups = np.arange(len(IDS))
    return Scene(own, range(len(IDS)), IDS, pixels, [WHOLE] * len(IDS), groups)


@pytest.mark.parametrize("level", [0, 1, 0.5, Decimal("0.25"), np.float32(1)])
def test_a_level_is_any_number_from_0_to_1(level: Any) -> None:
    check_level(level)


@pytest.mark.parametrize("level", [-1e-9, 1.0001, True, "0.5", None, 1j, float("nan")])
def test_another_level_is_refused(level: Any) -> None:
    with pytest.raises(OcclusionError, match="Expected a level from 0 to 1, got level"):
        check_level(level)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (torch.empty(2, 3, 4, 5), r"out\.shape=torch\.Size\(\[2, 3, 4, 5\]\)"),
        (torch.empty(2, 3, 4, 4, dtype=torch.float16), r"out\.dtype=torch\.float16"),
        (torch.empty(2, 3, 4, 4, device="meta"), r"out\.device=meta"),
    ],
    ids=["shape", "dtype", "device"],
)
def test_a_buffer_that_is_unlike_the_pixels_is_refused(
    out: torch.Tensor, message: str
) -> None:
    with pytest.raises(OcclusionError, match=message):
        Patches(2).occlude(torch.zeros(2, 3, 4, 4), IDS[:2], 0.5, 0, WHOLE, out=out)


@pytest.mark.parametrize("grid", [1, 3, 4, 5, 16])
@pytest.mark.parametrize("size", [SIDE, (7, 30)])
def test_hidden_pixels_are_those_of_the_mask(
    grid: int, size: int | tuple[int, int]
) -> None:
    frames = [FRAMES[number % len(FRAMES)] for number in range(len(IDS))]
    occluder = Patches(grid)
    mask = occluder.mask(IDS, 0.4, 3, size, frames)
    expected = mask.sum(dim=(1, 2, 3)).tolist()
    assert occluder.hidden_pixels(IDS, 0.4, 3, size, frames).tolist() == expected


@pytest.mark.parametrize(("grid", "is_drawn"), [(4, False), (5, True)])
def test_a_mask_is_drawn_for_a_count_where_it_is_smaller_than_the_cells(
    monkeypatch: pytest.MonkeyPatch, grid: int, is_drawn: bool
) -> None:
    """Eight times 16 cells are as many as 8 x 16 pixels, eight times 25 are more."""
    drawn = []
    counted = type(view_of(WHOLE, 1, SIDE)).pixels_of_cells

    def noted(*arguments: Any) -> Any:
        drawn.append(arguments)
        return counted(*arguments)

    monkeypatch.setattr(type(view_of(WHOLE, 1, SIDE)), "pixels_of_cells", noted)
    Patches(grid).hidden_pixels(IDS, 0.4, 3, (8, 16), WHOLE)
    assert (not drawn) == is_drawn


def test_a_fill_of_donors_alone_looks_at_them(batch: Scene, donors: Donors) -> None:
    groups = np.arange(len(IDS))
    setting = batch.setting
    assert Patches().looked_at(setting, range(5), groups) == b""
    known = Patches(fill="donor").looked_at(setting, range(5), groups)
    assert known == donors.digest


class Elsewhere(Patches):
    """An occluder from outside of the package."""


def test_what_an_occluder_from_elsewhere_looks_at_is_not_known(batch: Scene) -> None:
    looked_at = Elsewhere().looked_at(batch.setting, range(5), np.arange(len(IDS)))
    assert looked_at is None


def test_a_bound_occluder_equals_itself_unbound_and_knows_its_donors(
    batch: Scene, donors: Donors
) -> None:
    plain = Patches().bind(batch)
    donated = Patches(fill="donor").bind(batch)
    assert plain == Patches()
    assert plain.donors is None
    assert donated.donors is donors
    assert repr(donated) == "Patches(grid=16, fill='donor')"
