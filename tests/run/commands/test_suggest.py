"""The command `suggest`, by its own words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.gate.record import Against, judge_run
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.reports.saved.read import load_run

from ...saved_runs import make_run

QUICK = ("--k", "10", "--per", "pooled")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suggest")
    made = make_run(folder / "store", 150, models=("ours", 'the "other"'))
    return made.save(folder / "patient-0815")


def test_what_it_prints_is_a_policy_that_the_run_meets(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suggest", str(saved), *QUICK]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    file = tmp_path / "robust.toml"
    file.write_text(printed.out, encoding="utf-8")
    policy = read_policy(read_config_file(file))
    record = judge_run(load_run(saved), policy, Against())
    assert record.release.is_green
    assert {rule.model for rule in policy.rules} == {"ours", 'the "other"'}
    # Folders above a run, and its own, may be named after patients.
    assert "0815" not in printed.out


def test_options_choose_what_is_suggested(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gates.toml"
    options = ["--model", "ours", "--directions", "report-to-image", "--risk", "0.1"]
    more = ["--decide", "bound", "--confidence", "0.9", "--out", str(file)]
    assert main(["suggest", str(saved), *QUICK, *options, *more]) == 0
    assert capsys.readouterr().out == ""
    gates = read_config_file(file).gates
    assert {gate["model"] for gate in gates} == {"ours"}
    assert {gate["direction"] for gate in gates} == {"report-to-image"}
    assert {gate["decide"] for gate in gates} == {"bound"}
    assert {gate["confidence"] for gate in gates} == {0.9}
    assert "# Risk 0.1: " in file.read_text()


def test_a_model_at_chance_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = np.random.default_rng(0).permutation(150)
    made = make_run(tmp_path / "store", 150, floor=140, order=order)
    made.save(tmp_path / "run")
    file = tmp_path / "gates.toml"
    assert main(["suggest", str(tmp_path / "run"), "--out", str(file)]) == 1
    printed = capsys.readouterr()
    assert "better than chance" in printed.err
    assert printed.out == ""
    assert not file.exists()


def test_a_limited_run_is_refused_and_marked_where_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_run(tmp_path / "store", 150).measured(limit=150)
    made.save(tmp_path / "run")
    assert main(["suggest", str(tmp_path / "run"), *QUICK]) == 2
    assert "limited to 150 pairs" in capsys.readouterr().err
    assert main(["suggest", str(tmp_path / "run"), *QUICK, "--force"]) == 0
    assert "# NOT A FULL RUN: it is limited to 150 pairs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--risk", "5"], "risk=5.0"),
        (["--model", "our"], "ours"),
        (["--k", "7"], "k=7"),
        (["--dataset", "foo"], "--dataset='foo'"),
    ],
)
def test_what_is_wrong_is_named(
    saved: Path,
    options: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["suggest", str(saved), *options]) == 2
    assert words in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_refused_before_the_run_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suggest", str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
    assert "--out=" in capsys.readouterr().err
