"""Commands in a folder that somebody has deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_retrieval_robust.__main__ import main


@pytest.mark.parametrize("command", ["init gate", "plan-run", "inspect synthetic-cxr"])
def test_a_deleted_current_folder_is_one_sentence(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    here.rmdir()
    assert main(command.split()) == 2
    assert capsys.readouterr().err == (
        "Expected a current folder, got one that was deleted or may not be read. Change"
        " to another one (cd DIR), and try again.\n"
    )
