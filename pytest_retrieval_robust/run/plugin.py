"""pytest's hooks, a few lines each.

It loads in every pytest run of its environment, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..core.errors import ConfigError, RobustError
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
from .options import add_options, any_on_command_line, has_gates_beside, is_replay
from .our_tests import our_fixtures, ours
from .roster import Ended, only_looks, roster_of

if TYPE_CHECKING:
    from ..core.sample_sheets import SampleSheet
    from ..gate.record import RunRecord
    from .collector import RunCollector
    from .progress_line import ProgressShow
    from .roster import Roster
    from .session import RobustSession
    from .xdist.placement import Placement

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

_CONTROLLER = "retrieval_robust_controller"
_WRONG = pytest.StashKey[ConfigError]()


def _session_of(config: pytest.Config) -> RobustSession:
    from .session import session_of

    return session_of(config)


def _placement_of(config: pytest.Config) -> Placement:
    from .xdist.folder import run_folder
    from .xdist.placement import Placement

    return Placement(run_folder(config))


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from ..run import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    if not _is_worker(config):
        controller = Controller(config)
        config.pluginmanager.register(controller, _CONTROLLER)
        config.add_cleanup(controller.keep_exit_status)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(
    config: pytest.Config,
) -> Generator[None, int | pytest.ExitCode | None, int | pytest.ExitCode | None]:
    """Judging a saved run again takes a second: workers would only wait. Nobody may
    change the exit status at last.
    """
    if is_replay(config) and config.pluginmanager.hasplugin("xdist"):
        config.option.numprocesses, config.option.dist, config.option.tx = (
            None,
            "no",
            [],
        )
    status = yield
    controller: Controller | None = config.pluginmanager.get_plugin(_CONTROLLER)
    return status if controller is None else controller.exit_status(status)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> bool | None:
    """Check what was typed before anything is collected; a project that types none of
    our options costs nothing.

    With `--robust-replay` nothing is collected: no test module, and so no torch, is imported.
    """
    if not any_on_command_line(session.config):
        return None
    try:
        state = _session_of(session.config)
        if (
            session.config.pluginmanager.hasplugin("dsession")
            and state.settings.config_named
        ):
            # before any worker starts; else workers tell, who know which robust.toml it
            # is
            _ = state.selection
        return state.replayed_run() is not None or None
    except RobustError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not our_fixtures(metafunc.definition):
        return
    from .items import parametrize
    from .session import session_beside

    try:
        parametrize(metafunc, session_beside(metafunc.config, metafunc.definition.path))
    except ConfigError as error:
        metafunc.config.stash.setdefault(
            _WRONG, error
        )  # raised after collection: here it would be exit 2


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Every test that there is, before node ids, `-k` or a plugin leave any out."""
    found = yield
    if isinstance(found, list):
        roster_of(collector.config).note_collected(found)
    return found


