"""What `run.json` holds, as types: `run.schema.json` is made of them.

A value whose form in the file is that of its class stands here as that class. The
others have a form of their own, whose fields are named as in the file.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, field

from ...core.cases import Case, Direction, Family, Plan
from ...core.codec import NAMED_BY_K, ByK, Count, Json, Positive, Share
from ...core.costs import CostMeasurement
from ...core.counterfactual_outcomes import CounterfactualOutcome
from ...core.drift import DriftOutcome
from ...core.outcomes import Scores, Timing
from ...core.searches import HeatMap
from ...core.strata import GroupKind, Stratum
from ...gate.release import Status

SCHEMA_VERSION: Literal[1] = 1

Sha256: TypeAlias = Annotated[
    str, Meta(extra_json_schema={"pattern": "^[0-9a-f]{64}$"})
]
Ends: TypeAlias = tuple[float | None, float | None]
"""Lower and upper end of an interval; null where infinite."""


class _Form(Struct, forbid_unknown_fields=True):
    """A part of `run.json` whose form is not that of a class."""


class RunFacts(_Form):
    """Which run this is, what it was asked for, and how it ended."""

    id: str
    """Of the measurement: a run that is judged again keeps it."""
    started: str
    version: str
    command: str
    host: Json
    gates_sha256: str | None
    policy: list[Json]
    """The gate tables that it was judged by; `gates_sha256` is their hash."""
    ranks_sha256: Sha256 | None
    """Of `ranks.npz`; null in a report that no ranks lie beside."""
    limit: int | None
    partial: str | None
    plan: Plan
    replayed: bool
    """Judged again from a saved run."""
    failures: list[str]
    warnings: list[str]
    broken: list[str]
    """Tests that failed for another reason than a gate."""
    broken_tests: Count
    status: Status | UnsetType = UNSET
    """The decision. The first runs have none: they failed where `failures` is not empty."""
    content_sha256: Sha256 | UnsetType = UNSET
    """Of everything else in this file, written with sorted keys and no spaces.

    It finds accidents, and is no signature.
    """


class PrecisionEffect(_Form):
    """How far embeddings of half precision lie from those of float32."""

    count: int
    lowest_cosine: float
    mean_cosine: float
    largest_difference: float


class PrecisionEffects(_Form):
    """What half precision changes."""

    images: PrecisionEffect
    reports: PrecisionEffect


class ModelForm(_Form):
    """A model of the run. What its card says is missing where it was not tested."""

    name: str
    status: Literal["tested", "not tested"]
    reason: str | None
    named: bool
    source: str | UnsetType = UNSET
    revision: str | UnsetType | None = UNSET
    sha256: str | UnsetType | None = UNSET
    licence: str | UnsetType | None = UNSET
    terms: str | UnsetType | None = UNSET
    parameters: int | UnsetType | None = UNSET
    input_size: int | UnsetType | None = UNSET
    context_length: int | UnsetType | None = UNSET
    inputs_sha256: str | UnsetType | None = UNSET
    token_ids_sha256: str | UnsetType | None = UNSET
    text_cleaning: str | UnsetType | None = UNSET
    activation: str | UnsetType | None = UNSET
    weights: str | UnsetType | None = UNSET
    key_prefix: str | UnsetType | None = UNSET
    missing_keys: list[str] | UnsetType = UNSET
    unexpected_keys: list[str] | UnsetType = UNSET
    dropped_keys: list[str] | UnsetType = UNSET
    precision_effect: PrecisionEffects | UnsetType | None = UNSET
    truncated_reports: int | UnsetType | None = UNSET


class DatasetForm(_Form):
    """A data set of the run."""

    name: str
    split: str
    text: str
    relevance: Literal["same-text", "strict-id", "same-study", "same-labels"]
    fingerprint: str
    pixel_digest: str | None
    """Null where no sweep read every image."""
    skipped: Count
    """Broken images that were left out."""
    duplicate_share: Annotated[float, Meta(extra_json_schema={"maximum": 1})]
    """1 - different texts / images."""
    ceiling: ByK[Share]
    images: Positive
    reports: Positive
    groups: Positive
    decoding: Literal["device"] | UnsetType = UNSET
    """`device` if torchvision decoded JPEGs on the device, whose pixels differ from
    Pillow's by rounding. Absent otherwise.
    """
    strata: list[Stratum] | UnsetType = UNSET
    """What groups of queries can be told apart by, with their sizes. Absent where the data
    set was given none, and in runs of earlier versions.
    """


class OutcomeForm(_Form):
    """What was measured of one case."""

    case: Case
    achieved_level: Share
    visible_level: Share
    image_to_report: Scores = field(name="image-to-report")
    report_to_image: Scores = field(name="report-to-image")
    timing: Timing
    ranks_key: str | None
    altered: Share | None = None
    """The share of the images that a corruption changed, or of the reports that a text
    noise changed; left out of occlusions, with nothing done, and by earlier versions.
    """


class SearchForm(_Form):
    """The smallest occlusions that were found to break a model on a data set."""

    model: str
    dataset: str
    k: Positive
    grid: Positive
    fill: str
    budget: int
    images: Count
    shares: tuple[Share, ...]
    """Rising: an upper bound on the smallest share that breaks each image whose report
    is found with nothing hidden.
    """
    median: Share | None
    quantile_5: Share | None
    unbroken: Count
    one_minimal: Count
    encodings: float
    sensitivity: HeatMap
    by_label: dict[str, HeatMap]
    arrays_key: str | None


class CurveForm(_Form):
    """Recall against the hidden share or the severity, in one direction.

    Intervals hold 95 % and come from resampled patients. Retentions are by level.
    """

    model: str
    dataset: str
    occluder: str
    seed: Count
    direction: Direction
    levels: list[Share]
    retention: ByK[dict[str, float] | None]
    auc: ByK[float | None]
    half_level: ByK[float | None]
    slope: ByK[float | None]
    reasons: dict[str, str]
    """Why a number is null."""
    auc_interval: Annotated[dict[int, Ends | None], NAMED_BY_K]
    half_level_interval: Annotated[dict[int, Ends | None], NAMED_BY_K]
    slope_interval: Annotated[dict[int, Ends | None], NAMED_BY_K]
    retention_interval: Annotated[dict[int, dict[str, Ends | None] | None], NAMED_BY_K]
    family: Family | UnsetType = UNSET
    """Absent in the first runs: occlusions alone."""


class LayoutForm(_Form):
    """A cell that was measured with several seeds."""

    model: str
    dataset: str
    occluder: str
    level: Share
    direction: Direction
    k: Positive
    seeds: Annotated[int, Meta(extra_json_schema={"minimum": 2})]
    mean: Share
    layouts: Annotated[float, Meta(extra_json_schema={"minimum": 0})]
    """Standard deviation of Recall@k between mask layouts, for the same queries."""
    queries: Annotated[float, Meta(extra_json_schema={"minimum": 0})]
    """Standard error of the mean over layouts from the choice of queries."""
    family: Family | UnsetType = UNSET
    """Absent in the first runs: occlusions alone."""


class ChangedForm(_Form):
    """What changed query by query in one cell, beside the same queries with nothing done."""

    case: Case
    direction: Direction
    k: Positive
    queries: Positive
    lost: Share
    """The share of queries with a right answer among the first k with nothing done, and
    without one here.
    """
    lost_interval: tuple[Share, Share]
    won: Share
    """The reverse."""
    won_interval: tuple[Share, Share]


class NamedErrorsForm(_Form):
    """The errors under one perturbation, as multiples of the baseline's."""

    family: Family
    name: str
    ce: float | None
    """Null where the baseline makes no error."""
    ce_interval: Ends | None
    relative_ce: float | None
    """Null where the baseline makes no more errors than with nothing done."""
    relative_ce_interval: Ends | None


