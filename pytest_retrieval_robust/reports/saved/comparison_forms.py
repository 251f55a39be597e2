"""The forms in `run.json` of groups, and of what is compared with another run."""

from __future__ import annotations

from typing import Literal

from ...core.cases import Case, Direction, Family
from ...core.codec import Positive, Share
from ...core.strata import GroupKind
from .forms import Ends, Form, Sha256


class GroupForm(Form):
    """One group of a stratum in one cell.

    Intervals hold 95 % for all groups of the stratum that are large enough, together. All
    but the sizes is null of a group that is too small.
    """

    name: str
    kind: GroupKind
    queries: Positive
    patients: Positive
    recall: Share | None
    recall_interval: Ends | None
    retention: float | None
    """Recall / that with nothing done."""
    retention_interval: Ends | None
    difference: float | None
    """Recall minus the baseline's on the same queries."""
    difference_interval: Ends | None


class GroupsForm(Form):
    """Recall@k of one cell by the groups of a stratum."""

    case: Case
    direction: Direction
    k: Positive
    stratum: str
    groups: list[GroupForm]


class CellForm(Form):
    """Recall@k of one cell in this run and in the baseline."""

    case: Case
    direction: Direction
    k: Positive
    candidate: Share
    baseline: Share
    difference: float
    interval: tuple[float, float]
    wins: int
    losses: int
    p: Share


class BaselineForm(Form):
    """The run that this one was compared with."""

    id: str
    started: str
    version: str
    obstacles: list[str]
    vanished: list[str]
    cells: list[CellForm]


class ChangeForm(Form):
    """Mean Recall@k of a run over all levels and seeds, minus the reference's."""

    recall: Share
    value: float
    interval: tuple[float, float]
    """Two-sided, 95 %."""


class AccumulatedForm(Form):
    """One model, data set and perturbation beside the reference."""

    model: str
    dataset: str
    family: Family
    occluder: str
    """The perturbation's name, whatever its family."""
    direction: Direction
    k: Positive
    reference: Share
    """Mean Recall@k of the reference."""
    candidate: ChangeForm
    baseline: ChangeForm | None
    """Null without a baseline that can be compared with the reference."""


class ReferenceForm(Form):
    """The run that stays while baselines come and go, and what was lost since it."""

    id: str
    started: str
    version: str
    obstacles: list[str]
    vanished: list[str]
    changes: list[AccumulatedForm]


class TriedForm(Form):
    """Attempts against the saved run in one role."""

    role: Literal["baseline", "reference"]
    number: Positive
    """Of this attempt, from 1."""
    error: float | None
    """The greatest error of the gates that have it anew at each attempt."""
    spent: float | None
    """The greatest error that is spent over attempts."""
    spent_here: float | None
    """Its share at this attempt."""


class AttemptForm(Form):
    """Which attempt against its saved runs this run is, as the ledger counts it."""

    tried: list[TriedForm]
    same_weights: int | None
    """The number of the first attempt with the same weights."""
    ledger_sha256: Sha256
    """Of the ledger's first line."""
    line_sha256: Sha256
    """Of the line of this run."""
