"""How often the gate is wrong, on a few hundred pairs whose truth is known; `python -m
benchmarks.gate_rates` has more.

A bound of a rate is its Wilson interval at 99.9 %: a rate that is as promised fails a
test once in a thousand seeds, and the seeds are fixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from benchmarks.gate_coverage import BEYOND, covered
from benchmarks.gate_rates import SEEN, block, detect, passing, singles
from benchmarks.rate_tables import Rate, Tally
from benchmarks.simulated_pairs import (
    ALPHA,
    GATES,
    LEVELS,
    MARGIN,
    SINGLE,
    K,
    Measured,
    Setting,
    World,
    both_below,
)
from pytest_retrieval_robust.gate.difference import Difference, non_inferior
from pytest_retrieval_robust.retrieval.intervals import wilson_interval

REPEATED = Setting(300, 2.5)
MANY = Setting(600, 5)


def worlds(setting: Setting, pairs: int) -> Iterator[tuple[World, np.random.Generator]]:
    """Pairs of equal models, and what to draw their hits with."""
    for number in range(pairs):
        rng = np.random.default_rng([7, number])
        yield setting.world(rng), rng


def released(setting: Setting, *, heeds_patients: bool = True) -> Tally:
    """Whether candidates that are worse by exactly the margin pass: the same hits,
    patients heeded or not.
    """
    tally = Tally()
    for world, rng in worlds(setting, 200):
        measured = Measured.drawn(
            world.worse_by(MARGIN), rng, heeds_patients=heeds_patients
        )
        tally.add("single", non_inferior(measured.single(), MARGIN) == "pass")
        tally.add("pooled", non_inferior(measured.pooled(), MARGIN) == "pass")
    return tally


def surely_above(rate: Rate, limit: float) -> bool:
    return wilson_interval(rate.hits, rate.of, 0.999)[0] > limit


@pytest.mark.parametrize("setting", [REPEATED, MANY], ids=str)
def test_a_candidate_worse_by_the_margin_is_rarely_released(setting: Setting) -> None:
    tally = released(setting)
    for gate in ("pooled", "single"):
        assert tally.rate(gate, (0.0, ALPHA)).is_as_promised


def test_it_is_released_too_often_where_patients_are_ignored() -> None:
    """What the test above would see, were the gate's bounds those of as many patients
    as queries.
    """
    assert surely_above(released(MANY, heeds_patients=False).rate("pooled"), ALPHA)


def test_an_equal_model_is_rarely_blocked_by_any_of_many_gates() -> None:
    tally = Tally()
    for world, rng in worlds(Setting(300, occluders=4), 100):
        independent = replace(world, patient=0.0, query=0.0)
        block(tally, singles(Measured.drawn(independent, rng)))
    assert tally.rate("margin 0", (0.0, ALPHA)).is_as_promised
    assert tally.rate(f"margin {MARGIN:g}").hits == 0
    uncorrected = 1 - (1 - ALPHA) ** GATES  # 71 %
    assert tally.rate(
        f"margin 0, each of the {GATES} at the whole error", (uncorrected, uncorrected)
    ).is_as_promised


@pytest.fixture(scope="module")
def equal() -> list[dict[str, tuple[Difference, float]]]:
    """Differences of equal models, and their true standard errors."""
    pairs = []
    for world, rng in worlds(REPEATED, 150):
        measured = Measured.drawn(world, rng)
        pooled = (measured.pooled(GATES), world.error(range(len(LEVELS))))
        single = (measured.single(SINGLE, GATES), world.error([SINGLE]))
        pairs.append({"pooled": pooled, "single": single})
    return pairs


@pytest.mark.parametrize("gate", ["pooled", "single"])
def test_an_equal_model_passes_as_often_as_theory_says(
    equal: list[dict[str, tuple[Difference, float]]], gate: str
) -> None:
    tally = Tally()
    for pair in equal:
        difference, error = pair[gate]
        passes = non_inferior(difference, 0.04) == "pass"
        tally.add(gate, passes, passing(0.04, error))
    assert 0.3 < tally.theory(gate) < 0.97
    assert tally.beside_theory(gate)[0].is_as_promised


@pytest.mark.parametrize("gate", ["pooled", "single"])
def test_bounds_are_as_far_off_as_their_errors_ask(
    equal: list[dict[str, tuple[Difference, float]]], gate: str
) -> None:
    """Two patients more in the bootstrap of 120 hardly widen it; a score interval
    reaches a little further out.
    """
    pairs = [pair[gate] for pair in equal]
    errors = [difference.error / true_error for difference, true_error in pairs]
    to_pass = [(each.value - each.passes_at) / each.error for each, _ in pairs]
    to_fail = [(each.fails_at - each.value) / each.error for each, _ in pairs]
    degrees = [difference.degrees_of_freedom for difference, _ in pairs]
    # Student's deviates, because 120 patients repeat unevenly.
    alone, shared = (
        np.mean([stats.t.ppf(1 - error, df) for df in degrees])
        for error in (ALPHA, ALPHA / GATES)
    )
    assert np.mean(errors) == pytest.approx(1, abs=0.05)
    assert np.mean(to_pass) == pytest.approx(alone, rel=0.04)
    assert np.mean(to_fail) == pytest.approx(shared, rel=0.09)


def test_the_loss_that_a_gate_says_it_sees_is_seen_four_times_in_five() -> None:
    """At level 0 too, where hits vary more once some are lost."""
    tally = Tally()
    for world, rng in worlds(REPEATED, 150):
        detect(tally, world, Measured.drawn(world, rng), rng)
    for gate in tally.events:
        assert tally.rate(gate, SEEN[gate]).is_as_promised, gate


def test_intervals_hold_the_truth() -> None:
    tally = covered(REPEATED, 150, np.random.default_rng(9))
    assert len(tally.events) == 15
    for name in tally.events:
        assert tally.rate(
            name, (0.93, 1.0 if name == BEYOND else 0.97)
        ).is_as_promised, name


def test_the_truth_that_the_rates_are_set_beside_is_that_of_the_draws() -> None:
    world = Setting(200, 5).world(np.random.default_rng(10)).worse_by(0.05)
    rng = np.random.default_rng(11)
    draws = []
    for _ in range(2000):
        candidate, baseline = world.drawn(rng)
        draws.append(((candidate <= K) * 1.0 - (baseline <= K)).mean(axis=0))
    pooled_error = world.error(range(len(LEVELS)))
    single_error = world.error([SINGLE])
    assert np.mean(draws, axis=0) == pytest.approx([-0.05] * len(LEVELS), abs=0.005)
    assert np.std(np.mean(draws, axis=1)) == pytest.approx(pooled_error, rel=0.06)
    assert np.std(draws, axis=0)[SINGLE] == pytest.approx(single_error, rel=0.06)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.7, 0.95, 0.999])
def test_two_normal_variables_are_both_below_as_often_as_scipy_says(
    correlation: float,
) -> None:
    shares = np.array([0.1, 0.5, 0.99])
    exact = []
    covariance = [[1, correlation], [correlation, 1]]
    quantiles = stats.norm.ppf(shares)
    for a, b in product(quantiles, quantiles):
        exact.append(stats.multivariate_normal.cdf([a, b], cov=covariance))
    shares_of_pairs = both_below(shares, np.full((3, 3), correlation))
    assert shares_of_pairs.ravel() == pytest.approx(exact, abs=1e-6)
