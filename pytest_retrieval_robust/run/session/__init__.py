"""The life of a run in one process.

A pytest-xdist worker has a session of its own; the controller has one too, but measures
nothing. What a run is asked to do is in `state`; each part of the work has a module:
`checks`, `planning`, `loading`, `measuring`, `timers`, `samples`, `judging`, `recording`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from ...core.catalogue import Catalogues
from ...core.config_file import read_config_file
from ...core.errors import ConfigError, NotOnThisMachineError, RobustError
from ...core.foreign import FOREIGN, described, traced
from ...gate.arrays import RunStore
from ..robust_toml import beside_arguments, beside_test
from ..settings import Settings, read_settings
from ..whole_tracebacks import failure_of
from ..xdist.folder import run_store
from .checks import check_outputs, check_policy
from .edited_reports import asked_cases
from .fingerprints import Fingerprints
from .judging import Judging
from .loading import Loader
from .measuring import Measurer
from .planning import PlannedCells
from .recording import Recorder
from .samples import Samples
from .saved_runs import SavedRuns
from .state import Invocation, RunState
from .timers import Timers

T = TypeVar("T")
_SESSION = pytest.StashKey["RobustSession"]()


class RobustSession(RunState):
    """The state of a run together with the parts that do its work.

    Everything heavy is loaded on first use.
    """

    def __init__(
        self, settings: Settings, catalogues: Catalogues, store: RunStore
    ) -> None:
        super().__init__(settings, catalogues, store)
        self.saved_runs = SavedRuns(self)
        self.planned = PlannedCells()
        self.loader = Loader(self)
        self.samples = Samples(self, self.loader)
        self.measurer = Measurer(self, self.loader, self.planned, self.samples)
        self.timers = Timers(self, self.loader)
        self.fingerprints = Fingerprints(self, self.loader)
        self.judging = Judging(self, self.measurer, self.saved_runs)
        self.recorder = Recorder(self, self.loader, self.measurer)

    def plan(self, items: Iterable[pytest.Item]) -> None:
        """Note which cells the collected tests will ask for, and check what can be checked.

        Raises `ConfigError` where the policy cannot judge them, or a result cannot be
        written.
        """
        self.planned.add_tests(items, self.settings)
        self.planned.add_edits(items, partial(asked_cases, self))
        check_policy(
            self,
            self.whole_plan,
            levels_typed=self.settings.levels_typed,
            severities_typed=self.settings.severities_typed,
        )
        check_outputs(self)
        self.saved_runs.load_all()


def session_of(config: pytest.Config) -> RobustSession:
    """The session of a run, made on first use.

    Raises `ConfigError` where options or `robust.toml` are wrong.
    """
    if _SESSION not in config.stash:
        session = RobustSession(
            read_settings(config), _catalogues(config), run_store(config)
        )
        invocation = config.invocation_params
        session.invocation = Invocation(
            tuple(map(str, invocation.args)), Path(invocation.dir)
        )
        # Whatever ends the run, nothing that it began is left behind.
        config.add_cleanup(session.close)
        config.stash[_SESSION] = session
    return config.stash[_SESSION]


def _catalogues(config: pytest.Config) -> Catalogues:
    catalogues = Catalogues()
    register = config.hook.pytest_robust_register
    # Historic: a conftest that pytest loads later is called when it is loaded.
    try:
        register.call_historic(kwargs={"catalogues": catalogues})
    except RobustError:
        raise
    except FOREIGN as error:
        refusal = traced(
            ConfigError(
                "Expected pytest_robust_register to register models, data sets and the"
                f" like, got {described(error)}. Fix that hook."
            ),
            error,
        )
    else:
        return catalogues
    # Outside of the handler, so that pytest does not print the chain behind it.
    raise refusal


def session_beside(config: pytest.Config, test_file: Path) -> RobustSession:
    """The session of a run, with the `robust.toml` nearest to a test of ours.

    If none lies above the test, that of the test arguments counts. Raises `ConfigError`
    where two tests have different ones: the parameters of the first test have been
    decided by then.
    """
    session = session_of(config)
    if session.settings.config_named:
        return session
    path = beside_test(test_file, config) or beside_arguments(config)
    if session.first_test is None:
        use_policy(config, path)
        session.first_test = test_file
    elif path != session.policy_path:
        first_policy = _shown(session.policy_path, config)
        first_test = _shown(session.first_test, config)
        raise ConfigError(
            f"Expected one robust.toml for all tests of a run, got {first_policy} for"
            f" {first_test} and {_shown(path, config)} for"
            f" {_shown(test_file, config)}. Run them apart, or name one with"
            " --robust-config."
        )
    return session


def use_policy(config: pytest.Config, path: Path | None) -> None:
    """Take the `robust.toml` at `path` in place of the one beside the arguments.

    Call it before anything follows from the other one.
    """
    session = session_of(config)
    if path != session.policy_path:
        config_file = None if path is None else read_config_file(path)
        session.take_policy(config_file, _catalogues(config))


def _shown(path: Path | None, config: pytest.Config) -> str:
    """A path as a message shows it: relative to the rootdir, else its last part alone.

    The names of folders may tell of users.
    """
    if path is None:
        return "none"
    try:
        return path.resolve().relative_to(config.rootpath.resolve()).as_posix()
    except ValueError:
        return path.name


def or_fail(session: RobustSession, model: str | None, action: Callable[[], T]) -> T:
    """The value of `action`; an error of this package becomes one failure without a traceback.

    Weights that are not on this machine are a skip, unless the model was named.
    """
    try:
        return action()
    except RobustError as caught:
        error = caught
    # Outside the except block, so that pytest does not print the whole chain behind it.
    is_named = model is None or session.selection.models[model].named
    if isinstance(error, NotOnThisMachineError) and not is_named:
        pytest.skip(f"not tested: {error}")
    sentence = f"{type(error).__name__}: {error}"
    session.own_failures.add(sentence.strip().splitlines()[0])
    raise failure_of(sentence, error.traceback_text)
