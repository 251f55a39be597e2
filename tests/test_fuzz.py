"""The targets of `benchmarks.fuzz`: their corpora keep the promise without Atheris.

What the fuzzer holds an input against notices what breaks it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.fuzz import tally
from benchmarks.fuzz.target import (
    HONEST,
    BrokenPromiseError,
    Ending,
    Target,
    examine,
)
from benchmarks.fuzz.targets import TARGETS
from benchmarks.hostile.image_files import CANARY
from pytest_retrieval_robust.core.errors import DatasetError


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_of_a_corpus_is_accepted_or_refused(
    name: str, tmp_path: Path
) -> None:
    target = TARGETS[name]
    read = target.prepare(tmp_path)
    endings = {
        file.name: examine(target, read, file.read_bytes()) for file in target.corpus
    }
    for file_name, ending in endings.items():
        if file_name.startswith(HONEST):
            assert ending is Ending.ACCEPTED, file_name
    assert any(file_name.startswith(HONEST) for file_name in endings)


def _accepts(_: bytes) -> None:
    return None


def _refuses(_: bytes) -> None:
    raise DatasetError("Expected a table, got none. Bring one.")


def _says_nothing(_: bytes) -> None:
    raise DatasetError("no")


def _quotes(_: bytes) -> None:
    raise DatasetError(f"Expected a table, got {CANARY}.")


def _carries(_: bytes) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        raise DatasetError("Expected a table, got none.") from error


def _warns(_: bytes) -> None:
    warnings.warn(CANARY, stacklevel=1)


def _logs(_: bytes) -> None:
    logging.getLogger("decoder").warning("cannot read %s", CANARY)


def _starts_a_program(_: bytes) -> None:
    subprocess.run(["/bin/true"], check=True)


def _writes_elsewhere(_: bytes) -> None:
    os.close(os.open("/", os.O_RDONLY))
    # Not beside this file, because a clone may lie in the temporary folder.
    os.open("/elsewhere/file", os.O_WRONLY)


def _target(hides_canary: bool = True) -> Target:
    return Target(
        "demo", "nothing", lambda _: _accepts, hides_canary=lambda _: hides_canary
    )


@pytest.mark.parametrize(
    ("read", "ending"), [(_accepts, Ending.ACCEPTED), (_refuses, Ending.REFUSED)]
)
def test_what_keeps_the_promise_is_counted(
    read: Callable[[bytes], None], ending: Ending
) -> None:
    assert examine(_target(), read, b"") is ending


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (_says_nothing, "no sentence"),
        (_quotes, "quotes a patient"),
        (_carries, "quotes a patient"),
        (_warns, "quotes a patient"),
        (_logs, "quotes a patient"),
        (_starts_a_program, "subprocess.Popen"),
    ],
)
def test_what_breaks_the_promise_is_noticed(
    read: Callable[[bytes], None], said: str
) -> None:
    with pytest.raises(BrokenPromiseError, match=said):
        examine(_target(), read, b"")


def test_a_file_that_is_opened_for_writing_elsewhere_is_noticed() -> None:
    def read(content: bytes) -> None:
        try:
            _writes_elsewhere(content)
        except OSError:
            return

    with pytest.raises(BrokenPromiseError, match="opened for writing"):
        examine(_target(), read, b"")


def test_another_exception_passes() -> None:
    def read(_: bytes) -> None:
        raise IndexError("list index out of range")

    with pytest.raises(IndexError):
        examine(_target(), read, b"")


def test_what_may_be_quoted_breaks_no_promise() -> None:
    assert examine(_target(hides_canary=False), _quotes, b"") is Ending.REFUSED


def test_tallies_of_slices_are_summed(tmp_path: Path) -> None:
    file = tmp_path / "counts.jsonl"
    crash = tally.Crash("IndexError", "crash-1")
    tally.append([tally.Tally("png", 60.0, 30.0, 1, 2, (crash,))], file)
    tally.append([tally.Tally("png", 60.0, 30.0, 10, 20)], file)
    rows = tally.table(tally.read(file), TARGETS).splitlines()
    assert rows[2] == "| png | pictures: PNG | 34 | 22 | 11 | 1 | 2.0 | 1.0 |"
    assert rows[3] == "| | all | 34 | 22 | 11 | 1 | 2.0 | 1.0 |"
