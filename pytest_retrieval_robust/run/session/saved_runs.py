"""The saved runs that a run refers to: its baseline, its reference, or the run that it
judges again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.errors import ConfigError
from ...core.roles import Role
from .checks import check_outputs, check_policy
from .state import RunState

if TYPE_CHECKING:
    from ...gate.comparison import Run


class SavedRuns:
    """Reads each saved run once, on first use."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._beside: dict[Role, Run] = {}
        self._replayed: Run | None = None

    def load_all(self) -> None:
        """Read the baseline and the reference, so that what is wrong with one is found
        before anything is measured.
        """
        for role in Role:
            self.beside(role)

    def beside(self, role: Role) -> Run | None:
        """The run that `--robust-baseline` or `--robust-reference` names; None without
        one, or where none is yet.

        Raises `ConfigError` for a run that is damaged, of a newer version, or that this
        run would overwrite.
        """
        from ...reports.saved.read import SavedRunError, has_run, load_run
        from ..outputs import same_place

        folder = self._state.settings.saved_run(role)
        if folder is None or role in self._beside:
            return self._beside.get(role)
        results = self._state.settings.results
        if results is not None and same_place(results, folder):
            raise ConfigError(
                f"Expected a {role} of another run, got the same folder"
                f" {folder.name!r} for {role.option} and --robust-results, which"
                " would overwrite it. Write the results elsewhere."
            )
        if not has_run(folder):
            return None
        try:
            self._beside[role] = load_run(folder)
        except SavedRunError as error:
            problem = str(error)
        else:
            return self._beside[role]
        raise ConfigError(f"{role.option}: {problem}")

    def replayed(self) -> Run | None:
        """The run that `--robust-replay` names, checked against this policy; None without one.

        Raises `SavedRunError` or `ConfigError` for what is wrong with the run, the
        policy or the baseline.
        """
        from ...reports.saved.read import load_run
        from ..outputs import same_place

        folder = self._state.settings.replay
        if folder is None or self._replayed is not None:
            return self._replayed
        results = self._state.settings.results
        if results is not None and same_place(results, folder):
            raise ConfigError(
                "Expected another folder for --robust-results than for"
                f" --robust-replay, got {folder.name!r} for both. The saved run stays"
                " as it is: write the new verdicts elsewhere."
            )
        # All that `plan` checks for a run with tests, which a replay does not have.
        check_outputs(self._state)
        run = load_run(folder)
        check_policy(
            self._state,
            run.measured.plan,
            levels_typed=True,
            severities_typed=True,
            saved_metrics=run.measured.metrics,
        )
        self.load_all()
        self._replayed = run
        return run
