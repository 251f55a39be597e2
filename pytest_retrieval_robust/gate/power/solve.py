"""How many queries a gate needs, and the smallest loss that it sees."""

from __future__ import annotations

from ...core.errors import ArgumentError
from ...retrieval.bisection import bisect
from .planned import GatePower

FEWEST = 10
MOST = 1_000_000
"""Queries beyond which a gate counts as impossible."""
_STEPS = 24
"""Of a bisection: to a millionth of the largest loss."""
_NEAR = 12
"""Queries beyond a number at which the power is looked at again: hits are whole numbers, so
that one query more may lower it a little.
"""


def check_power(power: float) -> float:
    """`power`, where some number of queries has it.

    Raises:
        ArgumentError: It is none between 0.5 and 1.
    """
    if not 0.5 <= power < 1:
        raise ArgumentError(
            f"Expected a power from 0.5 to below 1, got power={power!r}. No sample is"
            " sure to pass: use 0.8 or 0.9."
        )
    return power


def needed_queries(gate: GatePower, power: float, loss: float = 0.0) -> int | None:
    """The fewest queries with which the gate passes a model with a probability of
    `power`; None where a million do not.

    `loss` is what the model truly loses.
    """
    if gate.obstacle is not None:
        return None

    def is_enough(queries: int) -> bool:
        return gate.passes(gate.sampling.at(queries), loss) >= power

    high = FEWEST
    while not is_enough(high):
        high *= 2
        if high > MOST:
            return None
    if high == FEWEST:
        return FEWEST
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if is_enough(middle):
            high = middle
        else:
            low = middle
    return _where_it_stays(gate, power, loss, high)


def _where_it_stays(gate: GatePower, power: float, loss: float, queries: int) -> int:
    """The first number of queries from `queries` on that no near one above it undercuts."""
    # Where patients repeat, a design effect that is estimated smooths the steps.
    if gate.sampling.repeats:
        return queries
    fewest = queries
    size = queries
    # The steps are a few queries long: past so many, powers only rise.
    while size < fewest + max(_NEAR, fewest // 50):
        size += max(1, fewest // 400)
        if gate.passes(gate.sampling.at(size), loss) < power:
            fewest = size + 1
    return fewest


def smallest_loss(gate: GatePower, queries: int, power: float) -> float | None:
    """The loss at which the gate fails a model with a probability of `power`; None where
    it does not fail the largest loss that is possible.
    """
    sample = gate.sampling.at(queries)

    def is_seen(loss: float) -> bool:
        return gate.fails(sample, loss) >= power

    if not is_seen(gate.most):
        return None
    if is_seen(0.0):
        return 0.0
    _, loss = bisect(is_seen, 0.0, gate.most, _STEPS)
    return loss
