"""The kinds of gates, and what is true of each."""

from __future__ import annotations

from .roles import Role
from .string_enum import StrEnum


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
    WORST_GROUP = "worst_group"
    """Recall@k of the group of a stratum that has the lowest."""
    GROUP_GAP = "group_gap"
    """The greatest difference of Recall@k between two groups of a stratum."""
    BASELINE = "not_worse_than_baseline"
    REFERENCE = "not_worse_than_reference"
    """The same beside a run that stays while baselines come and go."""
    MCE = "mce"
    """The mean over perturbations of the error as a multiple of the baseline's."""
    RELATIVE_MCE = "relative_mce"
    """The same of what the errors are above those with nothing done."""
    WORST_CE = "worst_ce"
    """The highest of these multiples."""
    DRIFT = "drift"
    """How far rows of fixed inputs have moved from a saved fingerprint."""
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
    def is_of_groups(self) -> bool:
        """Whether it is about the groups of a stratum alone."""
        return self in (GateKind.WORST_GROUP, GateKind.GROUP_GAP)

    @property
    def is_paired(self) -> bool:
        """Whether it limits the loss beside a saved run, on the same queries."""
        return self in (GateKind.BASELINE, GateKind.REFERENCE)

    @property
    def compared_with(self) -> Role | None:
        """The saved run without which nothing is judged; None where none is needed."""
        if self is GateKind.REFERENCE:
            return Role.REFERENCE
        is_beside_baseline = self is GateKind.BASELINE or self.is_of_perturbations
        return Role.BASELINE if is_beside_baseline else None

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
    def is_without_data(self) -> bool:
        """Whether it is about the model alone: no data set and no recall decide it."""
        return self is GateKind.DRIFT

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
