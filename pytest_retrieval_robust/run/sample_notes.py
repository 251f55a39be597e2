"""Samples for the page of a run, and a note of those that it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..gate.record import RunRecord

if TYPE_CHECKING:
    from ..core.sample_sheets import SampleSheet
    from .session import RobustSession


def with_samples(
    run: RunRecord, session: RobustSession
) -> tuple[RunRecord, Sequence[SampleSheet]]:
    """The run, with a note of the samples that it lacks; and the samples themselves.

    They are no part of the run.
    """
    if not session.settings.show_samples:
        return run, ()
    sheets = () if run.replayed else session.samples.sheets()
    note = note_of_missing(run, sheets, has_page=session.samples.are_wanted)
    if note is not None:
        run = replace(run, warnings=(*run.warnings, note))
    return run, sheets


def note_of_missing(
    run: RunRecord, sheets: Sequence[SampleSheet], *, has_page: bool
) -> str | None:
    """Why samples of this run are missing; None where all are there."""
    if run.replayed:
        return (
            "--robust-show-samples shows nothing here: a saved run holds no images and"
            " no report texts. Measure again to see samples."
        )
    if not has_page:
        return (
            "--robust-show-samples shows nothing here: samples are shown in a page. Add"
            " --robust-report FILE.html."
        )
    cases = [outcome.case for outcome in run.outcomes if outcome.case.level > 0]
    expected = {(case.model, case.dataset, "hidden") for case in cases}
    expected |= {(search.model, search.dataset, "breaking") for search in run.breaking}
    lacking = expected - {sheet.key for sheet in sheets}
    missing = sorted({(model, dataset) for model, dataset, _ in lacking})
    if missing:
        model, dataset = missing[0]
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return (
            f"The report lacks samples of {model} on {dataset}{more}: their images"
            " could not be shown again, or were measured on another machine, which"
            " keeps them."
        )
    if not sheets:
        return (
            "--robust-show-samples shows nothing here: nothing was measured with a part"
            " hidden."
        )
    return None
