"""The smallest loss of one model beside another on the same queries that a gate tells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from .bisection import bisect
from .intervals import paired_score
from .power import POWER_DEVIATE

_STEPS = 40
"""Halvings of the range of losses: to 1e-12."""


@dataclass(frozen=True)
class PairedSpread:
    """How much a difference of two shares of the same queries varies."""

    discordance: float
    """Share of the queries that one of two equally good models alone hits."""
    share: float
    """The baseline's share of hits."""
    queries: float
    """How many independent queries the sample is worth."""

    @classmethod
    def of(
        cls, wins: float, losses: float, share: float, queries: float
    ) -> PairedSpread:
        """From the queries that each model alone hits, as counts of independent ones.

        Were both equally good, each would win as often as the geometric mean of both
        counts. Half a query is added to each, and to the hits and misses of the baseline
        a whole one, because none of them is impossible.
        """
        product = (wins + 0.5) * (losses + 0.5)
        return cls(
            min(1.0, 2 * math.sqrt(product) / (queries + 1)),
            (share * queries + 1) / (queries + 2),
            queries,
        )

    def discordance_at(self, loss: float) -> float:
        """The share of the queries that one model alone hits where the candidate is worse
        by `loss`: at least the loss itself, and at most all.

        The mean of two laws, between which models are that were drawn from normal
        variables: the product of wins and losses stays, as where a loss multiplies the
        odds of each; the correlation of both models' hits stays.
        """
        of_odds = math.hypot(self.discordance, loss)
        usual = self.share * (1 - self.share)
        left = max(0.0, self.share - loss)
        varied = left * (1 - left)
        correlation = 1 - self.discordance / (2 * usual)
        variance = usual + varied - 2 * correlation * math.sqrt(usual * varied)
        of_correlation = max(loss, variance + loss * loss)
        return min(1.0, (of_odds + of_correlation) / 2)

    def error_at(self, loss: float) -> float:
        """The standard error of the difference there."""
        variance = self.discordance_at(loss) - loss * loss
        return math.sqrt(max(0.0, variance) / self.queries)

    def score_error_at(self, loss: float, margin: float) -> float:
        """The standard error that T. Tango's score test of a difference of -margin takes
        there, with the likeliest share of losses for that difference.
        """
        discordance = self.discordance_at(loss) * self.queries
        lost = loss * self.queries
        score = paired_score(
            (discordance - lost) / 2, (discordance + lost) / 2, self.queries, -margin
        )
        # A test that is sure takes no error.
        return 0.0 if math.isinf(score) else (margin - loss) / score


@lru_cache(maxsize=4096)
def detectable_paired_loss(
    margin: float, spread: PairedSpread, deviates: float, *, is_score_test: bool
) -> float:
    """The smallest loss that a gate with a margin fails with a probability of 0.8.

    Args:
        margin: The loss that is none.
        spread: How much the difference varies.
        deviates: How many standard errors away the bound lies that fails the gate.
        is_score_test: Whether the bound takes the error that the difference has at the
            margin (a score test), or the one that it has where it is (the bootstrap).

    Returns:
        Inf where even the loss of every hit would not be told.
    """

    def is_told(loss: float) -> bool:
        error = spread.error_at(loss)
        of_bound = spread.score_error_at(loss, margin) if is_score_test else error
        return loss - margin >= deviates * of_bound + POWER_DEVIATE * error

    if not math.isfinite(deviates) or not is_told(1.0):
        return math.inf
    _, loss = bisect(is_told, margin + 1e-9, 1.0, _STEPS)
    return loss
