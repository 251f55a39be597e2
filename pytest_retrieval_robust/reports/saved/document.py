"""What `run.json` holds, as types: `run.schema.json` is made of them.

A value whose form in the file is that of its class stands here as that class. The
others have a form of their own, whose fields are named as in the file.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from ...core.cases import Case, Direction, Family, Plan
from ...core.codec import NAMED_BY_K, ByK, Count, Json, Positive, Share
from ...core.costs import CostMeasurement
from ...core.counterfactual_outcomes import CounterfactualOutcome
from ...core.drift import DriftOutcome
from ...core.outcomes import Scores, Timing
from ...core.searches import HeatMap
from ...core.strata import Stratum
from ...gate.release import Status
from .comparison_forms import (
    AttemptForm,
    BaselineForm,
    GroupsForm,
    ReferenceForm,
)
from .forms import Ends, Form, Sha256

SCHEMA_VERSION: Literal[1] = 1


class RunFacts(Form):
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
    other_failures: list[str] | UnsetType = UNSET
    """What else stood against the release: another test, a file that could not be collected."""
    status: Status | UnsetType = UNSET
    """The decision. The first runs have none: they failed where `failures` is not empty."""
    content_sha256: Sha256 | UnsetType = UNSET
    """Of everything else in this file, written with sorted keys and no spaces.

    It finds accidents, and is no signature.
    """


class PrecisionEffect(Form):
    """How far embeddings of half precision lie from those of float32."""

    count: int
    lowest_cosine: float
    mean_cosine: float
    largest_difference: float


class PrecisionEffects(Form):
    """What half precision changes."""

    images: PrecisionEffect
    reports: PrecisionEffect


class ModelForm(Form):
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


class DatasetForm(Form):
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


class OutcomeForm(Form):
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


class SearchForm(Form):
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


class CurveForm(Form):
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


class LayoutForm(Form):
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


class ChangedForm(Form):
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


class NamedErrorsForm(Form):
    """The errors under one perturbation, as multiples of the baseline's."""

    family: Family
    name: str
    ce: float | None
    """Null where the baseline makes no error."""
    ce_interval: Ends | None
    relative_ce: float | None
    """Null where the baseline makes no more errors than with nothing done."""
    relative_ce_interval: Ends | None


class CorruptionErrorsForm(Form):
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


class VerdictForm(Form):
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


class RunDocument(Form):
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
