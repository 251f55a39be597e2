"""A saved run as curves, for a script or a notebook. Nothing is judged, and no torch is
loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ..core.codec import Json
from ..core.counterfactual_outcomes import CounterfactualOutcome
from ..core.errors import ArgumentError
from ..core.searches import BreakingOutcome
from ..core.words import counted
from ..gate.measurements import Measurements
from ..retrieval.curves import Curves
from .saved import read


@dataclass(frozen=True, repr=False)
class SavedRun(Curves):
    """The curves of a run that `--robust-results` saved, and how it ended."""

    started: str = ""
    """When it was measured."""
    version: str = ""
    """Of the package that measured it."""
    status: str | None = None
    """`passed`, `failed`, `not judged` or `measured only`; None for an early version's run."""
    reasons: tuple[str, ...] = ()
    """Why its gate failed, in sentences."""
    partial: str | None = None
    """Why it was not the whole suite (`-k`, stopped early, ...); None where it was."""
    limit: int | None = None
    """Only the first so many pairs were measured; None for all."""
    breaking: tuple[BreakingOutcome, ...] = ()
    """The smallest breaking occlusions that were searched."""
    counterfactuals: tuple[CounterfactualOutcome, ...] = ()
    """What was measured with edited reports, a model's clean cell first."""

    def _title(self) -> str:
        title = f"run of {self.started}, {super()._title()}"
        return title if self.status is None else f"{title}, gate: {self.status}"

    def _notes(self) -> Iterator[str]:
        yield from super()._notes()
        yield from self.reasons
        if self.partial is not None:
            yield f"Partial run: {self.partial}."
        if self.limit is not None:
            yield f"Smoke run: the first {counted(self.limit, 'pair')}."


def load_run(folder: str | PathLike[str]) -> SavedRun:
    """Load a run that `--robust-results FOLDER` saved, checked, as curves.

    Args:
        folder: The folder, or the `run.json` in it.

    Raises:
        ArgumentError: It is no path.
        RobustError: The run is missing, damaged, changed or of another version.
    """
    if not isinstance(folder, str | PathLike) or folder == "":
        got = f"an object of type {type(folder).__name__}"
        if folder == "":
            got = "an empty text"
        raise ArgumentError(
            f"Expected the folder of a saved run as a path, got {got}. Give what"
            " --robust-results was given."
        )
    path = Path(folder).expanduser()
    if path.name == read.RUN_FILE and path.is_file():
        path = path.parent
    measured = read.load_run(path).measured
    return _with_ending(measured, read.read_run_json(path)["run"])


def _with_ending(measured: Measurements, facts: Json) -> SavedRun:
    """The curves with how the run ended, which only its file says."""
    reasons = facts["failures"]
    status = facts.get("status")
    return SavedRun(
        curves=measured.curves,
        failures=measured.broken,
        started=measured.identity.started,
        version=measured.identity.version,
        status=None if status is None else str(status),
        reasons=tuple(reasons),
        partial=measured.scope.partial,
        limit=measured.limit,
        breaking=measured.breaking,
        counterfactuals=measured.counterfactuals,
    )
