"""Samples of images and texts for a report, where `--robust-show-samples` asks for them.

An image that cannot be shown fails no test: what is missing is said at the end.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from ...core.cases import PlannedPerturbation
from ...core.foreign import FOREIGN
from ...core.sample_sheets import SampleSheet, hand_over, handed_over
from .checks import report_entries
from .loading import Loader
from .state import RunState

if TYPE_CHECKING:
    from ...measure.breaking import BreakingResult
    from ...measure.sweep.changes import ImageChange
    from ...measure.sweep.run import SweepResult

_KINDS = ("hidden", "breaking")
"""In the order in which they are shown."""


class Samples:
    """Makes sample sheets while a model is loaded, and gathers them at the end."""

    def __init__(self, state: RunState, loader: Loader) -> None:
        self._state = state
        self._loader = loader
        self._sheets: dict[tuple[str, str, str], SampleSheet] = {}

    @cached_property
    def are_wanted(self) -> bool:
        """Whether a report of this run is to show images and texts."""
        if not self._state.settings.show_samples:
            return False
        entries = report_entries(self._state).values()
        return any(entry.with_samples is not None for entry in entries)

    def sheets(self) -> list[SampleSheet]:
        """The samples of this run, in the order of its models and data sets."""
        if not self.are_wanted:
            return []
        # In a run with workers, this process has measured nothing itself.
        from_workers = handed_over(self._state.store.folder)
        sheets = {sheet.key: sheet for sheet in from_workers} | self._sheets
        return sorted(sheets.values(), key=self._order)

    def _order(self, sheet: SampleSheet) -> tuple[int, int, int]:
        models = list(self._state.selection.models)
        datasets = list(self._state.selection.datasets)
        return (
            models.index(sheet.model),
            datasets.index(sheet.dataset),
            _KINDS.index(sheet.kind),
        )

    def keep(
        self, model: str, dataset: str, result: SweepResult | BreakingResult
    ) -> None:
        """Make a sheet of what a sweep or a search has just found."""
        if not self.are_wanted:
            return
        from ...measure.samples.sheets import SampleSource, sheet_of

        settings = self._state.settings
        source = SampleSource(
            self._loader.model(model),
            self._loader.dataset(dataset),
            self._image_changes(),
            settings.precision,
            settings.batch_size,
            settings.limit,
            self._state.embeddings,
        )
        # Foreign models and readers may raise anything.
        with suppress(*FOREIGN):
            sheet = sheet_of(result, source)
            if sheet is not None:
                self._keep_sheet(replace(sheet, model=model, dataset=dataset))

    def _image_changes(self) -> dict[PlannedPerturbation, ImageChange]:
        """The occluders and corruptions of this run, in their order."""
        selection = self._state.selection
        changes: dict[PlannedPerturbation, ImageChange] = {}
        for name, occluder in selection.occluders.items():
            changes[PlannedPerturbation("occlusion", name)] = occluder
        for name, corruption in selection.corruptions.items():
            changes[PlannedPerturbation("corruption", name)] = corruption
        return changes

    def _keep_sheet(self, sheet: SampleSheet) -> None:
        self._sheets[sheet.key] = sheet
        if not self._state.store.is_alone:
            hand_over(sheet, self._state.store.folder)
