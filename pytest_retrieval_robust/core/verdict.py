"""Which gate it is, and its verdict on one case."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .cases import BREAKING, DIRECTIONS, Case, Direction, Json
from .errors import ArgumentError
from .gate_kind import GateKind as GateKind  # readers of verdicts find it here too
from .outcomes import finite

VerdictName: TypeAlias = Literal["pass", "fail", "inconclusive", "ungated"]
DecidedBy: TypeAlias = Literal["point", "bound"]
Over: TypeAlias = Literal["levels", "cells"]
"""What a gate beside a saved run compares: all levels pooled, or each cell on its own."""
Metric: TypeAlias = Literal["recall", "retention", "auc", "half_level"]
"""The number that it compares."""
OVERS: tuple[Over, ...] = ("levels", "cells")
METRICS: tuple[Metric, ...] = ("recall", "retention", "auc", "half_level")


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
    >>> str(GateKey(GateKind.WORST_GROUP, 10, "image-to-report", stratum="view"))
    'worst_group@10 by view image-to-report'
    """

    kind: GateKind
    k: int | None = None
    direction: Direction | None = None
    """None for a gate that has none, and for a limit: there its table has it."""
    over: Over | None = None
    """Of gates beside a saved run alone, like `metric`."""
    metric: Metric | None = None
    name: str | None = None
    """The registered metric that a gate of the kind `METRIC` judges, or the kind of edits
    of one of the kind `COUNTERFACTUAL`: None there is all kinds.
    """
    stratum: str | None = None
    """Whose groups it judges: of gates on groups, and of baseline gates of every group."""

    def __str__(self) -> str:
        head = self.kind.value if self.k is None else f"{self.kind.value}@{self.k}"
        words = [head]
        if self.name is not None:
            words.append(self.name)
        if self.metric is not None and self.metric != "recall":
            words.append(self.metric)
        if self.over == "cells":
            words.append("cell")
        if self.stratum is not None:
            words.append(f"by {self.stratum}")
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
        stratum = match["stratum"]
        if not kind.is_paired:
            return cls(kind, k, direction, stratum=stratum)
        # Text leaves out what is usual: recall, over levels.
        over: Over = "levels" if match["cell"] is None else "cells"
        metric: Metric = next((m for m in METRICS if m == match["metric"]), "recall")
        return cls(kind, k, direction, over, metric, stratum=stratum)

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
        if self.kind.is_paired:
            return self.over == "cells"
        kinds = (GateKind.RECALL, GateKind.RETENTION, GateKind.METRIC)
        return self.kind in kinds or self.kind.is_of_groups

    @property
    def is_pooled(self) -> bool:
        """Whether it compares all levels and seeds together with a saved run."""
        return self.kind.is_paired and self.over == "levels"

    @property
    def is_over_levels(self) -> bool:
        """Whether it is judged once for all levels."""
        return (
            self.kind.is_of_a_curve
            or self.kind.is_of_a_model
            or self.kind.is_of_perturbations
            or self.kind.is_without_data
            or self.kind is GateKind.BREAKING_SHARE
            or self.is_pooled
        )


_GATE_TEXT = re.compile(
    rf"(?P<kind>{'|'.join(GateKind)})(?:@(?P<k>[1-9][0-9]*))?"
    rf"(?: (?P<metric>{'|'.join(METRICS)}))?(?P<cell> cell)?"
    rf"(?: by (?P<stratum>\S.*?))?(?: (?P<direction>{'|'.join(DIRECTIONS)}))?"
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
