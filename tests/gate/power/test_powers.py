"""Powers of single gates, beside sums over every outcome and the distributions of scipy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_retrieval_robust.gate.curve_statistics import Statistic
from pytest_retrieval_robust.gate.difference import Errors
from pytest_retrieval_robust.gate.power.cell import CellPower, tango_scores
from pytest_retrieval_robust.gate.power.curve_floor import CurveFloorPower, derivative
from pytest_retrieval_robust.gate.power.every_group import EveryGroupPower
from pytest_retrieval_robust.gate.power.normal import mean_below
from pytest_retrieval_robust.gate.power.paired_rates import (
    both_hit,
    correlation_of,
    wins_and_losses,
)
from pytest_retrieval_robust.gate.power.planned import GatePower
from pytest_retrieval_robust.gate.power.pooled import PairedLevels, PooledPower
from pytest_retrieval_robust.gate.power.recall_floor import RecallFloorPower
from pytest_retrieval_robust.gate.power.sampling import Sampling
from pytest_retrieval_robust.gate.power.solve import needed_queries, smallest_loss
from pytest_retrieval_robust.retrieval.intervals import (
    paired_score_bounds,
    wilson_interval,
)

ALONE = Sampling.assumed()
REPEATED = Sampling.assumed(3.0, 0.4)
ERRORS = Errors(0.05, 4)
SHARES = st.floats(0.02, 0.98)


def pooled(sampling: Sampling = ALONE, margin: float = 0.02) -> PooledPower:
    between = ((1.0, 0.3), (0.3, 1.0))
    levels = PairedLevels((0.8, 0.5), (0.7, 0.6), between)
    return PooledPower(levels, (0.5, 0.5), margin, ERRORS, sampling, 0.65)


@pytest.mark.parametrize("decide", ["bound", "point"])
@pytest.mark.parametrize(("floor", "loss"), [(0.5, 0.0), (0.5, 0.2), (0.9, 0.0)])
def test_a_floor_passes_and_fails_as_often_as_all_hits_say(
    decide: str, floor: float, loss: float
) -> None:
    """Without patients that repeat: Wilson's bounds of every number of hits."""
    n = 60
    by: dict[str, float] = {"pass": 0.0, "fail": 0.0}
    for hits in range(n + 1):
        low, high = wilson_interval(hits, n, 0.9)
        if decide == "point":
            low = high = hits / n
        chance = float(stats.binom.pmf(hits, n, 0.62 - loss))
        if low >= floor - 1e-12:
            by["pass"] += chance
        elif high < floor - 1e-12:
            by["fail"] += chance
    gate = RecallFloorPower(0.62, floor, decide, 0.95, ALONE)  # type: ignore[arg-type]
    sample = ALONE.at(n)
    assert gate.passes(sample, loss) == pytest.approx(by["pass"], abs=1e-9)
    assert gate.fails(sample, loss) == pytest.approx(by["fail"], abs=1e-9)


@pytest.mark.parametrize("loss", [0.0, 0.15])
def test_a_cell_passes_and_fails_as_often_as_all_wins_and_losses_say(
    loss: float,
) -> None:
    """Tango's bounds, by bisection, of every number of both."""
    n = 40
    gate = CellPower(0.6, 0.7, 0.1, ERRORS, ALONE)
    won, lost = wins_and_losses(0.6, 0.6 - loss, 0.7)
    by = {"pass": 0.0, "fail": 0.0}
    for wins, losses in product(range(n + 1), range(n + 1)):
        counts = (wins, losses, n - wins - losses)
        if counts[2] < 0:
            continue
        chance = stats.multinomial.pmf(counts, n, (won, lost, 1 - won - lost))
        if chance < 1e-12:
            continue
        if paired_score_bounds(wins, losses, n, ERRORS.passing)[0] >= -0.1 - 1e-12:
            by["pass"] += float(chance)
        if paired_score_bounds(wins, losses, n, ERRORS.failing)[1] < -0.1 - 1e-12:
            by["fail"] += float(chance)
    sample = ALONE.at(n)
    assert gate.passes(sample, loss) == pytest.approx(by["pass"], abs=1e-6)
    assert gate.fails(sample, loss) == pytest.approx(by["fail"], abs=1e-6)


@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([0.01, 0.05, 0.2]))
def test_scores_are_those_of_the_bounds_that_gates_take(
    wins: int, losses: int, alpha: float
) -> None:
    n = 150
    low, high = paired_score_bounds(wins, losses, n, alpha)
    z = float(stats.norm.ppf(1 - alpha))
    for bound, expected in ((low, z), (high, -z)):
        if abs(bound) < 0.999:
            score = tango_scores(
                np.array([float(wins)]), np.array([float(losses)]), float(n), bound
            )
            assert score[0] == pytest.approx(expected, abs=1e-3)


