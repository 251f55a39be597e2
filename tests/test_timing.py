"""What hiding costs: the clock, and the timer through pytest-benchmark and without it. No assertion on seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from pytest_retrieval_robust.clock import InterleavedRounds, Stopwatch

from .conftest import SMALL

SUITE = """
def test_timing(occlusion_timer, gate):
    cost = occlusion_timer(images=4, rounds=3)
    assert cost.rounds == 3 and cost.images == 4
    assert cost.clean_seconds > 0 and cost.occluded_seconds > 0
    assert gate.cost_violations(cost) == []
"""


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that each of the next actions takes, by a clock that is told so."""
    durations: list[float] = []

    def readings() -> Iterator[float]:
        now = 0.0
        while True:
            yield now
            now += durations.pop(0)
            yield now

    clock = readings()
    monkeypatch.setattr("pytest_retrieval_robust.clock.time.perf_counter", lambda: next(clock))
    return durations


def nothing() -> None:
    """An action that the told clock gives a duration."""


def test_the_relative_cost_is_the_median_of_interleaved_ratios(ticks: list[float]) -> None:
    ticks += [1.0, 1.1, 2.0, 2.6, 10.0, 50.0]  # clean and occluded in turn; the machine slows down meanwhile
    rounds = InterleavedRounds(nothing, nothing, "cpu")
    rounds.measure(3)
    assert rounds.relative_cost == pytest.approx(1.3)
    assert (rounds.clean_seconds, rounds.occluded_seconds) == pytest.approx((2.0, 2.6))
    assert rounds.rounds == 3


def test_a_stopwatch_sums_what_it_ran(ticks: list[float]) -> None:
    ticks += [1.5, 2.5]
    watch = Stopwatch("cpu")
    for _ in range(2):
        with watch.running():
            nothing()
    assert watch.seconds == 4.0


def test_pytest_benchmark_gets_the_rounds_where_it_is_active(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=SUITE)
    result = pytester.runpytest_inprocess(*SMALL, "--benchmark-json=bench.json")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*benchmark 'tiny-cxr-clip on synthetic-cxr': 2 tests*", "RELEASE GATE: PASSED*"])
    benchmarks = json.loads((pytester.path / "bench.json").read_text())["benchmarks"]
    assert [one["stats"]["rounds"] for one in benchmarks] == [3, 3]


@pytest.mark.parametrize("options", [("--benchmark-disable",), ("-p", "no:benchmark"), ("-n", "2")])
def test_the_same_is_measured_where_it_is_not(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    pytester.makepyfile(test_mine=SUITE)
    result = pytester.runpytest_inprocess(*SMALL, *options)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["RELEASE GATE: PASSED*"])


def test_a_cost_above_its_ceiling_fails_with_a_full_sentence(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=SUITE)
    pytester.makefile(".toml", robust="[[gate]]\nlevel = 0.3\nrelative_cost = 0.01\nimages_per_second = 1e9\n")
    result = pytester.runpytest_inprocess(*SMALL)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["failed: *", "*RELEASE GATE: FAILED because 2 of 2 gates were not met"])


def test_timing_alone_needs_no_sweep(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=SUITE)
    result = pytester.runpytest_inprocess(*SMALL, "--robust-results=out")
    run = json.loads((pytester.path / "out/run.json").read_text())
    assert result.ret == 0
    assert run["outcomes"] == []
    assert len(run["costs"]) == 2
    assert run["models"][0]["status"] == "tested"
