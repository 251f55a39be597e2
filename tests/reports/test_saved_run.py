"""run.json and ranks.npz: what is promised is in them, and what must not be is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.reports.saved.read import SCHEMA_FILE
from pytest_retrieval_robust.reports.saved_run import run_as_json

from ..conftest import Run
from .records import record


@pytest.fixture
def saved(run_suite: Run, pytester: pytest.Pytester) -> Path:
    assert (
        run_suite("--robust-results=out", "--robust-models=tiny-cxr-clip,medclip-*").ret
        == 0
    )
    return pytester.path / "out"


def read(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(
        (folder / "run.json").read_text(), parse_constant=lambda name: pytest.fail(name)
    )
    return data


def test_run_json_follows_its_schema_and_holds_no_nan(saved: Path) -> None:
    jsonschema.validate(read(saved), json.loads(SCHEMA_FILE.read_text()))


def test_both_models_are_there_with_their_status(saved: Path) -> None:
    status = {
        model["name"]: (model["status"], bool(model["reason"]))
        for model in read(saved)["models"]
    }
    assert status == {
        "tiny-cxr-clip": ("tested", False),
        "medclip-vit": ("not tested", True),
    }


def test_the_ranks_give_the_recall_again(saved: Path) -> None:
    outcomes = read(saved)["outcomes"]
    assert len(outcomes) == 2
    with np.load(saved / "ranks.npz", allow_pickle=False) as arrays:
        for outcome in outcomes:
            for name, direction in (
                ("image_ranks", "image-to-report"),
                ("report_ranks", "report-to-image"),
            ):
                ranks = arrays[f"{outcome['ranks_key']}/{name}"]
                recall = {str(k): float((ranks <= k).mean()) for k in (1, 5, 10)}
                assert recall == pytest.approx(outcome[direction]["recall"])


def test_query_keys_are_unique_and_clusters_are_plain_numbers(saved: Path) -> None:
    with np.load(saved / "ranks.npz", allow_pickle=False) as arrays:
        assert len(set(arrays["synthetic-cxr/image_query_key"].tolist())) == 24
        assert len(set(arrays["synthetic-cxr/report_query_key"].tolist())) == 24
        assert arrays["synthetic-cxr/cluster"].tolist() == list(range(24))


def test_nothing_of_a_patient_is_written(saved: Path) -> None:
    dataset = load_dataset("synthetic-cxr")
    written = (saved / "run.json").read_text() + (
        saved / "ranks.npz"
    ).read_bytes().decode("latin-1")
    for index in range(24):
        assert dataset.reports[index][:40] not in written
        assert dataset.image_ids[index] not in written
        assert dataset.patients[index] not in written


def test_a_limited_run_is_recorded_as_such(saved: Path) -> None:
    assert read(saved)["run"]["limit"] == 24


def test_a_folder_that_goes_while_the_run_measures_fails_and_still_summarises(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest("""
        import pathlib, pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(session):
            pathlib.Path("out").write_text("a file")
    """)
    result = run_suite("--robust-results=out")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "tiny-cxr-clip *",
            "*Expected to write the results*",
            "RELEASE GATE: FAILED because*",
        ]
    )


@pytest.mark.parametrize(
    ("hardware", "expected"),
    [
        (("", ""), None),
        (("Emulated A", "Emulated A"), "Emulated A"),
        (("Emulated B", "Emulated A"), "Emulated A, Emulated B"),
    ],
)
def test_the_gpu_is_the_one_that_measured_and_not_one_that_the_controller_sees(
    hardware: tuple[str, str],
    expected: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "of the controller")
    run = record(tmp_path)
    outcomes = [
        replace(outcome, timing=replace(outcome.timing, hardware=name))
        for outcome, name in zip(run.outcomes[:2], hardware, strict=True)
    ]
    identity = replace(run.identity, host=None)
    saved = run_as_json(replace(run, identity=identity, outcomes=tuple(outcomes)))
    jsonschema.validate(saved, json.loads(SCHEMA_FILE.read_text()))
    assert saved["run"]["host"]["gpu"] == expected
    names = [outcome["timing"].get("hardware", "") for outcome in saved["outcomes"]]
    assert names == list(hardware)
