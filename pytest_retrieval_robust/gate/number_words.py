"""What sentences of verdicts call numbers, levels and bounds, family by family."""

from __future__ import annotations

import math

from ..core.cases import Family, level_word, levels_word
from ..core.verdict import GateKind
from ..core.words import counted
from ..retrieval.intervals import POWER, Estimate

QUANTITIES = {
    GateKind.RECALL: "Recall@{k}",
    GateKind.RETENTION: "retention of Recall@{k}",
    GateKind.AUC: "area under Recall@{k}",
    GateKind.HALF_LEVEL: "half level of Recall@{k}",
    GateKind.SLOPE: "slope of Recall@{k}",
}
"""What sentences call the number that a kind of gate judges."""


def number_name(kind: str, family: Family) -> str:
    """A kind of gate in words: the half level of a corruption is its half severity."""
    if kind == GateKind.HALF_LEVEL:
        return f"half {level_word(family)}"
    return kind.replace("_", " ")


def quantity(kind: GateKind, k: int, family: Family) -> str:
    """What sentences call the number that a kind of gate judges: `half level of Recall@10`."""
    if kind is GateKind.HALF_LEVEL:
        return f"{number_name(kind, family)} of Recall@{k}"
    return QUANTITIES[kind].format(k=k)


def takes_two_levels(family: Family) -> str:
    """Why a number of a curve does not exist, and what to add, as the end of a sentence."""
    option = "--robust-levels" if family == "occlusion" else "--robust-severities"
    return f"takes two {levels_word(family)} or more. Add some to {option}"


def settled_by(more_queries: int | None, whose: str = "") -> str:
    """How an open question could be settled, as the end of a sentence; `whose` is what
    the queries are of.
    """
    if more_queries is None:
        return ""
    queries = counted(more_queries, "more query", "more queries")
    return (
        f"; should the value stay, about {queries}{whose} would settle it with a probability of"
        f" {POWER:g}"
    )


def bounds_in_words(
    estimate: Estimate, confidence: float, family: Family = "occlusion"
) -> str:
    """The bounds of a number, in parentheses, as a part of its sentence."""
    low = f"beyond the {levels_word(family)}"
    if math.isfinite(estimate.low):
        low = f"{estimate.low:.3f}"
    high = "no upper end"
    if math.isfinite(estimate.high):
        high = f"{estimate.high:.3f}"
    return f" ({100 * confidence:g} % bounds {low} and {high})"
