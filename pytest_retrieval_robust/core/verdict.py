"""Gates by their kind, and the verdict of one gate on one case."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .cases import BREAKING, DIRECTIONS, Case, Direction, Json
from .errors import ArgumentError
from .outcomes import finite
from .string_enum import StrEnum

VerdictName: TypeAlias = Literal["pass", "fail", "inconclusive", "ungated"]
DecidedBy: TypeAlias = Literal["point", "bound"]
Over: TypeAlias = Literal["levels", "cells"]
"""What a baseline gate compares: all levels pooled, or each cell on its own."""
Metric: TypeAlias = Literal["recall", "retention", "auc", "half_level"]
"""The number that a baseline gate compares."""
OVERS: tuple[Over, ...] = ("levels", "cells")
METRICS: tuple[Metric, ...] = ("recall", "retention", "auc", "half_level")


class GateKind(StrEnum):
    """Every kind of gate. Those of the policy are named as in `robust.toml`."""

    RECALL = "recall"
    RETENTION = "retention"
    AUC = "auc"
    HALF_LEVEL = "half_level"
    SLOPE = "slope"
    METRIC = "metric"
    """A registered metric, which `GateKey.name` names."""
    RELATIVE_COST = "relative_cost"
    IMAGES_PER_SECOND = "images_per_second"
    COST_RELATIVE_TO = "cost_relative_to"
    LATENCY_P50 = "latency_p50"
    LATENCY_P95 = "latency_p95"
    PEAK_MEMORY_GIB = "peak_memory_gib"
    BREAKING_SHARE = "breaking_share"
    COUNTERFACTUAL = "counterfactual"
    """The share of images whose own report beats its edits; `GateKey.name` is their kind."""
    DISTRACTOR_RECALL = "distractor_recall"
    """Recall@k image-to-report with all edits of reports in the gallery."""
    BASELINE = "not_worse_than_baseline"
    MCE = "mce"
    """The mean over perturbations of the error as a multiple of the baseline's."""
    RELATIVE_MCE = "relative_mce"
    """The same of what the errors are above those with nothing done."""
    WORST_CE = "worst_ce"
    """The highest of these multiples."""
    ABOVE_CHANCE = "above_chance"
    """Stands before all others: a model that retrieves nothing has nothing to judge."""
    NONE = "none"
    """Of the verdict on a cell that no gate applies to."""

    @property
    def is_of_a_curve(self) -> bool:
        """Whether it judges one number of a whole curve."""
        return self in (GateKind.AUC, GateKind.HALF_LEVEL, GateKind.SLOPE)

    @property
    def is_of_perturbations(self) -> bool:
        """Whether it judges a set of perturbations beside the baseline: `case` of its
        verdicts names the set.
        """
        return self in (GateKind.MCE, GateKind.RELATIVE_MCE, GateKind.WORST_CE)

    @property
    def needs_baseline(self) -> bool:
        """Whether nothing is judged without a baseline."""
        return self is GateKind.BASELINE or self.is_of_perturbations

    @property
    def is_of_a_model(self) -> bool:
        """Whether it is measured with nothing hidden, once per model and data set."""
        return self in (
            GateKind.COST_RELATIVE_TO,
            GateKind.LATENCY_P50,
            GateKind.LATENCY_P95,
            GateKind.PEAK_MEMORY_GIB,
        )

    @property
    def is_of_edits(self) -> bool:
        """Whether it is about what is measured with edited reports."""
        return self in (GateKind.COUNTERFACTUAL, GateKind.DISTRACTOR_RECALL)

    @property
    def is_absolute(self) -> bool:
        """Whether its limit means nothing on another machine."""
        return self in (
            GateKind.IMAGES_PER_SECOND,
            GateKind.LATENCY_P50,
            GateKind.LATENCY_P95,
            GateKind.PEAK_MEMORY_GIB,
        )


