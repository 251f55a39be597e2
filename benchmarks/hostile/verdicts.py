"""The verdict table: a green gate is a verdict. The runs are those of `traps`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from .children import run_pytest
from .projects import CONFTEST, project
from .trap import Trap
from .traps import TRAPS
from .trials import Ground, Row, Trial, tried

_SLOWEST = 90.0
"""Seconds of one run."""


def rows(ground: Ground) -> Iterator[Trial]:
    traps = [trap for trap in TRAPS if not (ground.quick and trap.plugins)]
    for trap in ground.some(traps, 8):
        yield tried(trap.name, partial(_sprung, trap, ground.place(trap.name)))


def _sprung(trap: Trap, folder: Path) -> str | None:
    files = {**trap.files, "conftest.py": CONFTEST + trap.conftest}
    project(folder, policy=trap.policy, suite=trap.suite, files=files)
    if trap.first:
        run_pytest(folder, trap.first)
    ended = run_pytest(
        folder / trap.folder, trap.options, plugins=trap.plugins, seconds=_SLOWEST
    )
    if "INTERNALERROR" in ended.output or ended.timed_out:
        return f"INTERNALERROR or hung: {ended.end}"
    if trap.expected(ended):
        return None
    ending = trap.expected.__name__.replace("_", " ")
    last_line = ended.last_line or "no line"
    return (
        f"expected {ending}, got status {ended.status} and"
        f" {last_line!r}: {ended.end[-120:]}"
    )


ROWS = (
    Row(
        "verdicts", "the last line and the exit status: a green gate is a verdict", rows
    ),
)
