"""The script that says where the time of the gate goes times functions that exist."""

from __future__ import annotations

import time
from functools import partial
from itertools import count

import pytest

from benchmarks.gate_phases import Phases, Spent, table, timed_functions


def test_every_function_that_is_timed_exists() -> None:
    for _, owner, function in timed_functions():
        assert callable(getattr(owner, function))


def test_a_phase_within_another_counts_for_itself_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Each look at a clock finds it a second later.
    with monkeypatch.context() as clocks:
        for clock in ("perf_counter", "process_time"):
            clocks.setattr(time, clock, partial(next, count(0.0)))
        phases = Phases(area="sweeps", _passed=0.0)
        with phases.phase("outer"), phases.phase("inner"):
            pass
    passed = {name: spent.passed for (_, name), spent in phases.spent.items()}
    assert passed == {"other": 0.0, "outer": 2.0, "inner": 1.0}


def test_the_table_has_a_row_per_phase_and_sums() -> None:
    phases = Phases()
    phases.spent["sweeps", "hiding"] = Spent(2.0, 3.0)
    phases.spent["sweeps", "ranks"] = Spent(0.1, 0.2)
    assert table(phases).splitlines()[2:] == [
        "| sweeps | hiding | 2.0 | 3.0 |",
        "| all others |  | 0.1 | 0.2 |",
        "| **sweeps** |  | 2.1 | 3.2 |",
        "| **all** |  | 2.1 | 3.2 |",
    ]
