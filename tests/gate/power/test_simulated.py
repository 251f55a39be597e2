"""Gates pass and fail as often as they are planned to, on a hundred pairs whose truth is
known; `python -m benchmarks.planning` has more.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from benchmarks.planning import NEAR, gates_of
from benchmarks.rate_tables import Rate
from benchmarks.simulated_pairs import Setting
from pytest_retrieval_robust.gate.power.sampling import Sampling

PAIRS = 60
WORLD = Setting(300, 2.5).world(np.random.default_rng(5))
GATES = {gate.name: gate for gate in gates_of(WORLD, 0.04)}


@cache
def rates_of(name: str) -> list[Rate]:
    """Of passing what is planned, and of failing the smallest loss of the plan."""
    rows = GATES[name].compared(PAIRS, np.random.default_rng(6))
    return [rate for row in rows for rate in row if isinstance(rate, Rate)]


@pytest.mark.parametrize("name", GATES)
def test_a_gate_passes_and_fails_as_often_as_planned(name: str) -> None:
    assert all(rate.is_as_promised for rate in rates_of(name))


def test_a_plan_that_ignores_patients_is_found_out() -> None:
    """What the test above would see, were queries of one patient taken for independent."""
    ignoring = replace(GATES["auc"].power, sampling=Sampling.assumed())  # type: ignore[type-var]
    planned = ignoring.passes(Sampling.assumed().at(300))
    passes = rates_of("auc")[0]
    near = (planned - NEAR, planned + NEAR)
    assert not Rate(passes.hits, passes.of, near).is_as_promised
