"""Nothing but ranks grows faster than the data: each list is asked for a fixed number of times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pytest_retrieval_robust import find_breaking, load_occluder, sensitivity_map
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.gate.comparison import Comparison, compare
from pytest_retrieval_robust.measure.breaking import breaking_arrays
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.first_ranks import FirstRanks
from pytest_retrieval_robust.measure.image_checks import check_images
from pytest_retrieval_robust.measure.inspection import inspect
from pytest_retrieval_robust.measure.pairs import describe, pairs_of
from pytest_retrieval_robust.measure.query_keys import query_arrays
from pytest_retrieval_robust.measure.sweep.run import SweepOptions, run_sweep
from pytest_retrieval_robust.measure.sweep.scores import both_scores
from pytest_retrieval_robust.measure.timing.rounds import prepare_batch
from pytest_retrieval_robust.occluders.hashing import by_hash, host_words
from pytest_retrieval_robust.reports.saved.array_checks import array_contradictions

from ..calls import calls_of
from ..saved_runs import make_run
from .growing import Counted, Free

PATCHES = load_occluder("patches(grid=4)")
DONOR = load_occluder("patches(grid=4,fill=donor)")
KS = (1, 5)


def sweep(data: Counted, store: EmbeddingStore | None = None) -> None:
    cells = [(Cell(PATCHES.name, 0.25, 0), PATCHES), (Cell(DONOR.name, 0.5, 0), DONOR)]
    options = SweepOptions(batch_size=4, store=store)
    run_sweep(Free(), pairs_of(data), cells, KS, options)


def limited(data: Counted) -> None:
    query_arrays(pairs_of(data, data.size // 2))


def search(data: Counted) -> None:
    result = find_breaking(Free(), data, grid=2, images=data.size, budget=12)
    breaking_arrays(result, pairs_of(data))


USES: dict[str, Callable[[Counted], object]] = {
    "sweep": sweep,
    "query keys": limited,
    "description": lambda data: describe(pairs_of(data), KS),
    "inspection": lambda data: [*inspect(data), check_images(data)],
    "search": search,
    "sensitivity": lambda data: sensitivity_map(
        Free(), data, grid=2, images=data.size, label="even"
    ),
    "first ranks": lambda data: FirstRanks(Free(), data, data.size),
    "timing": lambda data: prepare_batch(Free(), data, data.size),
}


@pytest.mark.parametrize("use", USES)
def test_a_list_is_asked_for_as_often_whatever_the_size(use: str) -> None:
    small = Counted(16)
    large = Counted(160)
    USES[use](small)
    USES[use](large)
    assert large.asked == small.asked
    # A few checks and one use: nothing asks once per image, batch or cell.
    assert max(large.asked.values()) <= 12


def test_a_sweep_from_the_store_asks_no_more_often(tmp_path: Path) -> None:
    asked = []
    for size in (16, 160):
        store = EmbeddingStore(tmp_path / str(size))
        sweep(Counted(size), store)
        again = Counted(size)
        sweep(again, store)
        asked.append(again.asked)
    assert asked[0] == asked[1]


def of_pairs(size: int) -> Callable[[], object]:
    data = Counted(size)
    return lambda: query_arrays(pairs_of(data))


def of_description(size: int) -> Callable[[], object]:
    data = Counted(size)
    return lambda: (describe(pairs_of(data), KS), list(inspect(data)))


def of_scores(size: int) -> Callable[[], object]:
    pairs = pairs_of(Counted(size))
    ranks = np.arange(1, size + 1)
    # Bounds of so many queries are kept, and other tests may have asked for some.
    both_scores(ranks, ranks, pairs_of(Counted(size)), KS)
    return lambda: both_scores(ranks, ranks, pairs, KS)


def of_order(size: int) -> Callable[[], object]:
    # Digests of ids are kept: other sizes have other ids.
    ids = [f"{size}-{number}" for number in range(size)]
    return lambda: by_hash(ids, "sample")


def of_sweep(size: int) -> Callable[[], object]:
    return lambda: sweep(Counted(size))


@pytest.mark.parametrize("part", [of_pairs, of_description, of_scores, of_order])
def test_twice_the_data_takes_at_most_twice_the_steps(
    part: Callable[[int], Callable[[], object]],
) -> None:
    # What is kept for all sizes is there before anything is counted.
    part(100)()
    assert calls_of(part(800)) <= 2 * calls_of(part(400))


def test_another_cell_of_the_same_data_takes_no_step_per_query() -> None:
    def steps_again(size: int) -> int:
        score = of_scores(size)
        score()
        return calls_of(score)

    assert steps_again(3000) == steps_again(300)


def test_comparing_and_checking_saved_runs_take_no_step_per_query(
    tmp_path: Path,
) -> None:
    def steps(size: int) -> int:
        mine = make_run(tmp_path / f"mine-{size}", size)
        other = make_run(tmp_path / f"other-{size}", size, shift=3)
        arrays = {}
        for outcome in mine.run.measured.outcomes:
            for name, ranks in (
                mine.store.of_case(outcome.ranks_key or "") or {}
            ).items():
                arrays[f"{outcome.ranks_key}/{name}"] = ranks
        for name, array in (mine.store.of_dataset("d") or {}).items():
            arrays[f"d/{name}"] = array

        def compared() -> None:
            comparison = compare(mine.run, other.run)
            assert isinstance(comparison, Comparison)
            list(comparison.cells())
            assert not list(array_contradictions(mine.run.measured, arrays))

        return calls_of(compared)

    steps(100)
    assert steps(4000) <= 1.2 * steps(400)


def test_the_order_by_hash_is_that_of_single_words() -> None:
    ids = [f"id {number}" for number in range(200)]
    words = [int(host_words(each, 0, "sample", 1)[0]) for each in ids]
    expected = sorted(range(len(ids)), key=lambda number: (words[number], ids[number]))
    assert by_hash(ids, "sample") == expected
