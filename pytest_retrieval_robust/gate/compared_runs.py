"""The saved runs beside a run, and what its record holds of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..core.roles import Role
from ..core.verdict import Verdict
from .accumulated import AccumulatedChange, accumulated_changes
from .cell_difference import CellDifference
from .comparability import obstacles, vanished
from .comparison import Comparison, compare
from .difference import NotComparable
from .pairing import Pairing, Run

_Facts: TypeAlias = tuple[str, str, str, tuple[str, ...], tuple[str, ...]]
"""The values of a `ComparedRun`, in order."""


@dataclass(frozen=True, repr=False)
class Against:
    """What `--robust-baseline` or `--robust-reference` named: a run, or why there is none."""

    run: Run | None = None
    problem: str | None = None

    def comparison(
        self, candidate: Run, role: Role
    ) -> Comparison | NotComparable | None:
        """The candidate beside it; None where there is no run."""
        if self.run is None:
            return None
        return compare(candidate, self.run, role=role)


@dataclass(frozen=True, repr=False)
class ComparedRun:
    """A saved run that this one was compared with."""

    id: str
    started: str
    version: str
    obstacles: tuple[str, ...]
    """Why the two cannot be compared."""
    vanished: tuple[str, ...]
    """What it has and this run, although whole, lacks."""


@dataclass(frozen=True, repr=False)
class BaselineRecord(ComparedRun):
    """The baseline, cell by cell."""

    cells: tuple[CellDifference, ...]


@dataclass(frozen=True, repr=False)
class ReferenceRecord(ComparedRun):
    """The reference, and what was lost since it."""

    changes: tuple[AccumulatedChange, ...]


def baseline_record(
    run: Run, baseline: Run | None, comparison: Comparison | NotComparable | None
) -> BaselineRecord | None:
    """The record of the baseline; None without one."""
    if baseline is None:
        return None
    cells: tuple[CellDifference, ...] = ()
    if isinstance(comparison, Comparison):
        cells = tuple(comparison.cells())
    return BaselineRecord(*_facts(run, baseline, comparison, Role.BASELINE), cells)


def reference_record(
    run: Run,
    reference: Run | None,
    comparison: Comparison | NotComparable | None,
    baseline: Run | None,
    verdicts: tuple[Verdict, ...],
) -> ReferenceRecord | None:
    """The record of the reference, and of the baseline beside it; None without one."""
    if reference is None:
        return None
    changes: tuple[AccumulatedChange, ...] = ()
    if isinstance(comparison, Comparison):
        changes = tuple(accumulated_changes(comparison, baseline, verdicts))
    return ReferenceRecord(*_facts(run, reference, comparison, Role.REFERENCE), changes)


def _facts(
    run: Run, other: Run, comparison: Comparison | NotComparable | None, role: Role
) -> _Facts:
    identity = other.measured.identity
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    if isinstance(comparison, Comparison):
        missing = vanished(comparison.pairing)
    else:
        reasons = obstacles(Pairing(run, other, role=role))
    return identity.id, identity.started, identity.version, reasons, missing
