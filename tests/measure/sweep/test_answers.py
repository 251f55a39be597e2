"""What the lists of answers of a cell say, against loops over them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.cases import CLEAN, Cell, Direction
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep import answers
from pytest_retrieval_robust.measure.sweep.answers import Rows, lists_of, shared
from pytest_retrieval_robust.measure.sweep.run import Measured, run_sweep

from ..growing import Counted, Free

PATCHES = load_occluder("patches(grid=4)")
CELL = Cell(PATCHES.name, 0.5, 0)
BLACK = Cell(PATCHES.name, 1.0, 0)
KS = (1, 3)


class Turned(Free):
    """A model with a similarity of its own, which scores as the dot product does."""

    def similarity(self, queries: Tensor, gallery: Tensor) -> Tensor:
        return queries @ gallery.T


def swept(model: Free, size: int = 24) -> dict[Cell, Measured]:
    hidden = [(CELL, PATCHES), (BLACK, PATCHES)]
    result = run_sweep(model, pairs_of(Counted(size)), hidden, KS)
    cells = {}
    for cell, measured in result.cells.items():
        assert isinstance(measured, Measured)
        cells[cell] = measured
    return cells


LISTS = st.integers(1, 6).flatmap(
    lambda k: st.lists(
        st.tuples(
            st.permutations(range(8)).map(lambda items: items[:k]),
            st.permutations(range(8)).map(lambda items: items[:k]),
        ),
        min_size=1,
        max_size=5,
    )
)


@given(LISTS)
def test_what_two_lists_share_is_what_a_loop_counts(
    lists: list[tuple[list[int], list[int]]],
) -> None:
    before = np.array([first for first, _ in lists])
    after = np.array([second for _, second in lists])
    naive = [len({*first} & {*second}) / len(first) for first, second in lists]
    assert shared(before, after).tolist() == pytest.approx(naive)


def test_every_cell_says_what_is_left_of_the_clean_lists() -> None:
    cells = swept(Free())
    clean = cells[CLEAN].image_to_report.answers
    hidden = cells[CELL].image_to_report.answers
    assert clean is not None
    assert hidden is not None
    assert (clean.queries, clean.overlap, clean.overlap_interval) == (24, {}, {})
    assert set(hidden.overlap) == {*KS}
    for k, (low, high) in hidden.overlap_interval.items():
        assert low <= hidden.overlap[k] <= high


def test_risk_is_that_of_the_first_answer() -> None:
    for measured in swept(Free()).values():
        for scores in (measured.image_to_report, measured.report_to_image):
            assert scores.answers is not None
            wrong = round((1 - scores.recall[1]) * scores.queries)
            area = scores.answers.aurc - scores.answers.excess_aurc
            naive = [
                max(0, answered - (scores.queries - wrong)) / answered
                for answered in range(1, scores.queries + 1)
            ]
            assert area == pytest.approx(np.mean(naive), abs=1e-12)


def test_a_similarity_of_its_own_gives_the_same_answers_both_ways() -> None:
    own = swept(Turned())
    usual = swept(Free())
    for cell in (CLEAN, CELL):
        for own_scores, scores in (
            (own[cell].image_to_report, usual[cell].image_to_report),
            (own[cell].report_to_image, usual[cell].report_to_image),
        ):
            assert own_scores.answers is not None
            assert scores.answers is not None
            assert own_scores.answers.overlap == scores.answers.overlap
            assert own_scores.answers.aurc == pytest.approx(scores.answers.aurc)


def test_one_row_for_all_images_is_no_confidence() -> None:
    hidden = swept(Free())[BLACK].image_to_report
    assert hidden.answers is not None
    # Every query is as confident as any other: the risk at each coverage is the error.
    assert hidden.answers.aurc == pytest.approx(1 - hidden.recall[1])


@pytest.mark.parametrize("direction", ["image-to-report", "report-to-image"])
def test_of_many_queries_some_at_even_steps_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, direction: Direction
) -> None:
    monkeypatch.setattr(answers, "MOST_QUERIES", 5)
    model = Free()
    rows = torch.nn.functional.normalize(
        torch.randn(12, 8, generator=torch.Generator().manual_seed(3)), dim=1
    )
    some = lists_of(model, Rows(rows, rows), KS)
    monkeypatch.undo()
    every = lists_of(model, Rows(rows, rows), KS)
    numbers = some.queries[direction]
    assert numbers.tolist() == [0, 2, 4, 7, 9]
    np.testing.assert_array_equal(
        some.found[direction].items, every.found[direction].items[numbers]
    )
