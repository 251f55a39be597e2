"""A saved run in a script: its curves, how it ended, and what is said of a wrong folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust import Curves, RobustError, SavedRun, load_run
from pytest_retrieval_robust.core.errors import ArgumentError
from pytest_retrieval_robust.gate.measurements import Scope

from ..saved_runs import make_run, with_search

MODELS = ("ours", "theirs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make_run(
        tmp_path / "store", 20, models=MODELS, occluders=("patches", "side")
    )
    searched = with_search(made, "ours", images=5)
    return searched.save(tmp_path / "results")


def test_a_run_has_the_curves_that_were_measured(folder: Path) -> None:
    run = load_run(folder)
    assert isinstance(run, SavedRun)
    assert isinstance(run, Curves)
    assert (run.models, run.occluders) == (MODELS, ("patches", "side"))
    curve = run["ours", "side"]
    assert curve.levels == (0.0, 0.2, 0.4)
    assert run.to_dict()["recall"][:3] == list(run[0].recall(1).values())
    assert [search.model for search in run.breaking] == ["ours"]
    assert run["ours"].started == run.started
    assert load_run(str(folder / "run.json")).to_dict() == run.to_dict()


def test_a_run_says_how_it_ended(folder: Path, tmp_path: Path) -> None:
    run = load_run(folder)
    assert run.status == "not judged"
    assert repr(run).endswith("gate: not judged>")
    partial = make_run(tmp_path / "other", 20)
    partial = partial.measured(scope=Scope("-k", "pytest"), limit=20)
    shown = str(load_run(partial.save(tmp_path / "partial")))
    assert "Partial run: -k." in shown
    assert "Smoke run: the first 20 pairs." in shown


def test_a_run_is_read_without_torch(folder: Path) -> None:
    code = (
        "import sys; from pytest_retrieval_robust import load_run;"
        " run = load_run(sys.argv[1]); run.to_dict(), run._repr_html_();"
        " print([m for m in ('torch', 'matplotlib', 'pandas') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


@pytest.mark.parametrize(
    ("wrong", "got"),
    [(None, "an object of type NoneType"), ("", "an empty text"), (b"", "an object")],
)
def test_what_is_no_path_is_refused(wrong: Any, got: str) -> None:
    with pytest.raises(ArgumentError, match=f"as a path, got {got}"):
        load_run(wrong)


def test_a_folder_without_a_run_says_what_to_give(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RobustError, match="that --robust-results wrote"):
            load_run(folder)
