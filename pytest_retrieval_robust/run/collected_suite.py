"""A suite as pytest collects it, for what measures outside of its tests.

pytest reads options, ini files, conftests and test modules as in a run, and stops before
the first test. What a run would measure, and with which settings, is known then.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from ..core.cases import Cell
from ..core.errors import RobustError

if TYPE_CHECKING:
    from .session import RobustSession


_OUTPUTS = {
    "log_file": os.devnull,
    "xmlpath": None,
    "htmlpath": None,
    "report_log": None,
    "no_cov": True,
}
"""Options by which pytest, pytest-html, pytest-reportlog and pytest-cov write files, and
what turns each off.
"""


class CollectionError(RobustError):
    """pytest could not collect a suite.

    Attributes:
        status: pytest's exit status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, repr=False)
class PlannedSweep:
    """What a suite would have measured of one model on one data set."""

    model: str
    dataset: str
    cells: tuple[Cell, ...]
    """Every cell above level 0, which a sweep measures anyway."""


@dataclass(frozen=True, repr=False)
class CollectedSuite:
    """A suite that was collected, and of which no test runs."""

    session: RobustSession
    """Loads models and data sets as in a run."""

    @property
    def sweeps(self) -> tuple[PlannedSweep, ...]:
        """What the suite's tests need, in the order of its tests."""
        planned = self.session.planned
        return tuple(
            PlannedSweep(model, dataset, tuple(planned.hidden_cells(model, dataset)))
            for model, dataset in planned.pairs
        )


def collect_suite(arguments: Sequence[str]) -> CollectedSuite:
    """Collect the suite that `pytest` with these arguments would run.

    Raises `CollectionError`, which says what pytest said, where a test module or an option
    is wrong.
    """
    from .session import session_of

    collecting = _Collecting()
    said = io.StringIO()
    complaint = io.StringIO()
    plugin = ["-p", "retrieval_robust"]
    with redirect_stdout(said), redirect_stderr(complaint):
        status = int(pytest.main([*plugin, *arguments], plugins=[collecting]))
    is_collected = status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    if not is_collected or collecting.config is None:
        # A wrong option is a sentence among the errors. A test module that cannot be
        # imported is a traceback in the output.
        words = complaint.getvalue().strip() or said.getvalue().strip()
        raise CollectionError(
            f"Expected a suite that pytest can collect, got exit status {status}. pytest"
            f" said:\n{words}",
            status,
        )
    return CollectedSuite(session_of(collecting.config))


class _Collecting:
    """Ends pytest once a suite is collected, and keeps its configuration."""

    def __init__(self) -> None:
        self.config: pytest.Config | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        # Nothing is judged, and no test report is written.
        config.option.collectonly = True
        # Files that a run writes beside its tests are those of the run.
        for name, nothing in _OUTPUTS.items():
            if hasattr(config.option, name):
                setattr(config.option, name, nothing)
        # Workers would collect, and this process would not.
        if config.pluginmanager.hasplugin("xdist"):
            config.option.numprocesses = None
            config.option.dist = "no"
            config.option.tx = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.config = session.config
