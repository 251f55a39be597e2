"""pytest's hooks, a few lines each.

It loads in every pytest run of its environment, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..core.errors import ConfigError, RobustError
from ..core.foreign import show_whole_tracebacks
from ..core.hanging import end_in_spite_of_hanging
from . import hookspecs
from .benchmark import BenchmarkHooks
from .controller import Controller
from .fixtures import (
    _robust_case,
    breaking,
    clean_outcome,
    corruption,
    counterfactuals,
    drift,
    gate,
    occluder,
    occlusion_level,
    occlusion_seed,
    occlusion_timer,
    outcome,
    retrieval_dataset,
    retrieval_model,
    robustness_curve,
    robustness_curves,
    text_noise,
)
from .loaded_once import load_once
from .options import (
    add_options,
    any_on_command_line,
    is_replay,
    shows_whole_tracebacks,
)
from .our_tests import (
    asks_for_changes,
    has_nothing_to_do,
    is_ours,
    lacks_values,
    our_fixtures,
)
from .roster import roster_of
from .whole_tracebacks import WholeTracebacks
from .xdist.controller_hooks import XdistHooks
from .xdist.processes import has_workers, is_worker, notice_board
from .xdist.slots import take_slot

if TYPE_CHECKING:
    from .session import RobustSession

__all__ = [
    "_robust_case",
    "breaking",
    "clean_outcome",
    "corruption",
    "counterfactuals",
    "drift",
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
    "text_noise",
]

_CONTROLLER = "retrieval_robust_controller"
_USAGE_ERROR = pytest.StashKey[ConfigError]()


def _session_of(config: pytest.Config) -> RobustSession:
    from .session import session_of

    return session_of(config)


# Start


def pytest_addoption(
    parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager
) -> None:
    load_once(pluginmanager, __name__)
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    if shows_whole_tracebacks(config):
        # Of the whole process: encoders are called from many places and threads.
        show_whole_tracebacks(True)
        config.add_cleanup(partial(show_whole_tracebacks, False))
    config.pluginmanager.register(WholeTracebacks(config))
    if not is_worker(config):
        controller = Controller(config)
        config.pluginmanager.register(controller, _CONTROLLER)
        config.pluginmanager.register(XdistHooks(config, controller))
        config.pluginmanager.register(BenchmarkHooks())
        config.add_cleanup(controller.keep_exit_status)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(
    config: pytest.Config,
) -> Generator[None, int | pytest.ExitCode | None, int | pytest.ExitCode | None]:
    """Start no workers for a replay, and keep the exit status of the gate to the end.

    Judging a saved run again takes a second, in which workers would only wait.
    """
    # Before any conftest is configured, which may load a model.
    take_slot(config)
    if is_replay(config) and config.pluginmanager.hasplugin("xdist"):
        config.option.numprocesses = None
        config.option.dist = "no"
        config.option.tx = []
    status = yield
    controller: Controller | None = config.pluginmanager.get_plugin(_CONTROLLER)
    if controller is not None:
        status = controller.exit_status(status)
    end_in_spite_of_hanging(int(status or 0))
    return status


# Collection


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> bool | None:
    """Check what was typed before anything is collected.

    A project that types none of our options pays nothing. With `--robust-replay`
    nothing is collected: no test module, and so no torch, is imported.
    """
    if not any_on_command_line(session.config):
        return None
    try:
        robust_session = _session_of(session.config)
        # Names are checked before any worker starts. If no option names the policy,
        # workers report them, because they know which robust.toml it is.
        if has_workers(session.config) and robust_session.settings.config_named:
            _ = robust_session.selection
        is_judged_again = robust_session.saved_runs.replayed() is not None
    except RobustError as error:
        raise pytest.UsageError(error.shown) from error
    return True if is_judged_again else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not our_fixtures(metafunc.definition):
        return
    from .collected_tests import parametrize
    from .session import session_beside

    try:
        parametrize(metafunc, session_beside(metafunc.config, metafunc.definition.path))
    except ConfigError as error:
        # Raised after the collection: here pytest would end with the exit status 2.
        metafunc.config.stash.setdefault(_USAGE_ERROR, error)


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Leave out tests of occluders, corruptions and text noise that this run has not, and
    note all others of ours, before node ids, `-k` or a plugin leave any out.
    """
    items = yield
    if isinstance(items, list):
        items = [item for item in items if not _lacks_values(item)]
        roster_of(collector.config).note_collected(items)
    return items


def _lacks_values(item: object) -> bool:
    if not isinstance(item, pytest.Item):
        return False
    if has_nothing_to_do(item):
        return True
    if not asks_for_changes(item):
        return False
    from .session import session_beside

    try:
        return lacks_values(item, session_beside(item.config, item.path))
    except ConfigError as error:
        item.config.stash.setdefault(_USAGE_ERROR, error)
        return True


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
    if _USAGE_ERROR not in config.stash and not any(map(is_ours, items)):
        return
    try:
        if _USAGE_ERROR in config.stash:
            raise config.stash[_USAGE_ERROR]
        _arrange(config, items)
    except ConfigError as error:
        if not is_worker(config):
            raise pytest.UsageError(error.shown) from error
        # Raised here it would look like a crash: the controller raises it, before any
        # test is dealt out.
        notice_board(config).post_usage_error(error.shown)
        items.clear()


def _arrange(config: pytest.Config, items: list[pytest.Item]) -> None:
    from .collected_tests import arrange

    before = list(items)
    session = _session_of(config)
    arrange(items, session)
    remaining = set(items)
    set_aside = [item for item in before if item not in remaining]
    roster_of(config).note_set_aside(set_aside)
    if is_worker(config):
        from .xdist.worker import tell_controller

        tell_controller(config, session, items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Note which tests are left: these must finish."""
    roster = roster_of(session.config)
    roster.close(session.config, session.items)
    if is_worker(session.config) and roster.planned:
        policy = _session_of(session.config).policy_path
        roster.policy = None if policy is None else str(policy)
        notice_board(session.config).post_roster(roster)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a model's tests to one worker, unless another way of spreading was asked for."""
    if config.getoption("dist") != "load":
        return None
    from .xdist.scheduling import ModelScheduling

    return ModelScheduling(config, log, notice_board(config))


# Tests


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if is_ours(item):
        from .collected_tests import skip_if_model_failed

        board = notice_board(item.config) if is_worker(item.config) else None
        skip_if_model_failed(item, _session_of(item.config), board)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not is_ours(item):
        return report
    # Plain attributes cross pytest-xdist and stay out of JUnit files, in which
    # `user_properties` would be.
    report.robust_ours = True  # type: ignore[attr-defined]
    if report.when == "call" or (report.when == "setup" and not report.passed):
        error: BaseException | None = None
        if report.failed and call.excinfo is not None:
            error = call.excinfo.value
        record = _session_of(item.config).recorder.record(item, error)
        report.robust = record.as_json()  # type: ignore[attr-defined]
    return report