@pytest.hookimpl(wrapper=True)
def pytest_ignore_collect(
    collection_path: Path, config: pytest.Config
) -> Generator[None, bool | None, bool | None]:
    ignored = yield
    if ignored and (collection_path.suffix == ".py" or collection_path.is_dir()):
        roster_of(config).note_ignored(collection_path)
    return ignored


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if _WRONG not in config.stash and not any(map(ours, items)):
        return
    from .items import arrange, models_by_test

    try:
        if _WRONG in config.stash:
            raise config.stash[_WRONG]
        before = list(items)
        arrange(items, _session_of(config))
    except ConfigError as error:
        if _is_worker(config):
            # Raised here it would look like a crash: the controller raises it, before
            # any test is dealt out.
            _placement_of(config).tell_wrong(str(error))
            items.clear()
            return
        raise pytest.UsageError(str(error)) from error
    kept = set(items)
    roster_of(config).note_set_aside(item for item in before if item not in kept)
    if _is_worker(config):
        from .progress_line import WorkerProgress
        from .xdist.folder import run_folder

        _placement_of(config).tell_models(models_by_test(items))
        worker: str = config.workerinput["workerid"]  # type: ignore[attr-defined]  # pytest-xdist's
        _session_of(config).tell = WorkerProgress(run_folder(config), worker).tell


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """What is left is what must finish."""
    roster = roster_of(session.config)
    roster.close(session.config, session.items)
    if _is_worker(session.config) and roster.planned:
        policy = _session_of(session.config).policy_path
        roster.policy = None if policy is None else str(policy)
        _placement_of(session.config).tell_roster(roster)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A model's tests to one worker, where nothing else was asked for than to spread
    tests over workers.
    """
    if config.getoption("dist") != "load":
        return None
    from .xdist.scheduling import ModelScheduling

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
    if not ours(item):
        return report
    report.robust_ours = True  # type: ignore[attr-defined]
    if report.when == "call" or (report.when == "setup" and not report.passed):
        # A plain attribute crosses pytest-xdist, and stays out of JUnit files, which
        # user_properties would not.
        error = (
            call.excinfo.value if report.failed and call.excinfo is not None else None
        )
        report.robust = _session_of(item.config).record(item, error)  # type: ignore[attr-defined]
    return report


class Controller:
    """The hooks of the one process that sees every report, prints and writes: never an
    xdist worker.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._collector: RunCollector | None = None
        self._run: RunRecord | None = None
        self._samples: Sequence[SampleSheet] = ()
        self._problem: str | None = None
        """Why there is no record of the run."""
        self._progress: ProgressShow | None = None
        self._ended = Ended()
        self._crashed: set[str] = set()
        """Tests of ours in which a worker died: xdist's own report of them is not one
        of another test.
        """
        self._session: pytest.Session | None = None
        self._is_shown = False
        self._least_status: pytest.ExitCode | None = None
        """The exit status of a run that pytest would call a success, and that did not pass."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Sweeps of this process are shown as they go on."""
        if any(map(ours, session.items)):
            from .progress_line import ProgressShow

            self._progress = ProgressShow.of(self._config)
            if self._progress is not None:
                _session_of(self._config).tell = self._progress.tell

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._progress is not None:
            self._progress.erase()  # before pytest writes
        if getattr(report, "robust_ours", False):
            self._collected().add(report)
        elif report.failed and report.nodeid not in self._crashed:
            self._ended.others_failed.add(report.nodeid)

    def _collected(self) -> RunCollector:
        if self._collector is None:
            from .collector import RunCollector

            self._collector = RunCollector()
        return self._collector

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist: workers put ranks where the controller finds them."""
        from ..core.sample_sheets import expect_sheets
        from .xdist.folder import run_folder, shared_folder

        try:
            expect_sheets(run_folder(self._config))
            node.workerinput["retrieval_robust_store"] = shared_folder(self._config)
        except RobustError as error:
            raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """xdist: where tests of ours were collected, what workers tell of their sweeps is shown.

        What a worker found to be typed wrong is an error of this process.
        """
        wrong = _placement_of(self._config).wrong()
        if wrong is not None:
            raise pytest.UsageError(wrong)
        if self._progress is None and _placement_of(self._config).models():
            from .progress_line import ProgressShow
            from .xdist.folder import run_folder

            self._progress = ProgressShow.of(self._config)
            if self._progress is not None:
                self._progress.follow(run_folder(self._config))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """xdist: a worker that is gone measures nothing any more."""
        if self._progress is not None:
            from .progress_line import forget_worker
            from .xdist.folder import run_folder

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
            self._crashed.add(crashitem)
            self._collected().add_crash(crashitem, model)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """pytest-benchmark knows a benchmark by its fixture's name (`--benchmark-only`,
        `--benchmark-skip`).
        """
        if has_active_benchmark(config):
            for item in items:
                names: list[str] = getattr(item, "fixturenames", [])
                if "occlusion_timer" in our_fixtures(item) and "benchmark" not in names:
                    names.append("benchmark")

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Also `pytest.exit`, which may ask for the exit status 0."""
        self._ended.interrupted = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self) -> None:
        self._ended.internal_error = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._ended.uncollected.add(report.nodeid)

    @pytest.hookimpl(optionalhook=True, wrapper=True)
    def pytest_benchmark_group_stats(
        self, config: pytest.Config
    ) -> Generator[None, Any, Any]:
        """pytest-benchmark: a table of each model is printed only where one of its
        options was given.
        """
        groups = yield
        return groups if asks_for_benchmarks(config) else without_our_cells(groups)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """The outermost wrapper: where another plugin's end of a session fails, the
        results are written already, and the last line is printed here.
        """
        self._session = session
        if self._progress is not None:
            self._progress.close()
        if self._is_wanted(session):
            self._conclude_or_tell(session)
        try:
            return (yield)
        finally:
            self.keep_exit_status()
            self._show(self._config.pluginmanager.get_plugin("terminalreporter"))

    def _conclude_or_tell(self, session: pytest.Session) -> None:
        """Conclude; where that is not possible, as while torch is half imported, the
        gate fails all the same.
        """
        from ..core.foreign import FOREIGN, described

        try:
            self._conclude(session)
        except FOREIGN as error:
            own = isinstance(error, RobustError)
            self._problem = (
                str(error) if own else f"its end failed with {described(error)}"
            )
        if self._problem is not None or not self._is_green():
            self._least_status = pytest.ExitCode.TESTS_FAILED
        self.keep_exit_status()

    def _conclude(self, session: pytest.Session) -> None:
        from .collector import (
            judged_again,
            run_scope,
            with_samples,
            write_reports,
            write_results,
        )

        state = _session_of(session.config)
        if state.settings.replay is not None:
            run = judged_again(state)
        else:
            roster = self._roster()
            if (
                roster is not None
                and roster.policy is not None
                and not state.settings.config_named
            ):
                self._take_policy_of_workers(Path(roster.policy))
            collected = self._collected()
            scope = run_scope(session, roster, collected.finished, self._ended)
            unfinished = (
                0 if roster is None else len(roster.unfinished(collected.finished))
            )
            run = collected.conclude(
                state, scope, self._ended.failures(session.exitstatus), unfinished
            )
        run, samples = with_samples(run, state)
        self._run = write_reports(write_results(run, state), state, samples)
        self._samples = samples
        if (
            self._run.replayed
            and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
        ):
            session.exitstatus = pytest.ExitCode.OK

    def _roster(self) -> Roster | None:
        """Which tests there were; None where workers collected them and this process
        cannot see what they wrote.
        """
        if self._config.pluginmanager.hasplugin("dsession"):
            return _placement_of(self._config).roster()
        return roster_of(self._config)

    def _take_policy_of_workers(self, path: Path) -> None:
        from .session import use_policy

        if path.is_file():
            use_policy(self._config, path)

    def _is_wanted(self, session: pytest.Session) -> bool:
        """Whether this run owes a verdict: it typed one of our options, ran a test of
        ours, or has a policy.
        """
        if (
            only_looks(self._config)
            or session.exitstatus == pytest.ExitCode.USAGE_ERROR
        ):
            return False
        if any_on_command_line(self._config):
            return True
        roster = self._roster()
        planned, collected = (
            (set(), set()) if roster is None else (roster.planned, roster.collected)
        )
        if collected or (self._collector is not None and self._collector.saw_any):
            return True
        return has_gates_beside(self._config, session.items, left_out=bool(planned))

    def _is_green(self) -> bool:
        return self._run is not None and self._run.release.is_green

    def keep_exit_status(self) -> None:
        """Set the exit status that the last line stands for, whoever set another one in between."""
        if self._session is not None:
            self._session.exitstatus = (
                self.exit_status(self._session.exitstatus) or self._session.exitstatus
            )

    def exit_status(
        self, status: int | pytest.ExitCode | None
    ) -> int | pytest.ExitCode | None:
        """The exit status: never 0, nor that of a run without tests, where the gate did
        not pass.
        """
        green = (None, pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        return self._least_status if self._least_status and status in green else status

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        self._show(terminalreporter)

    def _show(self, reporter: pytest.TerminalReporter | None) -> None:
        """Print the summary, once: pytest leaves its own out after some errors, and
        after an exit status of one's own.

        What failed since the results were written is told too: they are written again.
        """
        if self._is_shown or (self._run is None and self._problem is None):
            return
        self._is_shown = True
        self._heed_late_failure()
        if reporter is None:
            return
        if self._run is None:
            reporter.write_line(
                f"RELEASE GATE: FAILED because {self._problem}", red=True, bold=True
            )
            return
        from ..reports.terminal import write_summary
        from .collector import annotations_of

        if not self._config.option.no_summary:
            write_summary(self._run, reporter)
        for line in annotations_of(self._run, _session_of(self._config)):
            reporter.write_line(line)

    def _heed_late_failure(self) -> None:
        """Another plugin may fail the run after ours has been judged: then the last
        line must not say PASSED.
        """
        status = 0 if self._session is None else int(self._session.exitstatus)
        if self._run is None or status in (0, self._least_status) or self._run.failures:
            return
        from dataclasses import replace

        from .collector import write_reports, write_results

        failures = (f"pytest ended with the exit status {status}",)
        run = replace(self._run, failures=failures, results=None, reports=())
        state = _session_of(self._config)
        self._run = write_reports(write_results(run, state), state, self._samples)
