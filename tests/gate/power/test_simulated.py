"""Gates pass and fail as often as they are planned to, on a hundred pairs whose truth is
known; `python -m benchmarks.planning` has more.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.planning import Beside, gates_of
from benchmarks.rate_tables import Rate
from benchmarks.simulated_pairs import Setting

PAIRS = 100
RNG = np.random.default_rng(5)
GATES = {gate.name: gate for gate in gates_of(Setting(300, 2.5).world(RNG), 0.04)}


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
def test_a_gate_passes_and_fails_as_often_as_planned(gate: Beside) -> None:
    for row in gate.compared(PAIRS, np.random.default_rng(6)):
        rate = row[-1]
        assert isinstance(rate, Rate)
        assert rate.is_as_promised, row


def test_a_plan_that_ignores_patients_is_found_out() -> None:
    """What the test above would see, were queries of one patient taken for independent."""
    gate = GATES["auc"]
    effect = gate.power.sampling.effect
    assert effect > 1.5
    planned = gate.power.passes(gate.power.sampling.at(round(300 * effect)))
    (passes, *_) = gate.compared(PAIRS, np.random.default_rng(6))
    rate = passes[-1]
    assert isinstance(rate, Rate)
    ignoring = Rate(rate.hits, rate.of, (planned - 0.02, planned + 0.02))
    assert not ignoring.is_as_promised
