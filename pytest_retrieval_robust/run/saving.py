"""Writes what a run leaves: its results, its reports, its lines for GitHub and MLflow.

Nothing that cannot be written is an error of a test: the summary says it, and the gate
fails by it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.atomic_files import whole_file
from ..core.errors import RobustError
from ..core.files import require_regular
from ..core.foreign import FOREIGN, described, let_go, traceback_text
from ..gate.record import RunRecord
from ..reports.github import error_commands, write_step_summary
from .session.checks import report_entries

if TYPE_CHECKING:
    from ..core.config_file import TrackingTable
    from ..core.sample_sheets import SampleSheet
    from ..reports import ReportEntry
    from .session.state import RunState


def write_results(run: RunRecord, state: RunState) -> RunRecord:
    """Write the run into the folder of `--robust-results`.

    It is written beside the folder if that holds a run which measured more.
    """
    settings = state.settings
    if settings.results is None:
        return run
    from ..reports.saved_run import save_run
    from .outputs import place_for

    folder = settings.results
    try:
        if not settings.overwrite:
            folder, note = place_for(run, folder, settings.kept_runs)
            if note is not None:
                run = replace(run, warnings=(*run.warnings, note))
        save_run(run, state.store, folder, settings.replay)
    except RobustError as error:
        reason = str(error)
    except OSError as error:
        # Its own text names whole paths.
        reason = error.strerror or type(error).__name__
    except FOREIGN as error:
        reason = described(error)
        let_go(error)
    else:
        return replace(run, results=folder)
    sentence = (
        f"Expected to write the results to --robust-results, got: {reason}. Choose a"
        " folder that can be written."
    )
    return replace(
        run,
        warnings=(*run.warnings, sentence),
        failures=(*run.failures, "its results were not saved"),
    )


def write_reports(
    run: RunRecord, state: RunState, samples: Sequence[SampleSheet] = ()
) -> RunRecord:
    """Write each file of `--robust-report`.

    Only a report that is made to show `samples` is given them.
    """
    entries = report_entries(state)
    # A report that fails adds to the run's failures, so order matters.
    before = run
    for path, entry in entries.items():
        run = _with_report(run, path, entry, samples, state)
    # Reports that were written before one failed do not know of the failure yet.
    if run.failures != before.failures:
        for path in run.reports[len(before.reports) :]:
            without_reports = replace(run, reports=())
            again = _with_report(without_reports, path, entries[path], samples, state)
            run = replace(again, reports=run.reports)
    run = _with_step_summary(run)
    config = state.settings.config_file
    if config is None or config.tracking is None:
        return run
    return _tracked(run, config.tracking)


def _with_step_summary(run: RunRecord) -> RunRecord:
    try:
        write_step_summary(run, os.environ)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        sentence = (
            f"Expected to write GitHub's step summary, got: {reason}. The gate does not"
            " depend on it."
        )
        return replace(run, warnings=(*run.warnings, sentence))
    return run


def _with_report(
    run: RunRecord,
    path: Path,
    entry: ReportEntry,
    samples: Sequence[SampleSheet],
    state: RunState,
) -> RunRecord:
    """The run with this report, or with the reason why there is none.

    The failure of one report does not cost another.
    """
    try:
        write_whole(path, _render(entry, run, samples))
    except RobustError as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    # A user's own report may raise anything, with anything in its text.
    except FOREIGN as error:
        reason = described(error)
        state.note_traceback(f"the report {path.name}", traceback_text(error))
        let_go(error)
    else:
        return replace(run, reports=(*run.reports, path))
    sentence = (
        f"Expected to write the report {path.name}, got: {reason}. Choose a place that"
        " can be written, or fix the report."
    )
    failures = (*run.failures, f"the report {path.name} was not written")
    return replace(run, warnings=(*run.warnings, sentence), failures=failures)


def _render(
    entry: ReportEntry, run: RunRecord, samples: Sequence[SampleSheet]
) -> str | bytes:
    if samples and entry.with_samples is not None:
        return entry.with_samples(run, samples)
    return entry.render(run)


def _tracked(run: RunRecord, tracking: TrackingTable) -> RunRecord:
    """Send what was measured to the server of `[tracking]`, once: not after a replay."""
    if run.replayed or not run.measured_models:
        return run
    from ..reports.tracking import send

    try:
        send(run, tracking)
    except RobustError as error:
        return replace(run, warnings=(*run.warnings, str(error)))
    return run


def annotations_of(run: RunRecord, state: RunState) -> list[str]:
    """The lines by which GitHub Actions marks what failed; none elsewhere."""
    return list(error_commands(run, state.policy_path, os.environ))


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, and make the folder that it belongs in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A FIFO or device that came there meanwhile is not replaced.
    if os.path.lexists(path):
        require_regular(path)
    with whole_file(path) as part:
        part.write_bytes(content if isinstance(content, bytes) else content.encode())
