"""Saved runs that were changed by hand or by chance: refused, or judged as before.

None of them may become greener.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

from .children import Ended, in_children, run_pytest
from .mutations import mutated, mutated_json
from .projects import TOY, project
from .saved_damages import DAMAGES
from .saved_edits import Edit, array_edits, edit_arrays, edit_json, json_edits
from .trials import Check, Ground, Row, Trial

_FAILING = """\
[[gate]]
level = 0.2
recall = { 1 = 0.97 }
[[gate]]
level = 0.1
recall = { 1 = 0.97 }
"""
_OPTIONS = (*TOY[:2], "--robust-levels=0.1,0.2", *TOY[3:], "gate")


def rows(ground: Ground) -> Iterator[Trial]:
    home = project(ground.place("failing"), policy=_FAILING)
    ended = run_pytest(
        home, (*_OPTIONS, "--robust-models=toy,toy-second", "--robust-results=R")
    )
    if not ended.last_line.startswith("RELEASE GATE: FAILED"):
        yield Trial("the run that fails honestly", f"{ended.last_line}: {ended.end}")
        return
    checks: list[tuple[str, Check]] = [
        ("unchanged", partial(_judged, home, lambda _: None))
    ]
    changes: list[tuple[str, Edit]] = []
    for name, edit in json_edits().items():
        changes.append((name, partial(edit_json, edit)))
    for name, edit in array_edits().items():
        changes.append((name, partial(edit_arrays, edit)))
    changes += DAMAGES.items()
    for name, change in changes:
        checks.append((name, partial(_judged, home, change)))
    yield from in_children(ground.some(checks, 10), chunk=5)
    count = ground.count(2_400, 30)
    fuzzed = [
        (f"fuzzed {number}", partial(_fuzzed, ground, home, number))
        for number in range(count)
    ]
    yield from in_children(fuzzed, chunk=100)


def _judged(home: Path, change: Edit) -> str | None:
    """Judge a changed copy of the run that fails: it must not pass."""
    folder = home / f"changed-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(home / "R", folder)
    change(folder)
    return _never_greener(_replayed(home, folder))


def _replayed(home: Path, folder: Path) -> Ended:
    """`--robust-replay` within this process, which has imported everything."""
    import pytest

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.chdir(home)
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        arguments = [
            "-p",
            "retrieval_robust",
            "gate",
            f"--robust-replay={folder}",
            "-p",
            "no:cacheprovider",
        ]
        status = int(pytest.main(arguments))
    return Ended(status, printed.getvalue())


def _never_greener(ended: Ended) -> str | None:
    for word in ("INTERNALERROR", "Traceback (most recent call last)"):
        if word in ended.output:
            return f"{word} in the output: {ended.end}"
    if ended.status == 0 or "PASSED" in ended.last_line:
        return f"greener: status {ended.status}, {ended.last_line}"
    if ended.status not in (1, 4):
        return f"status {ended.status}: {ended.end}"
    return None


def _fuzzed(ground: Ground, home: Path, number: int) -> str | None:
    rng = ground.random("saved", number)

    def change(folder: Path) -> None:
        if number % 3 == 0:
            file = folder / "run.json"
            data = mutated_json(json.loads(file.read_text()), rng)
            file.write_text(json.dumps(data))
        else:
            name = "ranks.npz"
            if number % 3 == 1:
                name = "run.json"
            file = folder / name
            file.write_bytes(mutated(file.read_bytes(), rng))

    return _judged(home, change)


ROWS = (
    Row(
        "saved-runs",
        "saved runs that were changed: refused or judged alike, never greener",
        rows,
    ),
)
