"""pytest's hooks, a few lines each. It loads in every pytest run of its environment, so it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from .catalogue import Catalogues
from .errors import ConfigError
from .fixtures import (
    _robust_case,
    clean_outcome,
    gate,
    occluder,
    occlusion_level,
    occlusion_seed,
    occlusion_timer,
    outcome,
    retrieval_dataset,
    retrieval_model,
    robustness_curve,
)
from .items import absent_models_once, in_model_order, ours, parametrize, uses_ours
from .options import add_options, any_on_command_line
from .session import CATALOGUES, SESSION, Axes, session_of
from .summary import RunCollector, RunRecord, run_scope, write_results

__all__ = [
    "_robust_case",
    "clean_outcome",
    "gate",
    "occluder",
    "occlusion_level",
    "occlusion_seed",
    "occlusion_timer",
    "outcome",
    "retrieval_dataset",
    "retrieval_model",
    "robustness_curve",
]

_WRONG = pytest.StashKey[ConfigError]()


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from . import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[CATALOGUES] = Catalogues()
    config.hook.pytest_robust_register.call_historic(kwargs={"catalogues": config.stash[CATALOGUES]})
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Controller(config), "retrieval_robust_controller")


def pytest_unconfigure(config: pytest.Config) -> None:
    if SESSION in config.stash:
        config.stash[SESSION].close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Check what was typed before anything is collected; a project that types none of our options costs nothing."""
    if not any_on_command_line(session.config):
        return
    try:
        state = session_of(session.config)
        if session.config.pluginmanager.hasplugin("dsession"):
            _ = state.selection  # under xdist a worker's usage error would look like a crash
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not uses_ours(metafunc.fixturenames):
        return
    try:
        parametrize(metafunc, session_of(metafunc.config))
    except ConfigError as error:
        metafunc.config.stash.setdefault(_WRONG, error)  # raised after collection: here it would be exit 2


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    try:
        if _WRONG in config.stash:
            raise config.stash[_WRONG]
        if any(map(ours, items)):
            state = session_of(config)
            items[:] = in_model_order(absent_models_once(items, state), state)
            state.plan(items)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    model = Axes.of(item).model
    if model is not None and session_of(item.config).has_failed_to_load(model):
        pytest.skip(f"{model} could not be loaded: the first of its tests says why")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    finished = report.when == "call" or (report.when == "setup" and not report.passed)
    if finished and ours(item):
        # A plain attribute crosses pytest-xdist, and stays out of JUnit files, which user_properties would not.
        report.robust = session_of(item.config).record(item)  # type: ignore[attr-defined]
    return report


class Controller:
    """The hooks of the one process that sees every report, prints and writes: never an xdist worker."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._collector = RunCollector()
        self._run: RunRecord | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._collector.add(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist: workers put ranks where the controller finds them."""
        node.workerinput["retrieval_robust_store"] = str(session_of(self._config).store_folder)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.config.option.collectonly or not self._is_wanted(session):
            return
        self._run = self._collector.conclude(session_of(self._config), run_scope(session))
        if self._run.failures and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._run = write_results(self._run, session_of(self._config))

    def _is_wanted(self, session: pytest.Session) -> bool:
        usable = session.exitstatus not in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR)
        asked = any_on_command_line(self._config) and not self._collector.saw_any
        return usable and (self._collector.saw_measuring or asked)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._run is not None:
            from .reports.terminal import write_summary

            write_summary(self._run, terminalreporter)
