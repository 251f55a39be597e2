"""Recall by group in the record: beside loops over the queries, and in a saved run."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm, t

from pytest_retrieval_robust.gate.group_numbers import CellGroups
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.reports.saved.read import SCHEMA_FILE, load_run
from pytest_retrieval_robust.reports.saved_run import save_run
from pytest_retrieval_robust.retrieval.intervals import paired_score_bounds

from ..saved_runs import Made, make_run

QUERIES = 240
VIEWS = ["AP", "PA", "AP", "lateral"] * 60
SEXES = ["F"] * 130 + ["M"] * 103 + ["rare"] * 7


def made(folder: Path, shift: int = 0) -> Made:
    strata = {"view": VIEWS, "sex": SEXES}
    return make_run(folder, QUERIES, shift=shift, strata=strata, ks=(10,))


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("mine"), shift=20)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("theirs"))


@pytest.fixture(scope="module")
def record(mine: Made, theirs: Made) -> RunRecord:
    return judge_run(mine.run, Policy(), Against(theirs.run))


def ranks(made: Made, level: float) -> NDArray[np.int64]:
    [outcome] = [
        each for each in made.run.measured.outcomes if each.case.level == level
    ]
    found = made.run.evidence.ranks(outcome, "image-to-report")
    assert found is not None
    return found


def cell(record: RunRecord, level: float, stratum: str) -> CellGroups:
    [found] = [
        each
        for each in record.groups
        if (each.case.level, each.stratum) == (level, stratum)
        and each.direction == "image-to-report"
    ]
    return found


def test_every_cell_and_direction_has_its_strata_once(record: RunRecord) -> None:
    places = [(each.case.level, each.direction, each.stratum) for each in record.groups]
    # Level 0 is one cell for all, and each of 3 has 2 directions and 2 strata.
    assert len(places) == len(set(places)) == 3 * 2 * 2
    assert {each.k for each in record.groups} == {10}


@pytest.mark.parametrize("level", [0.0, 0.2, 0.4])
def test_recall_and_retention_are_those_of_a_loop(
    mine: Made, record: RunRecord, level: float
) -> None:
    for group in cell(record, level, "view").groups:
        own = [number for number, view in enumerate(VIEWS) if view == group.name]
        now = sum(int(ranks(mine, level)[number]) <= 10 for number in own)
        before = sum(int(ranks(mine, 0.0)[number]) <= 10 for number in own)
        assert (group.queries, group.patients) == (len(own), len(own))
        assert group.recall == pytest.approx(now / len(own))
        if level == 0:
            assert group.retention is None
            continue
        assert group.retention == pytest.approx(now / before)
        assert group.retention_interval is not None
        low, high = group.retention_interval
        assert group.retention is not None
        assert low is not None
        assert high is not None
        assert low < group.retention < high


def test_intervals_share_the_error_among_the_groups(record: RunRecord) -> None:
    """Wilson's with 0.025 / 3 on either side, and Student's deviate."""
    for group in cell(record, 0.2, "view").groups:
        n = group.queries
        tail = 0.025 / 3
        effective = n * (norm.isf(tail) / t.isf(tail, n - 1)) ** 2
        z = norm.isf(tail)
        assert group.recall is not None
        centre = (group.recall + z * z / (2 * effective)) / (1 + z * z / effective)
        square = group.recall * (1 - group.recall) / effective
        square += z * z / (4 * effective**2)
        reach = z / (1 + z * z / effective) * np.sqrt(square)
        assert group.recall_interval == pytest.approx((centre - reach, centre + reach))


def test_differences_are_those_of_the_same_queries(
    mine: Made, theirs: Made, record: RunRecord
) -> None:
    for group in cell(record, 0.4, "view").groups:
        own = [number for number, view in enumerate(VIEWS) if view == group.name]
        pairs = [
            (ranks(mine, 0.4)[number] <= 10, ranks(theirs, 0.4)[number] <= 10)
            for number in own
        ]
        wins = sum(now and not before for now, before in pairs)
        losses = sum(before and not now for now, before in pairs)
        assert group.difference == pytest.approx((wins - losses) / len(own))
        expected = paired_score_bounds(wins, losses, len(own), 0.025 / 3)
        assert group.difference_interval == pytest.approx(expected)


def test_a_group_that_is_too_small_shows_its_size_alone(record: RunRecord) -> None:
    found = cell(record, 0.2, "sex")
    assert [group.name for group in found.groups] == ["F", "M", "rare"]
    rare = found.groups[-1]
    assert (rare.queries, rare.patients) == (7, 7)
    assert rare.recall is rare.retention is rare.difference is None
    assert [group.name for group in found.judged] == ["F", "M"]
    recalls = [group.recall for group in found.judged if group.recall is not None]
    assert found.gap == pytest.approx(max(recalls) - min(recalls))
    assert found.worst is not None
    assert found.worst.recall == min(recalls)


def test_a_run_without_strata_has_none(tmp_path: Path) -> None:
    plain = make_run(tmp_path / "run", 60).run
    assert judge_run(plain, Policy(), Against()).groups == ()


def test_a_saved_run_holds_them_by_its_schema(
    mine: Made, record: RunRecord, tmp_path: Path
) -> None:
    save_run(record, mine.store, tmp_path / "run")
    data = json.loads((tmp_path / "run" / "run.json").read_text())
    jsonschema.validate(data, json.loads(SCHEMA_FILE.read_text()))
    assert len(data["groups"]) == len(record.groups)
    first = data["groups"][0]
    assert first["stratum"] == "view"
    assert first["groups"][0] == {
        "name": "AP",
        "kind": "named",
        "queries": 120,
        "patients": 120,
        "recall": pytest.approx(record.groups[0].groups[0].recall),
        "recall_interval": list(record.groups[0].groups[0].recall_interval or ()),
        "retention": None,
        "retention_interval": None,
        "difference": 0.0,
        "difference_interval": pytest.approx(
            list(record.groups[0].groups[0].difference_interval or ())
        ),
    }
    again = judge_run(load_run(tmp_path / "run"), Policy(), Against())
    assert [each.groups[0].recall for each in again.groups] == [
        each.groups[0].recall for each in record.groups
    ]
