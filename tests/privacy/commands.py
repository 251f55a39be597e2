"""The columns of the table: every command, flag and failure whose outputs are searched.

To add a command, add a line to `runs.py` or `tools.py`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from .failures import FAILURES
from .running import PRINTED
from .users_code import FAILING

Shown = frozenset[tuple[str, str]]
"""(place, output)"""
NOTHING: Shown = frozenset()
_SETTINGS = (
    "--robust-models=toy",
    "--robust-datasets=clinic",
    "--robust-levels=0.2",
    "--robust-k=1,2",
    "--robust-device=cpu",
)
_REPORTS = (
    "--robust-results={project}/results",
    "--robust-report={project}/report.html",
    "--robust-report={project}/report.md",
    "--robust-report={project}/report.json",
    "--junitxml={project}/junit.xml",
    "-ojunit_logging=all",
    "--html={project}/pytest.html",
    "--self-contained-html",
)
_LOUD = (
    "-vv",
    "--showlocals",
    "--tb=long",
    "-rA",
    "--durations=0",
    "-olog_cli=true",
    "-olog_cli_level=DEBUG",
)
_ABBREVIATED = {
    "SETTINGS": _SETTINGS,
    "REPORTS": _REPORTS,
    # Everything that pytest can be made to show.
    "LOUD": _LOUD,
    "RUN": ("gate", *_SETTINGS, *_REPORTS),
}
_GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_STEP_SUMMARY": "{project}/step.md",
    "GITHUB_WORKSPACE": "{project}",
}
_OF_A_RUN = (
    PRINTED,
    "results/run.json",
    "report.html",
    "report.md",
    "report.json",
    "step.md",
)
_OF_FAILED_TESTS = ("junit.xml", "pytest.html")


@dataclass(frozen=True)
class Command:
    """One command in one world.

    Attributes:
        typed: `pytest ...` or a command of `retrieval-robust`. Words in capitals stand
            for many, and `{project}` for the project's whole path.
        says: A part of what it prints: no output counts of a command that never came to
            what it is about.
        status: Its exit status.
        failure: What is wrong with the project, of `failures.FAILURES`.
        failing: What of the user's own code fails, of `users_code`.
        shows: The canaries that the user asks to be shown, and where. Each must be there.
        variables: Of the environment.
    """

    typed: str
    says: str
    status: int = 0
    failure: str | None = None
    failing: str | None = None
    shows: Shown = NOTHING
    variables: Mapping[str, str] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        assert self.failure is None or self.failure in FAILURES

    def __str__(self) -> str:
        wrong = self.failure or (self.failing and f"own code fails, {self.failing}")
        return f"{self.typed} ({wrong})" if wrong else self.typed

    @property
    def words(self) -> list[str]:
        words: list[str] = []
        for word in shlex.split(self.typed):
            words += _ABBREVIATED.get(word, (word,))
        return words

    @property
    def environment(self) -> dict[str, str]:
        failing = {} if self.failing is None else {FAILING: self.failing}
        return {**_GITHUB, **failing, **(self.variables or {})}


def shown(places: str, *outputs: str) -> Shown:
    """`places`, separated by commas, in each of the outputs."""
    return frozenset(
        (place, output) for place in places.split(", ") for output in outputs
    )


def in_all_of_a_run(places: str) -> Shown:
    """Of what a test fails with: in all that a run prints and writes of it."""
    return shown(places, *_OF_A_RUN, *_OF_FAILED_TESTS)
