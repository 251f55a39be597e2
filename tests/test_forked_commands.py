"""Commands in forks: their status, what they print and write, and that nothing of ours leaks in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from . import forked_commands

EMPTY = {"PATH": "", "HOME": "/nowhere"}


def test_a_command_has_its_own_arguments_environment_and_folder(tmp_path: Path) -> None:
    code = "import os, sys; print(sys.argv, dict(os.environ), os.getcwd())"
    done = forked_commands.run(["python", "-c", code, "--one"], tmp_path, EMPTY)
    assert done.status == 0
    assert done.printed == f"{['-c', '--one']} {EMPTY} {tmp_path}\n"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("1 / 0", 1),
        ("raise SystemExit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", -9),
    ],
)
def test_how_a_command_ends_is_told(code: str, status: int, tmp_path: Path) -> None:
    done = forked_commands.run(["python", "-c", code], tmp_path)
    assert done.status == status
    assert ("ZeroDivisionError" in done.printed) == (code == "1 / 0")


def test_what_a_command_writes_is_noted_and_what_it_reads_is_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "read").write_text("")
    code = "import os; open('read'); os.mkdir('made'); open('made/file', 'a')"
    done = forked_commands.run(["python", "-c", code], tmp_path)
    assert done.written == {tmp_path / "made", tmp_path / "made" / "file"}


def test_modules_of_another_project_are_not_taken_for_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_mine.py").write_text("print('its own')")
    monkeypatch.setitem(sys.modules, "test_mine", pytest)
    done = forked_commands.run(["python", "-c", "import test_mine"], tmp_path)
    assert done.printed == "its own\n"
