"""Models side by side: what keeps them apart, and what is said of their order."""

from __future__ import annotations

from itertools import count, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_retrieval_robust.core.cases import DIRECTIONS, Direction
from pytest_retrieval_robust.core.errors import ArgumentError
from pytest_retrieval_robust.gate.comparison import Run
from pytest_retrieval_robust.gate.contenders import Criterion
from pytest_retrieval_robust.gate.side_by_side import Entry, SideBySide, side_by_side
from pytest_retrieval_robust.gate.standings import Standings

from ..saved_runs import LEVELS, make_run

QUERIES = 300
_NUMBERS = count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("standings")


def run_of(folder: Path, model: str, shift: int = 0, **choices: object) -> Run:
    made = make_run(
        folder / f"{next(_NUMBERS)}",
        QUERIES,
        shift=shift,
        models=(model,),
        **choices,  # type: ignore[arg-type]
    )
    return made.run


@pytest.fixture(scope="module")
def runs(folder: Path) -> tuple[Run, ...]:
    """Four models that lose more from one to the next; the last two lose alike."""
    shifts = {"a": 0, "b": 4, "c": 200, "d": 201}
    return tuple(run_of(folder, name, shift) for name, shift in shifts.items())


def together(*runs: Run, **choices: object) -> SideBySide:
    entries = [Entry(run, f"run {number}") for number, run in enumerate(runs)]
    return side_by_side(entries, **choices)  # type: ignore[arg-type]


def table(*runs: Run, **choices: object) -> Standings:
    (only,) = together(*runs, **choices).tables
    return only.standings


def test_models_stand_by_the_mean_of_their_recalls(runs: tuple[Run, ...]) -> None:
    standings = table(*runs[::-1])
    assert [row.name for row in standings.rows] == ["a", "b", "c", "d"]
    for row in standings.rows:
        outcomes = row.contender.curves[0].outcomes
        recalls = [outcome.recall(10) for outcome in outcomes]
        assert row.recalls.tolist() == recalls
        assert row.value == pytest.approx(sum(recalls) / len(recalls))
    assert [row.rank for row in standings.rows] == [1, 2, 3, 3]
    assert standings.order_sentence == (
        "The first two are known: a, b. The third is one of 2 models (c, d)."
    )
    assert standings.bars == ((2, 3),)


@pytest.mark.parametrize("criterion", list(Criterion))
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_what_models_are_ranked_by_is_the_mean_of_what_pairs_are_compared_by(
    runs: tuple[Run, ...], criterion: Criterion, direction: Direction
) -> None:
    standings = table(*runs, criterion=criterion, direction=direction, k=1)
    assert standings.pairs is not None
    values = [row.value for row in standings.ranked]
    assert standings.pairs.means.tolist() == pytest.approx(values)
    recalls = standings.rows[0].recalls
    area = sum(
        (high - low) * (recalls[place] + recalls[place + 1]) / 2
        for place, (low, high) in enumerate(pairwise(LEVELS))
    )
    rule = {
        Criterion.MEAN: recalls.mean(),
        Criterion.CLEAN: recalls[0],
        Criterion.HARDEST: recalls[-1],
        Criterion.AUC: area / (LEVELS[-1] - LEVELS[0]),
    }
    assert values[0] == pytest.approx(rule[criterion])


def test_queries_are_paired_by_their_keys(folder: Path, runs: tuple[Run, ...]) -> None:
    shuffled = np.random.default_rng(5).permutation(QUERIES)
    moved = run_of(folder, "b", 4, order=shuffled)
    assert table(runs[0], moved).pairs is not None
    usual = table(runs[0], runs[1]).differences[0].as_json()
    assert table(runs[0], moved).differences[0].as_json() == usual


