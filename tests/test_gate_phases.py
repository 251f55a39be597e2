"""The script that says where the time of the gate goes times functions that exist."""

from __future__ import annotations

from benchmarks.gate_phases import Phases, Spent, table, timed_functions


def test_every_function_that_is_timed_exists() -> None:
    for _, owner, function in timed_functions():
        assert callable(getattr(owner, function))


def test_a_phase_within_another_counts_for_itself_alone() -> None:
    phases = Phases()
    phases.area = "sweeps"
    with phases.phase("outer"), phases.phase("inner"):
        for _ in range(100_000):
            pass
    outer = phases.spent["sweeps", "outer"]
    inner = phases.spent["sweeps", "inner"]
    assert inner.passed > outer.passed > 0


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
