"""The hooks of the one process that sees every report, prints and writes: never a worker
of pytest-xdist.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..core.errors import RobustError
from .options import any_on_command_line
from .our_tests import is_ours
from .robust_toml import has_gates_beside
from .roster import PytestEvents, Roster, only_shows, roster_of
from .xdist.processes import has_workers, notice_board

if TYPE_CHECKING:
    from ..core.sample_sheets import SampleSheet
    from ..gate.record import RunRecord
    from .collector import RunCollector
    from .progress_line import ProgressShow
    from .session import RobustSession


class Controller:
    """Gathers what tests report, and gives the verdict at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._collector: RunCollector | None = None
        """None before the first report of a test of ours."""
        self._crashed: set[str] = set()
        """Tests of ours in which a worker died.

        xdist reports them as failed, but these are no reports of other tests.
        """
        self._events = PytestEvents()
        self._progress: ProgressShow | None = None
        self._session: pytest.Session | None = None
        self._run: RunRecord | None = None
        self._samples: Sequence[SampleSheet] = ()
        self._problem: str | None = None
        """Why there is no record of the run."""
        self._failed_status: pytest.ExitCode | None = None
        """The exit status of a run that pytest would call a success, and that did not pass."""
        self._is_shown = False
        self._late_failure: str | None = None
        """What another plugin, or an interrupt, did to the end of the session."""

    # Progress

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Show the sweeps of this process as they go on."""
        if any(map(is_ours, session.items)):
            progress = self._start_progress()
            if progress is not None:
                self._state().tell = progress.tell
                self._state().say = progress.say

    def show_progress_of_workers(self) -> None:
        """Show the sweeps that workers tell of."""
        from .xdist.folder import run_folder

        if self._progress is None:
            progress = self._start_progress()
            if progress is not None:
                progress.follow(run_folder(self._config))

    def _start_progress(self) -> ProgressShow | None:
        from .progress_line import ProgressShow

        self._progress = ProgressShow.of(self._config)
        return self._progress

    @property
    def shows_progress(self) -> bool:
        return self._progress is not None

    # What happens

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._progress is not None:
            self._progress.erase()  # before pytest writes
        if getattr(report, "robust_ours", False):
            self._collected().add(report)
        elif report.failed and report.nodeid not in self._crashed:
            self._events.others_failed.add(report.nodeid)

    def note_crash(self, test: str, model: str) -> None:
        """Note that a worker died in a test of ours."""
        self._crashed.add(test)
        self._collected().add_crash(test, model)

    def _collected(self) -> RunCollector:
        if self._collector is None:
            from .collector import RunCollector

            # Workers measure in processes of their own.
            if has_workers(self._config):
                self._collector = RunCollector()
            else:
                self._collector = RunCollector(self._state().measurer.outcomes)
        return self._collector

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Called for `pytest.exit` too, which may ask for the exit status 0."""
        self._events.interrupted = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self) -> None:
        self._events.internal_error = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._events.uncollected.add(report.nodeid)

    # The verdict

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Conclude the run, as the outermost wrapper.

        If another plugin fails at the end of a session, the results are written already,
        and the last line is printed here.
        """
        self._session = session
        if self._progress is not None:
            self._progress.close()
        if self._owes_verdict(session):
            self._conclude(session)
        try:
            return (yield)
        except pytest.exit.Exception:
            # Whoever asks for the end says with which status.
            raise
        except KeyboardInterrupt:
            self._late_failure = "the end of the session was interrupted"
            raise
        except BaseException:
            self._late_failure = "another plugin failed at the end of the session"
            raise
        finally:
            self.keep_exit_status()
            self._show(self._config.pluginmanager.get_plugin("terminalreporter"))

    def _owes_verdict(self, session: pytest.Session) -> bool:
        """Whether one of our options was typed, a test of ours ran, or a policy asks for it."""
        is_usage_error = session.exitstatus == pytest.ExitCode.USAGE_ERROR
        if only_shows(self._config) or is_usage_error:
            return False
        if any_on_command_line(self._config) or self._collector is not None:
            return True
        roster = self._roster()
        if roster is not None and roster.collected:
            return True
        left_out = roster is not None and bool(roster.planned)
        return has_gates_beside(self._config, session.items, left_out=left_out)

    def _conclude(self, session: pytest.Session) -> None:
        """Conclude; if that is not possible, the gate fails all the same.

        It is not possible while torch is half imported, for one.
        """
        from ..core.foreign import FOREIGN, described

        try:
            self._run = self._concluded(session)
        except RobustError as error:
            self._problem = str(error)
        except FOREIGN as error:
            self._problem = f"its end failed with {described(error)}"
        if self._run is None or not self._run.release.is_green:
            self._failed_status = pytest.ExitCode.TESTS_FAILED
        self.keep_exit_status()

    def _concluded(self, session: pytest.Session) -> RunRecord:
        from .concluding import judge_again
        from .sample_notes import with_samples
        from .saving import write_reports, write_results

        state = self._state()
        is_replay = state.settings.replay is not None
        run = judge_again(state) if is_replay else self._judged(session, state)
        run, self._samples = with_samples(run, state)
        run = write_reports(write_results(run, state), state, self._samples)
        # A replay collects no test, and that is no failure of it.
        if is_replay and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        return run

    def _judged(self, session: pytest.Session, state: RobustSession) -> RunRecord:
        from .concluding import conclude
        from .scope import run_scope

        collector = self._collected()
        roster = self._roster()
        unfinished = 0
        if roster is not None:
            if roster.policy is not None and not state.settings.config_named:
                self._take_policy_of_workers(Path(roster.policy))
            unfinished = len(roster.unfinished(collector.finished))
        scope = run_scope(session, roster, collector.finished, self._events)
        failures = self._events.failures(session.exitstatus)
        return conclude(collector, state, scope, failures, unfinished)

    def _roster(self) -> Roster | None:
        """Which tests there were; None where workers cannot tell this process."""
        if has_workers(self._config):
            return notice_board(self._config).roster()
        return roster_of(self._config)

    def _take_policy_of_workers(self, path: Path) -> None:
        from .session import use_policy

        if path.is_file():
            use_policy(self._config, path)

    def _state(self) -> RobustSession:
        from .session import session_of

        return session_of(self._config)

    # Exit status

    def keep_exit_status(self) -> None:
        """Set the exit status that the last line stands for, if another plugin has changed it."""
        if self._session is not None:
            status = self.exit_status(self._session.exitstatus)
            self._session.exitstatus = status or self._session.exitstatus

    def exit_status(
        self, status: int | pytest.ExitCode | None
    ) -> int | pytest.ExitCode | None:
        """The exit status: no status of success where the gate did not pass."""
        success = (None, pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if self._failed_status and status in success:
            return self._failed_status
        return status

    # The summary

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        self._show(terminalreporter)

    def _show(self, reporter: pytest.TerminalReporter | None) -> None:
        """Print the summary, once.

        pytest leaves its own summary out after some errors, and after an exit status
        that a plugin made up.
        """
        if self._is_shown or (self._run is None and self._problem is None):
            return
        self._is_shown = True
        self._heed_late_failure()
        if reporter is None:
            return
        if self._run is None:
            sentence = f"RELEASE GATE: FAILED because {self._problem}"
            reporter.write_line(sentence, red=True, bold=True)
            return
        from ..reports.terminal.summary import write_summary
        from .saving import annotations_of

        for work, text in self._state().tracebacks.items():
            reporter.section(work)
            reporter.write_line(text)
        if not self._config.option.no_summary:
            write_summary(self._run, reporter)
        for line in annotations_of(self._run, self._state()):
            reporter.write_line(line)

    def _heed_late_failure(self) -> None:
        """Another plugin may fail the run after it was judged: then the last line must not
        say PASSED.
        """
        status = 0 if self._session is None else int(self._session.exitstatus)
        is_known = status in (0, self._failed_status) and self._late_failure is None
        if self._run is None or is_known or self._run.failures:
            return
        from .saving import write_reports, write_results

        # The results and reports say PASSED so far: they are written again.
        failures = (
            self._late_failure or f"pytest ended with the exit status {status}",
        )
        run = replace(
            self._run,
            failures=failures,
            other_failures=failures,
            results=None,
            reports=(),
        )
        state = self._state()
        self._run = write_reports(write_results(run, state), state, self._samples)