def test_other_queries_of_the_same_fingerprint_are_left_out(
    folder: Path, runs: tuple[Run, ...]
) -> None:
    other = make_run(folder / "other", QUERIES - 1, models=("e",)).run
    found = together(runs[0], other)
    (apart,) = found.apart
    assert apart.name == "e"
    assert apart.reason.startswith(
        "Expected the 300 queries of a, got 299 of which not all are the same."
    )
    assert found.tables[0].names == ("a",)


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({"levels": (0.0, 0.2)}, "because of levels=0,0.2 and there 0,0.2,0.4."),
        ({"precision": "bf16"}, "because of precision='bf16' and there 'fp32'."),
        ({"seeds": (0, 1)}, "because of seeds=0,1 and there 0."),
        (
            {"occluders": ("patches(fill=mean)",)},
            "because of occluder='patches(fill=mean)' and there 'patches'.",
        ),
        (
            {"facts": {"relevance": "same-study"}},
            "because of relevance rule: relevance='same-study' and there 'same-text'.",
        ),
        (
            {"facts": {"text": "impression", "fingerprint": "e" * 64}},
            "because of text policy: text='impression' and there 'findings'; data (ids,"
            " texts, filters): fingerprint='eeeeeeeeeeeeeee...' and there"
            " 'fffffffffffffff...'.",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_differs_puts_a_model_in_a_table_of_its_own(
    folder: Path, runs: tuple[Run, ...], choices: dict[str, Any], reason: str
) -> None:
    found = together(*runs[:2], run_of(folder, "e", 0, **choices))
    usual, other = found.tables
    assert usual.names == ("a", "b")
    assert usual.why_apart is None
    assert other.names == ("e",)
    assert other.why_apart is not None
    assert other.why_apart.endswith(reason)


def test_the_name_of_a_data_set_keeps_no_models_apart(runs: tuple[Run, ...]) -> None:
    assert len(together(*runs).tables) == 1


def test_equal_names_are_told_apart_by_their_folders(
    folder: Path, runs: tuple[Run, ...]
) -> None:
    again = run_of(folder, "a", 5)
    names = {row.name for row in table(runs[0], runs[1], again).rows}
    assert names == {"a (run 0)", "b", "a (run 2)"}
    entries = [Entry(runs[0], "same"), Entry(again, "same")]
    (both,) = side_by_side(entries).tables
    ids = {run.measured.identity.id for run in (runs[0], again)}
    assert set(both.names) == {f"a (same) {each}" for each in ids}


def test_models_of_one_run_are_chosen_by_globs(folder: Path) -> None:
    made = make_run(folder / "several", 60, models=("x-1", "x-2", "y"))
    (chosen,) = side_by_side([Entry(made.run, "run", models=("x-*",))]).tables
    assert chosen.names == ("x-1", "x-2")
    with pytest.raises(ArgumentError, match="Expected a model with Recall@k"):
        side_by_side([Entry(made.run, "run", models=("z",))])


def test_a_k_that_was_not_measured_is_named(runs: tuple[Run, ...]) -> None:
    found = together(*runs, k=7)
    assert found.tables == ()
    assert found.apart[0].reason == (
        "Expected Recall@7, got k=[1, 10]. Choose another --k, or measure it with"
        " --robust-k."
    )
    assert table(*runs).question.k == 10


@pytest.mark.parametrize(
    ("shifts", "sentence"),
    [
        ((0, 2, 5, 200), "The order of the first 3 is known: m0, m1, m2."),
        ((0, 200, 201, 202), "The first is known: m0. The second is one of 3 models"),
        ((200, 201, 202), "The order of the first 3 is not known: any of 3 models may"),
        ((0, 200), "The order of the first 2 is known: m0, m1."),
    ],
)
def test_a_sentence_says_how_much_of_the_order_is_known(
    folder: Path, shifts: tuple[int, ...], sentence: str
) -> None:
    found = [run_of(folder, f"m{n}", shift) for n, shift in enumerate(shifts)]
    assert table(*found).order_sentence.startswith(sentence)