@dataclass(frozen=True)
class GateKey:
    """Which gate: its kind and what tells it from others of that kind.

    As text it is what `run.json`, reports and sentences show:

    >>> str(GateKey(GateKind.RECALL, 10, "image-to-report"))
    'recall@10 image-to-report'
    >>> str(GateKey(GateKind.BASELINE, 10, "image-to-report", "cells", "auc"))
    'not_worse_than_baseline@10 auc cell image-to-report'
    >>> str(GateKey(GateKind.RELATIVE_COST))
    'relative_cost'
    >>> str(GateKey(GateKind.METRIC, name="hit-rate(k=3)"))
    'metric hit-rate(k=3)'
    >>> str(GateKey(GateKind.COUNTERFACTUAL, name="negation"))
    'counterfactual negation'
    """

    kind: GateKind
    k: int | None = None
    direction: Direction | None = None
    """None for a gate that has none, and for a limit: there its table has it."""
    over: Over | None = None
    """Of baseline gates alone, like `metric`."""
    metric: Metric | None = None
    name: str | None = None
    """The registered metric that a gate of the kind `METRIC` judges, or the kind of edits
    of one of the kind `COUNTERFACTUAL`: None there is all kinds.
    """

    def __str__(self) -> str:
        head = self.kind.value if self.k is None else f"{self.kind.value}@{self.k}"
        words = [head]
        if self.name is not None:
            words.append(self.name)
        if self.metric is not None and self.metric != "recall":
            words.append(self.metric)
        if self.over == "cells":
            words.append("cell")
        if self.direction is not None:
            words.append(self.direction)
        return " ".join(words)

    @classmethod
    def parse(cls, text: str) -> GateKey:
        """The gate that `str` wrote as `text`.

        Raises:
            ArgumentError: `text` names no gate.
        """
        for pattern in (_METRIC_TEXT, _GATE_TEXT, _EDITS_TEXT):
            match = pattern.fullmatch(text)
            key = None if match is None else cls._of_match(match)
            # A pattern also takes words that do not go together, as in "recall cell".
            if key is not None and str(key) == text:
                return key
        raise ArgumentError(
            "Expected a gate such as 'recall@10 image-to-report' or"
            f" 'relative_cost', got gate={text!r}. The kinds of gates are"
            f" {', '.join(GateKind)}."
        )

    @classmethod
    def _of_match(cls, match: re.Match[str]) -> GateKey | None:
        kind = GateKind(match["kind"])
        if kind is GateKind.METRIC:
            return cls._of_metric_match(match)
        if match.re is _EDITS_TEXT:
            return cls(kind, name=match["name"])
        k = None if match["k"] is None else int(match["k"])
        direction = next((d for d in DIRECTIONS if d == match["direction"]), None)
        if kind is not GateKind.BASELINE:
            return cls(kind, k, direction)
        # Text leaves out what is usual: recall, over levels.
        over: Over = "levels" if match["cell"] is None else "cells"
        metric: Metric = next((m for m in METRICS if m == match["metric"]), "recall")
        return cls(kind, k, direction, over, metric)

    @classmethod
    def _of_metric_match(cls, match: re.Match[str]) -> GateKey | None:
        # The general pattern finds the kind alone, without a metric's name.
        if "name" not in match.re.groupindex:
            return None
        direction = next((d for d in DIRECTIONS if d == match["direction"]), None)
        return cls(GateKind.METRIC, direction=direction, name=match["name"])

    @property
    def is_of_a_cell(self) -> bool:
        """Whether it judges one cell: what a table of cells can mark."""
        if self.kind is GateKind.BASELINE:
            return self.over == "cells"
        return self.kind in (GateKind.RECALL, GateKind.RETENTION, GateKind.METRIC)

    @property
    def is_pooled(self) -> bool:
        """Whether it compares all levels and seeds together with the baseline."""
        return self.kind is GateKind.BASELINE and self.over == "levels"

    @property
    def is_over_levels(self) -> bool:
        """Whether it is judged once for all levels."""
        return (
            self.kind.is_of_a_curve
            or self.kind.is_of_a_model
            or self.kind.is_of_perturbations
            or self.kind is GateKind.BREAKING_SHARE
            or self.is_pooled
        )


_GATE_TEXT = re.compile(
    rf"(?P<kind>{'|'.join(GateKind)})(?:@(?P<k>[1-9][0-9]*))?"
    rf"(?: (?P<metric>{'|'.join(METRICS)}))?(?P<cell> cell)?"
    rf"(?: (?P<direction>{'|'.join(DIRECTIONS)}))?"
)
_EDITS_TEXT = re.compile(rf"(?P<kind>{GateKind.COUNTERFACTUAL}) (?P<name>\S.*)")
_METRIC_TEXT = re.compile(
    rf"(?P<kind>{GateKind.METRIC}) (?P<name>\S.*?)"
    rf"(?: (?P<direction>{'|'.join(DIRECTIONS)}))?"
)


@dataclass(frozen=True)
class Verdict:
    """What one gate of the policy says of one case, in a full sentence."""

    case: Case
    gate: GateKey
    verdict: VerdictName
    observed: float | None
    limit: float | None
    sentence: str
    bounds: tuple[float, float] | None = None
    """Lower and upper bound of what was observed, each held with `confidence`; None
    where there are none.
    """
    decided_by: DecidedBy | None = None
    confidence: float | None = None
    detectable_loss: float | None = None
    """The smallest loss, from what was observed, at which this gate would fail with a
    probability of 0.8.
    """
    more_queries: int | None = None
    """How many more queries an inconclusive gate would take to be decided with a
    probability of 0.8, should the observed value stay.
    """
    tolerated: bool = False
    """Whether it is inconclusive and the policy lets that pass."""
    weak: bool = False
    """Whether half of what it guards could be lost unnoticed."""

    @property
    def objects(self) -> bool:
        """Whether it stops a release."""
        return self.verdict == "fail" or (
            self.verdict == "inconclusive" and not self.tolerated
        )

    @property
    def is_of_a_search(self) -> bool:
        """Whether its case stands for a search for the smallest breaking occlusion, which
        looked at no level and seed.
        """
        return self.case.occluder == BREAKING

    def as_json(self) -> Json:
        bounds = None
        if self.bounds is not None:
            bounds = [finite(bound) for bound in self.bounds]
        return {
            "case": self.case.as_json(),
            "gate": str(self.gate),
            "verdict": self.verdict,
            "observed": self.observed,
            "limit": self.limit,
            "sentence": self.sentence,
            "bounds": bounds,
            "decided_by": self.decided_by,
            "confidence": self.confidence,
            "detectable_loss": self.detectable_loss,
            "more_queries": self.more_queries,
            "tolerated": self.tolerated,
            "weak": self.weak,
        }
