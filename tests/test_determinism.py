"""The table of `benchmarks.determinism`: a few of its lines at once, and its own eyes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.determinism.__main__ import Result, table
from benchmarks.determinism.cells import (
    CELLS,
    TABLE,
    TABLE_OF_README,
    TABLE_OF_THE_GATE,
    Cell,
    Table,
)
from benchmarks.determinism.compared import apart
from benchmarks.determinism.libraries import difference
from benchmarks.determinism.locales import NotToBeHadError, make_locale
from benchmarks.determinism.rows import moved_between
from benchmarks.determinism.runs import ROOT, Change, Ground, RunError, Store, Suite
from benchmarks.hostile import toy
from benchmarks.hostile.projects import CONFTEST, SUITE

# The toy world needs no library of models, so that a process begins in two seconds.
TOY = Suite(
    {"conftest.py": CONFTEST, "test_recall.py": SUITE},
    (
        f"--robust-models={toy.MODEL}",
        f"--robust-datasets={toy.DATASET}",
        "--robust-levels=0.1,0.2",
        "--robust-batch-size=16",
        "--robust-measure-only",
    ),
)
ARRAYS: dict[str, Any] = {
    "c/image_ranks": np.array([1, 2, 3]),
    "c/report_ranks": np.array([4, 5, 6]),
    "d/image_query_key": np.array([-(2**62), 2**62]),
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("runs"), TOY)


@pytest.fixture(scope="module")
def reference(ground: Ground) -> Path:
    return ground.run("reference", Change())


def named(name: str) -> Change:
    return next(cell.change for cell in CELLS if cell.name == name)


def test_everything_otherwise_at_once_gives_the_same_bytes(
    ground: Ground, reference: Path
) -> None:
    everything = named("all")
    # One process, and a locale that every machine has.
    plain = {**everything.environment, "LC_ALL": "C", "PYTHONUTF8": "0"}
    change = replace(
        everything, options=named("reversed").options, environment=plain, locale=""
    )
    found = apart(ground.run("everything", change), reference)
    assert found.has_same_ranks
    assert found.has_same_file
    assert found.other_facts == ()


@pytest.mark.parametrize("store", [Store.EMPTY, Store.KILLED])
def test_a_run_that_saves_nothing_or_is_not_killed_is_an_error(
    ground: Ground, store: Store
) -> None:
    with pytest.raises(RunError, match="exit=1"):
        ground.run(store.value, Change(python=Path("/bin/false"), store=store))


# What it sees


def saved_run(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A folder with ranks and a record, of which `change` changes the arrays."""
    folder.mkdir()
    arrays = dict(ARRAYS)
    change(arrays)
    np.savez(folder / "ranks.npz", **arrays)
    record = {"started": folder.name, "models": ["a"]}
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def nothing(_: dict[str, Any]) -> None:
    pass


def one_rank(arrays: dict[str, Any]) -> None:
    arrays["c/report_ranks"] = np.array([4, 9, 6])


def one_key(arrays: dict[str, Any]) -> None:
    arrays["d/image_query_key"] = np.array([2**62, 2**62])


def another_type(arrays: dict[str, Any]) -> None:
    arrays["c/image_ranks"] = arrays["c/image_ranks"].astype(np.int32)


def one_array_less(arrays: dict[str, Any]) -> None:
    del arrays["c/image_ranks"]


def test_equal_runs_are_the_same(tmp_path: Path) -> None:
    reference = saved_run(tmp_path / "reference", nothing)
    found = apart(saved_run(tmp_path / "other", nothing), reference)
    assert found.has_same_ranks
    assert found.has_same_file
    assert (found.ranks, found.other_facts) == (6, ())


def test_a_rank_that_moved_is_counted_with_its_way(tmp_path: Path) -> None:
    reference = saved_run(tmp_path / "reference", nothing)
    found = apart(saved_run(tmp_path / "other", one_rank), reference)
    assert not found.has_same_ranks
    assert (found.moved, found.farthest, found.has_same_file) == (1, 4, False)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (one_key, "d/image_query_key"),
        (another_type, "c/image_ranks"),
        (one_array_less, "c/image_ranks"),
    ],
)
def test_an_array_that_is_another_one_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], name: str
) -> None:
    reference = saved_run(tmp_path / "reference", nothing)
    found = apart(saved_run(tmp_path / "other", change), reference)
    assert found.other_arrays == (name,)
    assert not found.has_same_ranks