@given(SHARES, SHARES, st.floats(0.0, 0.95))
def test_wins_and_losses_are_those_of_two_models_of_these_recalls(
    baseline: float, candidate: float, correlation: float
) -> None:
    won, lost = wins_and_losses(baseline, candidate, correlation)
    assert min(won, lost) >= 0
    assert won + lost <= 1 + 1e-9
    assert won - lost == pytest.approx(candidate - baseline)


@given(SHARES, SHARES, st.floats(-0.99, 0.99))
def test_both_hit_as_often_as_scipy_says(
    first: float, second: float, correlation: float
) -> None:
    quantiles = stats.norm.ppf([first, second])
    normal = stats.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]])
    assert both_hit(first, second, correlation) == pytest.approx(
        float(normal.cdf(quantiles)), abs=1e-6
    )


@pytest.mark.parametrize("correlation", [-0.2, 0.0, 0.5, 0.95])
def test_models_of_one_recall_have_the_correlation_that_was_asked_for(
    correlation: float,
) -> None:
    won, lost = wins_and_losses(0.7, 0.7, correlation)
    assert won == pytest.approx(lost)
    assert won + lost == pytest.approx(2 * 0.7 * 0.3 * (1 - correlation), abs=1e-6)


def test_a_model_that_lost_some_still_wins_as_its_scores_say() -> None:
    """Beside draws of scores whose correlation stays, in 400,000 queries."""
    alike = 0.95
    random = np.random.default_rng(0)
    scores = random.multivariate_normal([0, 0], [[1, alike], [alike, 1]], 400_000)
    baseline, candidate = stats.norm.ppf([0.62, 0.54])
    phi = np.corrcoef((scores < baseline).T)[0, 1]
    hits = scores < [baseline, candidate]
    won, lost = wins_and_losses(0.62, 0.54, float(phi))
    assert won == pytest.approx((hits[:, 1] & ~hits[:, 0]).mean(), abs=1.5e-3)
    assert lost == pytest.approx((hits[:, 0] & ~hits[:, 1]).mean(), abs=1.5e-3)


@given(SHARES, st.floats(0.05, 0.9))
def test_a_discordance_is_that_of_its_correlation(recall: float, part: float) -> None:
    discordance = part * 2 * min(recall, 1 - recall)
    correlation = correlation_of(recall, discordance)
    if correlation >= 0:
        won, lost = wins_and_losses(recall, recall, correlation)
        assert won + lost == pytest.approx(discordance, abs=1e-6)


@pytest.mark.parametrize("patients", [8, 30, 200])
def test_an_estimated_error_costs_what_noncentral_t_says(patients: int) -> None:
    sample = Sampling((3,), 0.2).at(3 * patients)
    degrees = sample.sizes.degrees_of_freedom
    assert degrees == patients - 1
    deviate = stats.t.ppf(0.95, degrees)
    for centre in (1.0, 2.5, 4.0):
        expected = stats.nct.sf(deviate, degrees, centre)
        power = mean_below(centre - deviate * sample.error_ratios)
        assert power == pytest.approx(float(expected), abs=0.004)


def test_a_cell_needs_as_many_queries_as_the_textbook_says() -> None:
    """J.-p. Liu and others (2002): the sum of two deviates squared, times the share
    that differs, over the margin squared.
    """
    gate = CellPower(0.6, 0.75, 0.03, Errors(0.05), ALONE)
    deviates = stats.norm.ppf(0.95) + stats.norm.ppf(0.8)
    expected = deviates**2 * 0.12 / 0.03**2
    assert needed_queries(gate, 0.8) == pytest.approx(expected, rel=0.03)


def test_patients_that_repeat_take_as_many_more_queries_as_their_design_effect() -> (
    None
):
    alone = needed_queries(pooled(), 0.8)
    repeated = needed_queries(pooled(REPEATED), 0.8)
    assert alone is not None
    assert repeated is not None
    # A geometric number with the mean 3 has 5 in the mean over queries.
    assert REPEATED.effect == pytest.approx(1 + 4 * 0.4, rel=0.02)
    assert repeated == pytest.approx(alone * REPEATED.effect, rel=0.03)
    assert REPEATED.at(repeated).patients == pytest.approx(repeated / 3, rel=0.02)


