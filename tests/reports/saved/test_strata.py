"""The strata of a saved run: read as they were written, and judged again by group."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from pytest_retrieval_robust.core.strata import Stratum, StratumGroup, strata_in
from pytest_retrieval_robust.reports.saved.read import (
    SCHEMA_FILE,
    SavedRunError,
    load_run,
)

from ...saved_runs import Made, make_run
from .test_saved_changes import change, change_arrays

SEXES = ["F"] * 40 + ["M"] * 20
VIEWS = ["lateral", "frontal"] * 30


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make_run(tmp_path / "store", 60, strata={"sex": SEXES, "view": VIEWS})


@pytest.fixture
def folder(made: Made, tmp_path: Path) -> Path:
    return made.save(tmp_path / "run")


def test_strata_are_read_as_they_were_written(folder: Path) -> None:
    run = load_run(folder)
    sex, view = strata_in(run.measured.datasets[0])
    groups = (StratumGroup("F", 40, 40), StratumGroup("M", 20, 20))
    assert sex == Stratum("sex", 20, groups)
    assert [group.name for group in view.groups] == ["frontal", "lateral"]
    codes = run.evidence.group_codes("d", "report-to-image")
    assert codes is not None
    assert codes.tolist() == [[0] * 40 + [1] * 20, [1, 0] * 30]


def test_a_run_with_strata_follows_the_schema(folder: Path) -> None:
    data = json.loads((folder / "run.json").read_text())
    jsonschema.validate(data, json.loads(SCHEMA_FILE.read_text()))


def test_a_run_without_strata_is_written_as_before(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "store", 60).save(tmp_path / "run")
    data = json.loads((folder / "run.json").read_text())
    assert "strata" not in data["datasets"][0]
    run = load_run(folder)
    assert strata_in(run.measured.datasets[0]) == ()
    assert run.evidence.group_codes("d", "image-to-report") is None


def larger_group(strata: Any) -> None:
    strata[0]["groups"][0]["images"] += 1


def moved_query(strata: Any) -> None:
    strata[0]["groups"][0]["images"] -= 1
    strata[0]["groups"][1]["images"] += 1


def repeated_stratum(strata: Any) -> None:
    strata[1]["name"] = "sex"


def repeated_group(strata: Any) -> None:
    strata[0]["groups"][1]["name"] = "F"


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (larger_group, "60 images in all groups of the stratum sex of d, got 61"),
        (moved_query, "groups of the stratum sex of d as large as the codes"),
        (repeated_stratum, "each stratum of d once"),
        (repeated_group, "each group of the stratum sex of d once"),
        (lambda strata: strata.pop(), "array of another length"),
        (lambda strata: strata.clear(), "2 arrays that are not of this run"),
    ],
)
def test_changed_strata_are_noticed(
    folder: Path, edit: Callable[[Any], Any], problem: str
) -> None:
    change(folder, lambda data: edit(data["datasets"][0]["strata"]), sealed=True)
    with pytest.raises(SavedRunError, match=problem):
        load_run(folder)


def with_code(code: int) -> Callable[[dict[str, Any]], None]:
    def edit(arrays: dict[str, Any]) -> None:
        arrays["d/image_strata"][0, 0] = code

    return edit


@pytest.mark.parametrize("code", [-1, 1, 2, np.iinfo(np.int64).max])
def test_a_changed_code_is_noticed(folder: Path, code: int) -> None:
    change_arrays(folder, with_code(code))
    with pytest.raises(SavedRunError, match="as large as the codes of its images"):
        load_run(folder)


def test_missing_codes_are_noticed(folder: Path) -> None:
    change_arrays(folder, lambda arrays: arrays.pop("d/report_strata"))
    with pytest.raises(SavedRunError, match="1 of 14 arrays missing"):
        load_run(folder)
