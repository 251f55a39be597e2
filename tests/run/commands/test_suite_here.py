"""Which suite a command is about that was told of none: that of the folder, or the one below."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.run.commands._inspected import suite_here

OURS = '[models.ours]\nloader = "transformers"\ncheckpoint = "nowhere"\n'
DATA = '[datasets.data]\nloader = "table"\npath = "nowhere.csv"\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The search above ends at a project's topmost folder.
    (tmp_path / "pytest.ini").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add_suite(folder: Path, policy: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "robust.toml").write_text(policy)


def test_the_only_suite_below_counts_whatever_it_names(project: Path) -> None:
    add_suite(project / "gate", "")
    assert suite_here("of-a-conftest") == ["gate"]


def test_of_several_the_one_that_names_the_model_or_the_data_counts(
    project: Path,
) -> None:
    add_suite(project / "a", OURS)
    add_suite(project / "b", DATA)
    add_suite(project / "c", "of another tool")
    assert suite_here("ours") == ["a"]
    assert suite_here("tiny-cxr-clip", "data(split=test)") == ["b"]


def test_none_is_guessed_where_several_or_no_suites_would_do(project: Path) -> None:
    assert suite_here("ours") == []
    add_suite(project / "a", OURS)
    add_suite(project / "b", OURS)
    assert suite_here("ours") == []


@pytest.mark.parametrize("name", ["ours(", "ours)", "local-dir:epoch=3", ""])
def test_a_name_that_is_written_wrongly_is_left_to_the_command(
    project: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add_suite(project / "a", OURS)
    add_suite(project / "b", OURS)
    assert main(["fingerprint", name, "--out", "marks.json"]) == 2
    assert "Error: " in capsys.readouterr().err


def test_a_suite_here_comes_before_those_below(project: Path) -> None:
    add_suite(project, "")
    add_suite(project / "gate", OURS)
    assert suite_here("ours") == []


CONFTEST = """\
from pytest_retrieval_robust import ModelEntry


def load(request):
    raise ZeroDivisionError


def pytest_robust_register(catalogues):
    catalogues.models.add(ModelEntry("of-a-conftest", "a model", load))
"""
COMMANDS = [
    ["rank", "of-a-conftest", "synthetic-cxr(pairs=20)", "--level", "0.1"],
    ["fingerprint", "of-a-conftest", "--out", "marks.json"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_model_of_the_conftest_below_is_known(
    project: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    add_suite(project / "gate", "")
    (project / "gate" / "conftest.py").write_text(CONFTEST)
    assert main(command) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_model_that_no_suite_knows_is_refused_with_advice(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 2
    assert "is known with --tests PATH." in capsys.readouterr().err