GATES: dict[str, GatePower] = {
    "floor": RecallFloorPower(0.6, 0.5, "bound", 0.95, ALONE),
    "floor, patients": RecallFloorPower(0.6, 0.5, "bound", 0.95, REPEATED),
    "cell": CellPower(0.6, 0.7, 0.03, ERRORS, ALONE),
    "cell, patients": CellPower(0.6, 0.7, 0.03, ERRORS, REPEATED),
    "pooled": pooled(),
    "pooled, patients": pooled(REPEATED),
    "retention": CurveFloorPower(
        Statistic.RETENTION,
        (0.0, 0.3),
        (0.9, 0.7),
        ((1.0, 0.4), (0.4, 1.0)),
        0.72,
        "bound",
        0.95,
        REPEATED,
    ),
    "groups": EveryGroupPower(pooled(), (0.5, 0.3, 0.2)),
}


@pytest.mark.parametrize("name", GATES)
def test_the_needed_queries_are_enough_and_the_smallest_loss_is_seen(name: str) -> None:
    gate = GATES[name]
    queries = needed_queries(gate, 0.8)
    assert queries is not None
    for size in (queries, queries + 1, queries + 5, 2 * queries):
        assert gate.passes(gate.sampling.at(size)) >= 0.8 - 0.002
    assert gate.passes(gate.sampling.at(round(0.9 * queries))) < 0.8
    loss = smallest_loss(gate, queries, 0.9)
    assert loss is not None
    sample = gate.sampling.at(queries)
    assert gate.fails(sample, loss) >= 0.9
    assert gate.fails(sample, 0.95 * loss) < 0.9
    assert gate.passes(sample, loss) + gate.fails(sample, loss) <= 1 + 1e-9


def test_every_group_passes_as_often_as_independent_ones() -> None:
    gate = pooled()
    groups = EveryGroupPower(gate, (0.6, 0.4))
    large = gate.passes(ALONE.at(1200))
    small = gate.passes(ALONE.at(800))
    sample = ALONE.at(2000)
    assert groups.passes(sample) == pytest.approx(large * small)
    lost = gate.passes(ALONE.at(800), 0.03)
    assert groups.passes(sample, 0.03) == pytest.approx(large * lost)


def test_half_of_a_curve_is_derived_where_it_crosses() -> None:
    """By hand: the crossing between two levels, moved by each recall."""
    slope = derivative(Statistic.HALF_LEVEL, (0.0, 0.2, 0.4), np.array([0.8, 0.6, 0.2]))
    # 0.2 + 0.2 (0.6 - 0.4) / 0.4, whose half moves with the first recall.
    assert slope == pytest.approx([-0.25, 0.25, 0.25], abs=1e-4)


def test_what_no_number_of_queries_passes_says_why() -> None:
    floor = RecallFloorPower(0.6, 0.6, "bound", 0.95, ALONE)
    assert needed_queries(floor, 0.8) is None
    assert floor.obstacle is not None
    assert "recall=0.6 is not above the floor of 0.6" in floor.obstacle
    without_margin = CellPower(0.6, 0.7, 0.0, ERRORS, ALONE)
    assert needed_queries(without_margin, 0.8) is None
    tiny = RecallFloorPower(0.5002, 0.5, "bound", 0.95, ALONE)
    assert needed_queries(tiny, 0.8) is None


def test_a_gate_on_few_queries_sees_no_loss() -> None:
    assert smallest_loss(CellPower(0.1, 0.7, 0.05, ERRORS, ALONE), 20, 0.8) is None


@given(st.floats(1.0, 20.0), st.floats(0.0, 1.0))
def test_sizes_keep_their_mean(mean: float, icc: float) -> None:
    sampling = Sampling.assumed(mean, icc)
    assert sampling.queries_per_patient == pytest.approx(mean, rel=0.03)
    assert 1 <= sampling.effect <= max(sampling.sizes)
    sample = sampling.at(1000)
    assert sample.sizes.queries == pytest.approx(1000, rel=0.1)


def test_a_sampling_of_a_run_has_the_effect_of_the_run() -> None:
    sizes = (1, 1, 2, 5)
    sampling = Sampling.with_effect(sizes, 1.8)
    assert sampling.effect == pytest.approx(1.8)
    # No larger than that of patients whose queries are all alike.
    assert Sampling.with_effect(sizes, 9.0).effect == pytest.approx(31 / 9)


@pytest.mark.parametrize("name", ["floor", "cell", "pooled", "retention"])
def test_too_few_patients_decide_nothing(name: str) -> None:
    """As the gate itself: whatever they say, it is inconclusive."""
    gate = GATES.get(f"{name}, patients", GATES[name])
    few = gate.sampling.at(15)
    assert few.patients == 5
    assert few.has_too_few_patients
    assert gate.passes(few) == 0
    assert gate.fails(few, gate.most) == 0
    queries = needed_queries(gate, 0.5)
    assert queries is not None
    assert not gate.sampling.at(queries).has_too_few_patients
