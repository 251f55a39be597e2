"""pytest's hooks, a few lines each. It loads in every pytest run of its environment, so it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from .axes import our_fixtures, ours
from .errors import ConfigError, RobustError
from .fixtures import (
    _robust_case,
    asks_for_benchmarks,
    breaking,
    clean_outcome,
    gate,
    has_active_benchmark,
    occluder,
    occlusion_level,
    occlusion_seed,
    occlusion_timer,
    outcome,
    retrieval_dataset,
    retrieval_model,
    robustness_curve,
    robustness_curves,
    without_our_cells,
)
from .options import add_options, any_on_command_line, is_replay

if TYPE_CHECKING:
    from .judgement import RunRecord
    from .placement import Placement
    from .reports.progress import ProgressShow
    from .session import RobustSession
    from .summary import RunCollector

__all__ = [
    "_robust_case",
    "breaking",
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
    "robustness_curves",
]

_WRONG = pytest.StashKey[ConfigError]()


def _session_of(config: pytest.Config) -> RobustSession:
    from .session import session_of

    return session_of(config)


def _placement_of(config: pytest.Config) -> Placement:
    from .placement import Placement
    from .store import run_folder

    return Placement(run_folder(config))


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from . import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    if not _is_worker(config):
        config.pluginmanager.register(Controller(config), "retrieval_robust_controller")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Judging a saved run again takes a second: workers would only wait."""
    if is_replay(config) and config.pluginmanager.hasplugin("xdist"):
        config.option.numprocesses, config.option.dist, config.option.tx = None, "no", []


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> bool | None:
    """Check what was typed before anything is collected; a project that types none of our options costs nothing.

    With `--robust-replay` nothing is collected: no test module, and so no torch, is imported.
    """
    if not any_on_command_line(session.config):
        return None
    try:
        state = _session_of(session.config)
        if session.config.pluginmanager.hasplugin("dsession"):
            _ = state.selection  # under xdist a worker's usage error would look like a crash
        return state.replayed_run() is not None or None
    except RobustError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not our_fixtures(metafunc.definition):
        return
    from .items import parametrize

    try:
        parametrize(metafunc, _session_of(metafunc.config))
    except ConfigError as error:
        metafunc.config.stash.setdefault(_WRONG, error)  # raised after collection: here it would be exit 2


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _WRONG not in config.stash and not any(map(ours, items)):
        return
    from .items import arrange, models_by_test

    try:
        if _WRONG in config.stash:
            raise config.stash[_WRONG]
        arrange(items, _session_of(config))
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from error
    if _is_worker(config):
        from .reports.progress import WorkerProgress
        from .store import run_folder

        _placement_of(config).tell_models(models_by_test(items))
        worker: str = config.workerinput["workerid"]  # type: ignore[attr-defined]  # pytest-xdist's
        _session_of(config).tell = WorkerProgress(run_folder(config), worker).tell


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A model's tests to one worker, where nothing else was asked for than to spread tests over workers."""
    if config.getoption("dist") != "load":
        return None
    from .scheduling import ModelScheduling

    return ModelScheduling(config, log, _placement_of(config))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if ours(item):
        from .items import skip_if_model_failed

        placement = _placement_of(item.config) if _is_worker(item.config) else None
        skip_if_model_failed(item, _session_of(item.config), placement)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    finished = report.when == "call" or (report.when == "setup" and not report.passed)
    if finished and ours(item):
        # A plain attribute crosses pytest-xdist, and stays out of JUnit files, which user_properties would not.
        error = call.excinfo.value if report.failed and call.excinfo is not None else None
        report.robust = _session_of(item.config).record(item, error)  # type: ignore[attr-defined]
    return report


class Controller:
    """The hooks of the one process that sees every report, prints and writes: never an xdist worker."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._collector: RunCollector | None = None
        self._run: RunRecord | None = None
        self._progress: ProgressShow | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Sweeps of this process are shown as they go on."""
        if any(map(ours, session.items)):
            from .reports.progress import ProgressShow

            self._progress = ProgressShow.of(self._config)
            if self._progress is not None:
                _session_of(self._config).tell = self._progress.tell

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._progress is not None:
            self._progress.erase()  # before pytest writes
        if hasattr(report, "robust"):
            self._collected().add(report)

    def _collected(self) -> RunCollector:
        if self._collector is None:
            from .summary import RunCollector

            self._collector = RunCollector()
        return self._collector

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist: workers put ranks where the controller finds them."""
        from .samples import expect_sheets
        from .store import run_folder, shared_folder

        expect_sheets(run_folder(self._config))
        node.workerinput["retrieval_robust_store"] = shared_folder(self._config)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """xdist: where tests of ours were collected, what workers tell of their sweeps is shown."""
        if self._progress is None and _placement_of(self._config).models():
            from .reports.progress import ProgressShow
            from .store import run_folder

            self._progress = ProgressShow.of(self._config)
            if self._progress is not None:
                self._progress.follow(run_folder(self._config))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """xdist: a worker that is gone measures nothing any more."""
        if self._progress is not None:
            from .reports.progress import forget_worker
            from .store import run_folder

            forget_worker(run_folder(self._config), node.gateway.id)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str) -> None:
        """xdist: what it reports of a test in which a worker died carries nothing of ours.

        Schedulers that the user chose may try that test again, and again.
        """
        placement = _placement_of(self._config)
        model = placement.models().get(crashitem)
        if model is not None:
            placement.tell_crash(crashitem)
            self._collected().add_crash(crashitem, model)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """pytest-benchmark knows a benchmark by its fixture's name (`--benchmark-only`, `--benchmark-skip`)."""
        if has_active_benchmark(config):
            for item in items:
                names: list[str] = getattr(item, "fixturenames", [])
                if "occlusion_timer" in our_fixtures(item) and "benchmark" not in names:
                    names.append("benchmark")

    @pytest.hookimpl(optionalhook=True, wrapper=True)
    def pytest_benchmark_group_stats(self, config: pytest.Config) -> Generator[None, Any, Any]:
        """pytest-benchmark: a table of each model is printed only where one of its options was given."""
        groups = yield
        return groups if asks_for_benchmarks(config) else without_our_cells(groups)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """The outermost wrapper: where another plugin's end of a session fails, the results are written already."""
        if self._progress is not None:
            self._progress.close()
        if not session.config.option.collectonly and self._is_wanted(session):
            self._conclude(session)
        return (yield)

    def _conclude(self, session: pytest.Session) -> None:
        from .summary import judged_again, run_scope, with_samples, write_reports, write_results

        state = _session_of(session.config)
        if state.settings.replay is not None:
            run = judged_again(state)
        else:
            run = self._collected().conclude(state, run_scope(session))
        run, samples = with_samples(run, state)
        self._run = write_reports(write_results(run, state), state, samples)
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            if self._run.failures:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
            elif self._run.replayed:
                session.exitstatus = pytest.ExitCode.OK

    def _is_wanted(self, session: pytest.Session) -> bool:
        if session.exitstatus in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
            return False
        if self._collector is None:
            return any_on_command_line(self._config)
        return self._collector.saw_measuring

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._run is not None and not self._config.option.no_summary:
            from .reports.terminal import write_summary

            write_summary(self._run, terminalreporter)
        if self._run is not None:
            from .summary import annotations_of

            for line in annotations_of(self._run, _session_of(self._config)):
                terminalreporter.write_line(line)
