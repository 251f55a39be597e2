"""What is checked before the first test: before the first GPU hour, not after the last."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.cases import Plan
from ...core.errors import ConfigError
from ...core.roles import Role
from .state import RunState

if TYPE_CHECKING:
    from ...reports import ReportEntry


def check_policy(
    state: RunState,
    plan: Plan,
    *,
    levels_typed: bool,
    severities_typed: bool = False,
    saved_metrics: Collection[str] = (),
) -> None:
    """Raise `ConfigError` for gates that match nothing, contradict each other, or name
    what is not measured.

    `saved_metrics` are those of a run that is judged again.
    """
    from ..gate_names import check_metrics, check_names

    check_names(state.policy, plan, state.catalogues, state.settings.config_file)
    check_metrics(state.policy, plan, state.catalogues, saved_metrics)
    state.policy.check(
        plan, levels_typed=levels_typed, severities_typed=severities_typed
    )


def check_outputs(state: RunState) -> None:
    """Raise `ConfigError` where results or reports cannot be written, or would destroy
    another run.
    """
    from ..outputs import check_outputs as check_places

    # A suffix that nothing writes is wrong wherever the report goes.
    report_entries(state)
    if not state.store.is_alone and not state.store.folder.is_dir():
        return  # a worker on another machine, which writes nothing
    settings = state.settings
    check_places(settings.results, settings.reports, settings.kept_runs)
    _check_ledger(state)


def _check_ledger(state: RunState) -> None:
    """Raise `ConfigError` where the attempts beside a saved run cannot be counted."""
    from ...gate.ledger import LedgerError
    from ..outputs import check_written

    ledger = state.ledger
    if ledger is None or not any(map(state.settings.saved_run, Role)):
        return
    if state.settings.attempts is not None:
        check_written("--robust-attempts", ledger.path)
    try:
        ledger.read()
    except LedgerError as error:
        problem = str(error)
    else:
        return
    raise ConfigError(problem)


def report_entries(state: RunState) -> dict[Path, ReportEntry]:
    """What writes each file of `--robust-report`.

    Raises `ConfigError` for a suffix that nothing writes.
    """
    return {path: _report_entry(state, path) for path in state.settings.reports}


def _report_entry(state: RunState, path: Path) -> ReportEntry:
    suffix = path.suffix.removeprefix(".").lower()
    suffixes = state.catalogues.reports.names()
    if suffix not in suffixes:
        shown = ", ".join(f".{name}" for name in suffixes)
        raise ConfigError(
            f"Expected a file that ends with {shown}, got"
            f" --robust-report={path.name!r}. The suffix says which report it is:"
            " choose one of these."
        )
    entry: ReportEntry = state.catalogues.reports.get(suffix)
    return entry