class CorruptionErrorsForm(_Form):
    """The mean corruption error beside the baseline, and its relative form."""

    model: str
    dataset: str
    family: Literal["occlusion", "corruption", "text-noise", "all"]
    direction: Direction
    k: Positive
    mce: float | None
    mce_interval: Ends | None
    relative_mce: float | None
    relative_mce_interval: Ends | None
    clean_error: Share
    baseline_clean_error: Share
    perturbations: list[NamedErrorsForm]


class GroupForm(_Form):
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


class GroupsForm(_Form):
    """Recall@k of one cell by the groups of a stratum."""

    case: Case
    direction: Direction
    k: Positive
    stratum: str
    groups: list[GroupForm]


class CellForm(_Form):
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


class BaselineForm(_Form):
    """The run that this one was compared with."""

    id: str
    started: str
    version: str
    obstacles: list[str]
    vanished: list[str]
    cells: list[CellForm]


class ChangeForm(_Form):
    """Mean Recall@k of a run over all levels and seeds, minus the reference's."""

    recall: Share
    value: float
    interval: tuple[float, float]
    """Two-sided, 95 %."""


class AccumulatedForm(_Form):
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


class ReferenceForm(_Form):
    """The run that stays while baselines come and go, and what was lost since it."""

    id: str
    started: str
    version: str
    obstacles: list[str]
    vanished: list[str]
    changes: list[AccumulatedForm]


