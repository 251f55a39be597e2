"""The schema of `run.json` is that of the types, and runs of version 0.1 follow it."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_retrieval_robust.core.cases import DIRECTIONS
from pytest_retrieval_robust.core.codec import from_plain, to_plain
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, judge_run
from pytest_retrieval_robust.reports.saved.document import RunDocument
from pytest_retrieval_robust.reports.saved.read import (
    SCHEMA_FILE,
    SavedRunError,
    load_run,
)
from pytest_retrieval_robust.reports.saved.schema import run_schema, schema_text
from pytest_retrieval_robust.reports.saved_run import run_as_json

Data = dict[str, Any]
OLD = Path(__file__).parent / "run_of_version_0_1"
"""Written before the types made the schema."""
PAGE = Path(__file__).parents[3] / "docs" / "reports.md"


@pytest.fixture
def old() -> Data:
    data: Data = json.loads((OLD / "run.json").read_text())
    return data


@pytest.fixture
def changed(tmp_path: Path, old: Data) -> Callable[[], Path]:
    """Saves the old run as it was changed, without the digest that would notice it."""

    def save() -> Path:
        folder = tmp_path / "run"
        shutil.copytree(OLD, folder)
        old["run"].pop("content_sha256", None)
        (folder / "run.json").write_text(json.dumps(old))
        return folder

    return save


def test_the_shipped_schema_is_that_of_the_types() -> None:
    assert SCHEMA_FILE.read_text() == schema_text()


def test_the_schema_is_one(old: Data) -> None:
    jsonschema.Draft202012Validator.check_schema(run_schema())
    jsonschema.validate(old, run_schema())


def test_no_object_of_the_schema_allows_unknown_fields() -> None:
    schema = run_schema()
    forms = [schema, *schema["$defs"].values()]
    described = [form for form in forms if "properties" in form]
    assert {form["additionalProperties"] for form in described} == {False}


def test_an_old_run_is_written_again_with_every_number_it_has(old: Data) -> None:
    record = judge_run(load_run(OLD), Policy(), Against())
    written = run_as_json(record, old["run"]["ranks_sha256"])
    # It follows from the ranks, which an old run has.
    assert len(written.pop("changed")) > 0
    for data in (written, old):
        del data["run"]["content_sha256"]
    # Those of curves are resampled from the ranks, by what this version knows of few and
    # unequal patients: no narrower than they were.
    for curve, as_saved in zip(written["curves"], old["curves"], strict=True):
        for name in ("auc", "half_level", "slope", "retention"):
            now = list(_ends(curve.pop(f"{name}_interval")))
            before = list(_ends(as_saved.pop(f"{name}_interval")))
            for (low, high), (earlier_low, earlier_high) in zip(
                now, before, strict=True
            ):
                assert low <= earlier_low
                assert high >= earlier_high
    assert written == old


def _ends(intervals: Data) -> Iterator[tuple[float, float]]:
    """Those of every interval by k, or by k and level."""
    for by_k in intervals.values():
        if isinstance(by_k, dict):
            yield from _ends(by_k)
        else:
            low, high = by_k
            yield low, math.inf if high is None else high


def test_a_document_comes_back_from_plain_data(old: Data) -> None:
    plain = to_plain(from_plain(RunDocument, old))
    # What a run does not have is not in the file.
    for outcome in plain["outcomes"]:
        assert outcome["timing"].pop("encoded_on") == {}
        assert outcome.pop("altered") is None
        for direction in DIRECTIONS:
            assert outcome[direction].pop("metrics") == {}
    assert not plain["run"]["plan"].pop("severities")
    assert plain.pop("counterfactuals") == []
    assert plain.pop("drift") == []
    assert json.loads(json.dumps(plain)) == old


def test_the_page_names_what_the_first_runs_lack(old: Data) -> None:
    schema = run_schema()
    scores = schema["$defs"]["Scores"]["properties"]
    new = {*schema["properties"]} - {*old}
    new |= {*scores} - {*old["outcomes"][0][DIRECTIONS[0]]} - {"metrics"}
    assert {"answers", "changed"} <= new
    section = PAGE.read_text().split("## `.json`")[1].split("\n## ")[0]
    assert {name for name in new if f"`{name}`" not in section} == set()


def test_what_the_first_runs_lack_may_be_missing(
    old: Data, changed: Callable[[], Path]
) -> None:
    del old["run"]["status"]
    for outcome in old["outcomes"]:
        del outcome["timing"]["from_store"]
    measured = load_run(changed()).measured
    assert {outcome.timing.from_store for outcome in measured.outcomes} == {0}


@pytest.mark.parametrize("part", ["run", "outcomes", "costs", "models", "curves"])
def test_an_unknown_field_is_refused(
    old: Data, changed: Callable[[], Path], part: str
) -> None:
    form = old[part] if part == "run" else old[part][0]
    form["unknown"] = 1
    with pytest.raises(SavedRunError, match=rf"{part}.*must not contain.*unknown"):
        load_run(changed())


def test_a_whole_number_with_a_point_is_refused_by_its_place(
    old: Data, changed: Callable[[], Path]
) -> None:
    """JSON Schema calls 0.0 an integer. No run has written one so."""
    old["outcomes"][1]["case"]["seed"] = 0.0
    with pytest.raises(SavedRunError, match=r"breaks its schema.*outcomes\[1\]"):
        load_run(changed())


def test_a_level_is_read_to_six_decimals(
    old: Data, changed: Callable[[], Path]
) -> None:
    old["outcomes"][1]["case"]["level"] = 0.1 + 0.1 + 1e-9
    measured = load_run(changed()).measured
    assert measured.outcomes[1].case.level == 0.2
