"""Commands whose reader goes before they have printed all: `... | head -3`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.run.commands import table
from pytest_retrieval_robust.run.commands._closed_pipe import CLOSED_PIPE, ended_quietly

from ...saved_runs import make_run


def ended_without_reader(*words: str, buffered: bool) -> tuple[int, str]:
    """The exit status and what was complained of."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    command = [sys.executable, "-m", "pytest_retrieval_robust", *words]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        return process.wait(), process.stderr.read()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end in another way there")
@pytest.mark.parametrize("buffered", [True, False])
def test_a_command_ends_quietly_on_a_closed_pipe(
    tmp_path: Path, buffered: bool
) -> None:
    (tmp_path / "suite").mkdir()
    words = ["store", "size", "--cache-dir", str(tmp_path)]
    if buffered:
        # Within pytest, which ends in its own way.
        words = ["inspect", "synthetic-cxr(pairs=4)", "--tests", f"{tmp_path}/suite"]
    ended = ended_without_reader(*words, buffered=buffered)
    assert ended == (CLOSED_PIPE, "")


def test_another_pipe_that_breaks_is_an_error() -> None:
    def serve() -> int:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        ended_quietly(serve)


def test_a_closed_pipe_is_not_taken_for_a_bad_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path / "store", queries=20).save(tmp_path / "run")

    def broken(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(table, "print_or_write", broken)
    with pytest.raises(BrokenPipeError):
        main(["table", str(folder)])
    assert "--out" not in capsys.readouterr().err
