"""How often an unchanged model fails suggested floors, on a few runs whose truth is known;
`python -m benchmarks.suggested_floors` has more.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.simulated_pairs import LEVELS, K, Setting, run_of
from benchmarks.suggested_floors import (
    asked_of,
    blocked,
    floors_of,
    held,
    is_within,
    minimum,
    reached,
)
from pytest_retrieval_robust.gate.comparison import Run
from pytest_retrieval_robust.gate.record import Against, judge_run
from pytest_retrieval_robust.gate.suggest.margins import AGREEMENT
from pytest_retrieval_robust.gate.suggest.suggested import key_of
from pytest_retrieval_robust.gate.suggest.tables import policy_of
from pytest_retrieval_robust.retrieval.bootstrap import Clusters

RISK = 0.2
"""Larger than usual, so that few runs tell."""
SETTINGS = (Setting(400), Setting(400, 2.5))


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_an_unchanged_model_fails_any_floor_as_rarely_as_asked(
    setting: Setting,
) -> None:
    """8 worlds, each with floors of one run and 100 others held against them."""
    rates = []
    for number in range(8):
        rng = np.random.default_rng([1, number])
        world = setting.world(rng)
        of_world = held(world, setting, asked_of(risk=RISK), rng, sources=1, runs=100)
        rates.append(of_world.failed / of_world.of)
    error = np.std(rates, ddof=1) / np.sqrt(len(rates))
    assert np.mean(rates) - 2 * error < RISK
    # A floor so low that nothing ever fails would be no suggestion.
    assert np.mean(rates) > RISK / 10


def test_a_model_that_lost_what_the_floors_guard_fails() -> None:
    setting = SETTINGS[1]
    rng = np.random.default_rng(2)
    world = setting.world(rng)
    worse = replace(world, candidate=world.candidate - 0.15)
    floors = floors_of(
        run_of("before", world.drawn(rng)[0], world.patients), asked_of()
    )
    other = run_of("after", worse.drawn(rng)[0], worse.patients)
    record = judge_run(other, policy_of(floors, asked_of()), Against())
    assert record.verdict_counts()["fail"] > 0


def test_floors_made_without_heed_to_patients_would_fail_more_often() -> None:
    """Each query as a patient of its own, where each patient has five queries."""
    setting = Setting(600, 5)
    heeded: list[float] = []
    ignored: list[float] = []
    for number in range(2):
        rng = np.random.default_rng([3, number])
        world = setting.world(rng)
        ranks = world.drawn(rng)[0]
        alone = np.arange(len(ranks))
        for patients, distances in ((world.patients, heeded), (alone, ignored)):
            floors = floors_of(run_of("run", ranks, patients), asked_of())
            falls = [each.observed - minimum(each) for each in floors]
            distances.append(float(np.mean(falls)))
    assert np.mean(heeded) > 1.2 * np.mean(ignored)


def test_by_bound_an_unchanged_model_is_blocked_as_rarely() -> None:
    failed = 0
    for number in range(6):
        rng = np.random.default_rng([4, number])
        asked = asked_of("bound", RISK)
        failed += blocked(SETTINGS[1].world(rng), SETTINGS[1], asked, rng)
    # 5 or more of 6 at a rate of 0.2: once in 600.
    assert failed < 5


def test_a_suggested_margin_passes_an_equally_good_model_and_not_a_worse_one() -> None:
    setting = replace(SETTINGS[1], agreement=AGREEMENT)
    equal = 0
    worse = 0
    for number in range(8):
        rng = np.random.default_rng([6, number])
        world = setting.world(rng)
        equal += is_within(world, setting, RISK, rng)
        worse += is_within(world, setting, RISK, rng, loss=0.1)
    assert equal >= 5
    assert worse == 0


def test_the_benchmark_reaches_what_the_gates_judge() -> None:
    """What it computes apart from the package is what verdicts observe."""
    setting = SETTINGS[0]
    rng = np.random.default_rng(5)
    world = setting.world(rng)
    ranks = world.drawn(rng)[0]
    run: Run = run_of("run", ranks, world.patients)
    floors = floors_of(run, asked_of())
    recalls = (ranks <= K).mean(axis=0)[None]
    record = judge_run(run, policy_of(floors, asked_of()), Against())
    observed = {key_of(each): each.observed for each in record.verdicts}
    assert len(floors) == 1 + 2 * (len(LEVELS) - 1) + 2
    for each in floors:
        assert observed[each.key] == pytest.approx(reached(each, recalls)[0])
    assert Clusters.of(world.patients).alone
