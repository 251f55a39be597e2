"""How often two models hit the same query differently, from their recall and how alike their
hits are.
"""

from __future__ import annotations

import math

from ...core.errors import ArgumentError

_FEWEST = 1e-9
"""A share of differing queries that is still above none."""


def correlation_of(recall: float, discordance: float) -> float:
    """The correlation (phi) of the hits of two models of one recall that differ in a
    share of the queries.

    >>> round(correlation_of(0.6, 0.12), 3)
    0.75

    Raises:
        ArgumentError: No such share is possible.
    """
    independent = 2 * recall * (1 - recall)
    most = 2 * min(recall, 1 - recall)
    if not 0 < discordance <= most:
        raise ArgumentError(
            f"Expected a discordance above 0 and at most {most:.3g}, the most that two"
            f" models of recall={recall:g} can have, got discordance={discordance!r}."
            " Give the share of queries that one of the two models alone hits."
        )
    return 1 - discordance / independent


def wins_and_losses(
    baseline: float, candidate: float, correlation: float
) -> tuple[float, float]:
    """The shares of queries that the candidate alone, and the baseline alone, hits.

    They follow from both recalls and the correlation of the hits, as far as such shares
    exist.

    >>> wins, losses = wins_and_losses(0.6, 0.55, 0.75)
    >>> round(wins, 4), round(losses, 4)
    (0.0372, 0.0872)
    """
    spread = math.sqrt(baseline * (1 - baseline) * candidate * (1 - candidate))
    both = baseline * candidate + correlation * spread
    # No more than the smaller recall, and no less than what must overlap.
    both = min(both, baseline - _FEWEST, candidate - _FEWEST)
    both = max(both, baseline + candidate - 1, 0.0)
    return candidate - both, baseline - both
