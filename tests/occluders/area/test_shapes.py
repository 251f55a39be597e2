"""The shapes that each area occluder promises, looked at as masks: one cell, one pixel."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.models._formats.geometry import Geometry
from pytest_retrieval_robust.occluders import WHOLE
from pytest_retrieval_robust.occluders.area import AreaOccluder, visible_level
from pytest_retrieval_robust.occluders.area.blobs import Blobs
from pytest_retrieval_robust.occluders.area.border import Border
from pytest_retrieval_robust.occluders.area.box import Box
from pytest_retrieval_robust.occluders.area.boxes import Boxes
from pytest_retrieval_robust.occluders.area.grid import Grid
from pytest_retrieval_robust.occluders.area.patches import Patches
from pytest_retrieval_robust.occluders.area.side import Side

from ..generators import levels, seeds

MANY = [str(number) for number in range(300)]
CORNERS = {
    "top-left": (0, 0),
    "top-right": (0, -1),
    "bottom-left": (-1, 0),
    "bottom-right": (-1, -1),
}
grids = st.integers(1, 40)


def hidden(
    occluder: AreaOccluder, level: float, seed: int = 0, ids: Sequence[str] = ("x",)
) -> torch.Tensor:
    """(B, G, G) bool: the cells."""
    return occluder.mask(ids, level, seed, occluder.grid, WHOLE)[:, 0]


def bounds(shape: torch.Tensor) -> tuple[int, int, int, int]:
    """The first and the last row, the first and the last column that hold a true cell."""
    rows, columns = (shape.any(axis).nonzero()[:, 0].tolist() for axis in (1, 0))
    return rows[0], rows[-1], columns[0], columns[-1]


def is_rectangle_but_for_a_line(shape: torch.Tensor) -> bool:
    """Whether (G, G) true cells are a whole rectangle, or one whose first or last row
    or column is unfinished.
    """
    if not shape.any():
        return True
    top, bottom, left, right = bounds(shape)
    inside = shape[top : bottom + 1, left : right + 1]
    return any(
        bool(part.all())
        for part in (inside[1:], inside[:-1], inside[:, 1:], inside[:, :-1])
    )


def aspects(occluder: AreaOccluder, level: float) -> torch.Tensor:
    """Width by height of the smallest rectangle around what is hidden, for many images."""
    around = [bounds(shape) for shape in hidden(occluder, level, ids=MANY)]
    return torch.tensor(
        [(right - left + 1) / (bottom - top + 1) for top, bottom, left, right in around]
    )


def joined_parts(shape: torch.Tensor) -> int:
    """How many parts the true cells fall into, joined along edges."""
    left = {(row, column) for row, column in shape.nonzero().tolist()}
    parts = 0
    while left:
        parts += 1
        reached = [left.pop()]
        while reached:
            row, column = reached.pop()
            near = {
                (row + 1, column),
                (row - 1, column),
                (row, column + 1),
                (row, column - 1),
            } & left
            left -= near
            reached.extend(near)
    return parts


@given(grids, levels, seeds, st.sampled_from(["random", *CORNERS]))
def test_a_box_is_one_rectangle(grid: int, level: float, seed: int, at: str) -> None:
    assert is_rectangle_but_for_a_line(hidden(Box(grid, at=at), level, seed)[0])


@given(grids, levels, seeds)
def test_boxes_of_one_are_a_box(grid: int, level: float, seed: int) -> None:
    assert is_rectangle_but_for_a_line(hidden(Boxes(grid, count=1), level, seed)[0])


@given(grids, levels, seeds)
def test_a_border_leaves_a_rectangle(grid: int, level: float, seed: int) -> None:
    assert is_rectangle_but_for_a_line(~hidden(Border(grid), level, seed)[0])


def test_the_check_of_rectangles_can_fail() -> None:
    assert not any(
        is_rectangle_but_for_a_line(shape)
        for shape in hidden(Patches(32), 0.3, ids=MANY)
    )


def test_a_small_box_has_the_aspects_of_random_erasing() -> None:
    drawn = aspects(Box(96), 0.1)
    assert 0.28 < drawn.min() < 0.4
    assert 2.5 < drawn.max() < 3.5
    assert (
        abs(int((drawn < 1).sum()) - int((drawn > 1).sum())) < 60
    )  # as many tall ones as wide ones


def test_the_aspect_of_a_box_tends_to_the_images_own() -> None:
    spread = [
        float(aspects(Box(96), level).log().abs().max())
        for level in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
    ]
    assert spread == sorted(spread, reverse=True)
    assert spread[-1] < 0.03


@pytest.mark.parametrize("corner", CORNERS.values(), ids=CORNERS)
@pytest.mark.parametrize("level", [0.05, 0.5])
def test_a_random_box_reaches_every_corner(
    corner: tuple[int, int], level: float
) -> None:
    touched = hidden(Box(), level, ids=[str(number) for number in range(1500)])[
        :, corner[0], corner[1]
    ]
    assert touched.any()
    assert not touched.all()


def test_a_small_box_lies_anywhere() -> None:
    share = (
        hidden(Box(8), 1 / 64, ids=[str(number) for number in range(6400)])
        .double()
        .mean(dim=0)
    )
    assert share.sub(1 / 64).abs().max() < 5 * (1 / 64 * 63 / 64 / 6400) ** 0.5


@given(st.sampled_from(list(CORNERS)), grids, st.integers(1, 1000))
def test_a_box_at_a_corner_touches_it(at: str, grid: int, thousandths: int) -> None:
    shape = hidden(Box(grid, at=at), thousandths / 1000)[0]
    assert shape[CORNERS[at]] or not shape.any()


@given(st.sampled_from(list(CORNERS)))
def test_a_box_at_a_corner_has_the_images_aspect(at: str) -> None:
    top, bottom, left, right = bounds(hidden(Box(20, at=at), 0.25)[0])
    assert (bottom - top + 1, right - left + 1) == (10, 10)


@given(st.integers(1, 12), levels, seeds)
def test_boxes_are_no_more_than_their_count(
    count: int, level: float, seed: int
) -> None:
    shape = hidden(Boxes(24, count=count), level, seed)[0]
    assert joined_parts(shape) <= count


def test_boxes_are_several() -> None:
    parts = [joined_parts(shape) for shape in hidden(Boxes(count=4), 0.05, ids=MANY)]
    assert max(parts) >= 4
    assert sum(parts) / len(parts) > 2.5


@given(grids, levels, seeds, st.sampled_from(["left", "right", "either"]))
def test_a_side_is_whole_columns_from_one_edge(
    grid: int, level: float, seed: int, edge: str
) -> None:
    occluder = Side(grid, edge=edge)
    columns = hidden(occluder, level, seed)[0].sum(dim=0).tolist()
    whole, rest = divmod(occluder.hidden_cells(level), grid)
    expected = ([grid] * whole + [rest] + [0] * grid)[:grid]
    allowed = {"left": [expected], "right": [expected[::-1]]}.get(
        edge, [expected, expected[::-1]]
    )
    assert columns in allowed


def test_both_edges_occur_about_equally_often() -> None:
    left = hidden(Side(), 0.1, ids=MANY)[:, 0, 0]
    assert 110 < int(left.sum()) < 190


@given(st.integers(2, 8), st.integers(2, 6), levels, seeds)
def test_all_squares_of_a_grid_hide_alike(
    period: int, squares: int, level: float, seed: int
) -> None:
    """Counted modulo the period: the squares that the image's edges cut are left out."""
    side = period * (squares + 1)
    shape = hidden(Grid(side, period=period), level, seed)[0].long()
    counts = [
        [int(shape[row::period, column::period].sum()) for column in range(period)]
        for row in range(period)
    ]
    whole = (squares + 1) ** 2
    assert (
        sum(0 < count < whole for line in counts for count in line) <= 1
    )  # one cell of the squares is unfinished