def test_another_fact_of_the_record_is_named_and_a_time_is_not(tmp_path: Path) -> None:
    reference = saved_run(tmp_path / "reference", nothing)
    other = saved_run(tmp_path / "other", nothing)
    (other / "run.json").write_text('{"started": "later", "models": ["b"]}')
    assert apart(other, reference).other_facts == ("models",)


@pytest.mark.parametrize(("verdict", "others"), [("pass", ()), ("fail", ("verdicts",))])
def test_of_a_gate_on_a_cost_the_verdict_alone_must_stay(
    tmp_path: Path, verdict: str, others: tuple[str, ...]
) -> None:
    runs = []
    for name, said in (("reference", "pass"), ("other", verdict)):
        runs.append(saved_run(tmp_path / name, nothing))
        of_cost = {"gate": "relative_cost", "verdict": said, "observed": len(runs)}
        record = {"costs": [len(runs)], "verdicts": [of_cost]}
        (runs[-1] / "run.json").write_text(json.dumps(record))
    assert apart(runs[1], runs[0]).other_facts == others


def test_another_recall_is_no_time(tmp_path: Path) -> None:
    reference = saved_run(tmp_path / "reference", nothing)
    other = saved_run(tmp_path / "other", nothing)
    for folder, observed in ((reference, 0.5), (other, 0.6)):
        of_recall = {"gate": "recall@10", "verdict": "pass", "observed": observed}
        (folder / "run.json").write_text(json.dumps({"verdicts": [of_recall]}))
    assert apart(other, reference).other_facts == ("verdicts",)


def test_a_line_holds_where_ranks_stay_or_may_move(tmp_path: Path) -> None:
    reference = saved_run(tmp_path / "reference", nothing)
    moved = apart(saved_run(tmp_path / "other", one_rank), reference)
    must, may = (Cell("c", "what", Change(), promised) for promised in (True, False))
    results = [Result(must, moved), Result(may, moved), Result(must, None, "not here")]
    assert [result.held for result in results] == [False, True, False]
    assert [line.split(" | ")[1:3] for line in table(results).splitlines()[2:]] == [
        ["yes", "1 moved, by 4 at most"],
        ["no", "1 moved, by 4 at most"],
        ["not here", ""],
    ]


def test_every_cell_has_a_name_of_its_own() -> None:
    names = [cell.name for cell in CELLS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("of", [TABLE, TABLE_OF_README, TABLE_OF_THE_GATE])
def test_a_table_has_a_line_for_each_name_and_for_those_alone_that_are_typed(
    of: Table,
) -> None:
    assert {cell.name for cell in of.cells()} == set(of.names)
    assert [cell.name for cell in of.cells(["killed"])] == ["killed"]


def test_the_gate_is_the_suite_that_is_shipped() -> None:
    shipped = {path.name for path in (ROOT / "suites").glob("*.*")}
    assert set(TABLE_OF_THE_GATE.suite.files) == shipped


def test_a_bit_of_a_row_is_seen() -> None:
    rows = np.array([0.5, -0.25, 1.0, 0.0], np.float32)
    others = rows.copy()
    others[1] = np.nextafter(others[1], np.float32(0))
    moved = moved_between(others, rows)
    assert moved.share == 0.25
    assert 0 < moved.largest < 2e-8
    assert moved_between(rows, rows).share == 0


def test_versions_that_differ_are_named() -> None:
    ours = {"Python": "3.14.0", "numpy": "2.4.6", "pillow": "13.0.0"}
    theirs = {"Python": "3.11.7", "numpy": "2.4.6", "pillow": "12.3.0"}
    assert difference(ours, theirs) == "Python 3.14.0 (3.11.7), pillow 13.0.0 (12.3.0)"
    assert difference(ours, ours).endswith("the same libraries")


def test_a_locale_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotToBeHadError, match=r"the locale xx_XX\.UTF-8"):
        make_locale("xx_XX.UTF-8", tmp_path / "locales")
