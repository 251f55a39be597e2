"""What ranking takes: rows in any layout, groups of any kind, and errors that name a row."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pytest_retrieval_robust.core.errors import RankingError
from pytest_retrieval_robust.retrieval.ranking import (
    Duels,
    best_answers,
    positive_ranks,
    positive_ranks_both,
    right_wins,
    top_k,
)
from pytest_retrieval_robust.retrieval.ranking._checks import (
    check_answerable,
    check_finite,
    checked_groups,
    checked_rows,
    parts,
)

from .test_ranking import normal, unit

ROWS = unit(normal(0, 6, 8))


@pytest.mark.parametrize(
    "arranged",
    [
        lambda rows: rows[::-1].copy()[::-1],
        lambda rows: rows[:, ::-1].copy()[:, ::-1],
        lambda rows: rows.astype(">f4"),
        lambda rows: np.asfortranarray(rows),
        lambda rows: torch.from_numpy(rows.T.copy()).T,
    ],
    ids=["reversed", "mirrored", "big-endian", "by columns", "transposed tensor"],
)
def test_rows_may_lie_in_memory_as_they_like(arranged: Callable[[Any], Any]) -> None:
    taken, other = checked_rows(arranged(ROWS), ROWS, 1)
    assert np.array_equal(taken.numpy(), ROWS)
    assert taken.is_contiguous()
    assert taken.dtype == other.dtype == torch.float32


def test_rows_that_may_not_be_written_are_taken_without_a_warning() -> None:
    rows = ROWS.copy()
    rows.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        taken, _ = checked_rows(rows, ROWS, 1)
    assert taken.data_ptr() == rows.ctypes.data


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS.tolist(), "got queries of type list"),
        (ROWS.astype(np.float16), "dtype=torch.float16"),
        (ROWS[:0], r"Expected queries of shape .* got shape=\(0, 8\)"),
        (ROWS[:, :0], r"got shape=\(6, 0\)"),
        (np.array(1, dtype=np.float32), r"got shape=\(\)"),
        (ROWS[:, :7], r"queries.shape=\(6, 7\) on cpu, gallery.shape=\(6, 8\)"),
        (torch.from_numpy(ROWS).to("meta"), "on meta"),
    ],
)
def test_other_rows_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(RankingError, match=message):
        checked_rows(rows, ROWS, 1024)


@pytest.mark.parametrize("tile", [0, -1, 1.5, None])
def test_a_tile_has_rows(tile: Any) -> None:
    with pytest.raises(RankingError, match="Expected a tile of at least 1 row, got"):
        checked_rows(ROWS, ROWS, tile)


@pytest.mark.parametrize("kind", ["i1", "u1", "i4", "u8"])
def test_groups_are_whole_numbers_of_any_kind(kind: str) -> None:
    groups = np.array([3, 0, 100], dtype=kind)
    for given in (groups, groups.tolist()):
        taken = checked_groups("groups", given, 3)
        assert taken.tolist() == [3, 0, 100]
        assert taken.dtype == np.int64
    assert checked_groups("groups", torch.tensor([1, 2]), 2).tolist() == [1, 2]


@pytest.mark.parametrize(
    "groups", [[0.0, 1.0], [True, False], [[0, 1]], [0], ["a", "b"]]
)
def test_other_groups_are_refused(groups: Any) -> None:
    with pytest.raises(RankingError, match=r"gallery_groups of shape \(2,\) in whole"):
        checked_groups("gallery_groups", groups, 2)


def test_a_row_that_is_not_finite_is_named_wherever_it_is() -> None:
    rows = torch.ones(2100, 2)
    check_finite("gallery", rows)
    rows[2050, 1] = torch.inf
    rows[2060, 0] = torch.nan
    with pytest.raises(RankingError, match="Expected finite gallery, .* in row=2050"):
        check_finite("gallery", rows)


def test_who_asks_is_named_where_nothing_is_right() -> None:
    asking = np.array([4, 5, 6, 7])
    asked = np.array([4, 6])
    with pytest.raises(
        RankingError,
        match="right gallery item for each query, got none for 2 of 4, first row=1 with"
        " group=5. Leave these queries out",
    ):
        check_answerable(asking, asked)
    with pytest.raises(
        RankingError,
        match="right query for each gallery item, .* Leave these gallery items out",
    ):
        check_answerable(asking, asked, back=True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((7, 3), [(0, 3), (3, 6), (6, 7)]),
        ((6, 3), [(0, 3), (3, 6)]),
        ((8, 3, 4), [(4, 7), (7, 8)]),
        ((0, 3), []),
    ],
)
def test_parts_cover_a_stretch(
    arguments: tuple[int, ...], expected: list[tuple[int, int]]
) -> None:
    assert [(part.start, part.stop) for part in parts(*arguments)] == expected


BROKEN = ROWS.copy()
BROKEN[4, 1] = np.inf
FIRST = np.zeros(1, dtype=np.int64)


def dot(queries: torch.Tensor, gallery: torch.Tensor) -> torch.Tensor:
    return queries @ gallery.T


@pytest.mark.parametrize(
    ("name", "call"),
    [
        (
            "queries",
            lambda own: positive_ranks(BROKEN, ROWS, range(6), range(6), **own),
        ),
        (
            "gallery",
            lambda own: positive_ranks(ROWS, BROKEN, range(6), range(6), **own),
        ),
        ("queries", lambda own: top_k(BROKEN, ROWS, 2, **own)),
        ("gallery", lambda own: top_k(ROWS, BROKEN, 2, **own)),
        (
            "queries",
            lambda own: right_wins(
                BROKEN, ROWS, ROWS, Duels(FIRST, FIRST, FIRST), **own
            ),
        ),
        (
            "right",
            lambda own: right_wins(
                ROWS, BROKEN, ROWS, Duels(FIRST, FIRST, FIRST), **own
            ),
        ),
    ],
)
@pytest.mark.parametrize(
    "own", [{}, {"similarity": dot}], ids=["product", "own scorer"]
)
def test_infinity_is_refused_by_the_name_of_its_side(
    name: str, call: Callable[[dict[str, Any]], object], own: dict[str, Any]
) -> None:
    with pytest.raises(RankingError, match=f"Expected finite {name}, .* in row=4"):
        call(own)


@pytest.mark.parametrize("k", [0, 7, True, 2.0, "2"])
def test_k_is_a_whole_number_up_to_the_gallery(k: Any) -> None:
    with pytest.raises(RankingError, match="k from 1 to the gallery's 6 items, got k="):
        top_k(ROWS, ROWS, k)


@pytest.mark.parametrize("place", ["queries", "right", "wrong"])
@pytest.mark.parametrize("number", [-1, 6])
def test_a_duel_of_a_row_that_is_not_there_is_refused(place: str, number: int) -> None:
    numbers = dict.fromkeys(("queries", "right", "wrong"), FIRST)
    numbers[place] = FIRST + number
    with pytest.raises(RankingError, match=f"row number below 6 of {place} for each"):
        right_wins(ROWS, ROWS, ROWS, Duels(**numbers))


@pytest.mark.parametrize("place", ["right", "wrong"])
def test_a_duel_has_one_of_each(place: str) -> None:
    numbers = dict.fromkeys(("queries", "right", "wrong"), np.arange(2))
    numbers[place] = np.arange(3)
    with pytest.raises(RankingError, match=f"of {place} for each of 2 duels"):
        right_wins(ROWS, ROWS, ROWS, Duels(**numbers))


def test_many_duels_by_an_own_scorer_are_decided_piece_by_piece() -> None:
    rng = np.random.default_rng(0)
    rows = unit(normal(1, 40, 8))
    numbers = rng.integers(0, 40, size=(3, 300))
    duels = Duels(*numbers)
    seen = []

    def noted(queries: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        seen.append((len(queries), len(items)))
        return queries @ items.T

    won = right_wins(rows, rows, rows, duels, similarity=noted)
    assert np.array_equal(won, right_wins(rows, rows, rows, duels))
    assert [items for _, items in seen] == [256, 256, 88]
    assert max(queries for queries, _ in seen) <= 40
    # The same item twice is a tie, and a tie is lost.
    tied = Duels(numbers[0], numbers[1], numbers[1])
    assert not right_wins(rows, rows, rows, tied, similarity=noted).any()


def test_no_duel_has_no_winner() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    won = right_wins(ROWS, ROWS, ROWS, Duels(nothing, nothing, nothing))
    assert won.dtype == np.bool_
    assert won.shape == (0,)


def test_the_usual_tile_has_1024_rows() -> None:
    """The arguments of a scorer tell how many rows are compared at a time."""
    rows = np.eye(1030, 4, dtype=np.float32)
    rows[:, 0] += 1
    groups = np.arange(1030)
    seen: list[tuple[int, int]] = []

    def noted(queries: torch.Tensor, gallery: torch.Tensor) -> torch.Tensor:
        seen.append((len(queries), len(gallery)))
        return queries @ gallery.T

    for call in (
        lambda: positive_ranks(rows, rows, groups, groups, similarity=noted),
        lambda: positive_ranks_both(rows, rows, groups, groups, similarity=noted),
        lambda: top_k(rows, rows, 1, similarity=noted),
        lambda: best_answers(rows, rows, 1, similarity=noted),
    ):
        seen.clear()
        call()
        assert max(map(max, seen)) == 1024