def test_a_grid_hides_squares_a_period_apart() -> None:
    for shape in hidden(Grid(32, period=8), 0.25, ids=MANY[:20]):
        assert torch.equal(shape, shape.roll((8, 0), (0, 1)))
        assert torch.equal(shape, shape.roll((0, 8), (0, 1)))
        assert int(shape[:8, :8].sum()) == 16
        assert joined_parts(shape.roll(tuple(_to_the_corner(shape)), (0, 1))) == 16


def _to_the_corner(shape: torch.Tensor) -> list[int]:
    """The shift that puts a square's first cell at (0, 0), so that no edge cuts a square."""
    rows, columns = (shape.any(axis).long() for axis in (1, 0))
    return [
        -int((line.diff(prepend=line[-1:]) == 1).nonzero()[0])
        for line in (rows, columns)
    ]


def test_blobs_are_smoother_than_patches() -> None:
    def boundary(occluder: AreaOccluder) -> float:
        shapes = hidden(occluder, 0.3, ids=MANY)
        changes = [shapes[:, 1:] ^ shapes[:, :-1], shapes[:, :, 1:] ^ shapes[:, :, :-1]]
        return sum(float(change.sum()) for change in changes) / len(MANY)

    coarse, fine, scattered = (
        boundary(occluder) for occluder in (Blobs(size=12), Blobs(size=6), Patches(32))
    )
    assert coarse < 0.7 * fine
    assert fine < 0.3 * scattered


def test_blobs_lie_elsewhere_in_every_image() -> None:
    shapes = hidden(Blobs(), 0.3, ids=MANY[:50])
    overlap = (shapes[:-1] & shapes[1:]).double().mean(dim=(1, 2)) / 0.3
    assert 0.2 < float(overlap.mean()) < 0.4


def test_a_model_that_crops_sees_about_half_of_a_border() -> None:
    frame = Geometry("shortest", 224, 224).frame(2544, 3056)
    occluder = Border()
    mask = occluder.mask(MANY[:50], 0.3, 0, 224, frame)
    assert 0.4 < visible_level(mask, frame) / occluder.achieved_level(0.3) < 0.65


def test_the_window_of_a_border_is_near_the_middle_but_not_always_in_it() -> None:
    around = torch.tensor(
        [bounds(shape) for shape in ~hidden(Border(), 0.75, ids=MANY)]
    ).double()
    middles = torch.stack([around[:, :2].mean(dim=1), around[:, 2:].mean(dim=1)])
    assert (middles - 15.5).abs().max() <= 16 / 8 + 1
    assert middles.std() > 0.5