class TriedForm(_Form):
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


class AttemptForm(_Form):
    """Which attempt against its saved runs this run is, as the ledger counts it."""

    tried: list[TriedForm]
    same_weights: int | None
    """The number of the first attempt with the same weights."""
    ledger_sha256: Sha256
    """Of the ledger's first line."""
    line_sha256: Sha256
    """Of the line of this run."""


class VerdictForm(_Form):
    """What one rule of the policy says of one case."""

    case: Case
    gate: str
    verdict: Literal["pass", "fail", "inconclusive", "ungated"]
    observed: float | None
    limit: float | None
    sentence: str
    bounds: Ends | None
    """Lower and upper, each held with `confidence`; null where infinite."""
    decided_by: Literal["point", "bound"] | None
    confidence: float | None
    detectable_loss: float | None
    """The smallest loss, from what was observed, at which the gate would fail with a
    probability of 0.8.
    """
    more_queries: int | None
    """How many more queries would decide it with a probability of 0.8, should the value stay."""
    tolerated: bool
    weak: bool
    """Half of what it guards could be lost unnoticed."""


class RunDocument(_Form):
    """A saved run of pytest-retrieval-robust."""

    schema_version: Literal[1]
    run: RunFacts
    models: list[ModelForm]
    datasets: list[DatasetForm]
    outcomes: list[OutcomeForm]
    costs: list[CostMeasurement]
    breaking: list[SearchForm]
    curves: list[CurveForm]
    layouts: list[LayoutForm]
    baseline: BaselineForm | None
    verdicts: list[VerdictForm]
    reference: ReferenceForm | UnsetType = UNSET
    """Absent without `--robust-reference`."""
    attempt: AttemptForm | UnsetType = UNSET
    """Absent where it is no attempt, or nobody counts them."""
    changed: list[ChangedForm] | UnsetType = UNSET
    """Absent in runs of earlier versions, and where no ranks were kept."""
    corruption_errors: list[CorruptionErrorsForm] | UnsetType = UNSET
    """Absent without a baseline that can be compared."""
    groups: list[GroupsForm] | UnsetType = UNSET
    """Absent without strata, and in runs of earlier versions."""
    counterfactuals: list[CounterfactualOutcome] = field(default_factory=list)
    """Missing where no edited reports were measured."""
    drift: list[DriftOutcome] = field(default_factory=list)
    """Missing where no model was compared with its fingerprint."""
