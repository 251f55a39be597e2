"""What hiding costs: the clock, and the timer through pytest-benchmark and without it.
No assertion on seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pytest_retrieval_robust
from pytest_retrieval_robust.core.cases import Case
from pytest_retrieval_robust.core.costs import (
    CostMeasurement,
    Latency,
    ReferenceCost,
    quantile,
)
from pytest_retrieval_robust.measure.timing.clock import (
    WARM_UP_CALLS,
    InterleavedRounds,
    Stopwatch,
    latency_of,
)

from ...conftest import SMALL

SUITE = """
def test_timing(occlusion_timer, gate):
    cost = occlusion_timer(images=4, rounds=3)
    assert cost.rounds == 3 and cost.images == 4
    assert cost.clean_seconds > 0 and cost.occluded_seconds > 0
    assert gate.cost_violations(cost) == []
"""
MEASURES = """
def test_timing(occlusion_timer):
    occlusion_timer(images=4, rounds=3, calls=5)
"""
UNLOADABLE = """
import pytest
from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.models import ModelEntry

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    def load(request):
        raise ModelError("Expected weights, got none.")

    missing = {"missing": lambda request: "its weights are not here", "fetchable": False}
    catalogues.models.add(ModelEntry("absent", "is not on this machine", load, **missing))
    catalogues.models.add(ModelEntry("damaged", "cannot be loaded", load))
"""
RELATIVE = (
    '[[gate]]\nmodel = "tiny-cxr-clip"\ncost_relative_to = {{ model = "{other}", max ='
    " 1e9 }}\n"
)
CASE = Case("tiny-cxr-clip", "synthetic-cxr", "patches", 0.0, 0)
SECONDS = st.floats(1e-9, 1e6)
RATIOS = st.lists(SECONDS, min_size=1, max_size=9).map(tuple)
COSTS = st.builds(
    CostMeasurement,
    case=st.builds(
        Case,
        st.just("m"),
        st.just("d"),
        st.just("o"),
        st.sampled_from((0.0, 0.3)),
        st.integers(0, 9),
    ),
    clean_seconds=SECONDS,
    occluded_seconds=SECONDS,
    relative_cost=SECONDS,
    rounds=st.integers(1, 9),
    images=st.integers(1, 64),
    device=st.sampled_from(("cpu", "cuda:0", "mps")),
    ratios=RATIOS,
    hardware=st.text(max_size=20),
    latency=st.none() | st.builds(Latency, SECONDS, SECONDS, st.integers(1, 99)),
    peak_memory_bytes=st.none() | st.integers(0, 2**50),
    reference=st.none() | st.builds(ReferenceCost, st.just("other"), SECONDS, RATIOS),
)


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that each of the next actions takes, by a clock of the test's own."""
    durations: list[float] = []

    def readings() -> Iterator[float]:
        now = 0.0
        while True:
            yield now
            now += durations.pop(0)
            yield now

    clock = readings()
    monkeypatch.setattr(
        "pytest_retrieval_robust.measure.timing.clock.time.perf_counter",
        lambda: next(clock),
    )
    return durations


def nothing() -> None:
    """An action that lasts as long as `ticks` says."""


@cache
def schema_of_costs() -> jsonschema.Draft202012Validator:
    """The part of the saved run's schema that speaks of costs."""
    file = Path(pytest_retrieval_robust.__file__).parent / "reports/run.schema.json"
    whole = json.loads(file.read_text())
    return jsonschema.Draft202012Validator(
        {"$defs": whole["$defs"], **whole["properties"]["costs"]}
    )


def costs_of(pytester: pytest.Pytester, *options: str) -> dict[float, dict[str, Any]]:
    """The costs that a run of the suite saves, by level."""
    result = pytester.runpytest_inprocess(*SMALL, "--robust-results=out", *options)
    result.assert_outcomes(passed=2)
    costs = json.loads((pytester.path / "out/run.json").read_text())["costs"]
    schema_of_costs().validate(costs)
    return {cost["case"]["level"]: cost for cost in costs}


def test_the_relative_cost_is_the_median_of_interleaved_ratios(
    ticks: list[float],
) -> None:
    # Clean and occluded in turn; the machine slows down meanwhile.
    ticks += [1.0, 1.1, 2.0, 2.6, 10.0, 50.0]
    rounds = InterleavedRounds(nothing, nothing, "cpu")
    rounds.measure(3)
    assert rounds.ratios == pytest.approx((1.1, 1.3, 5.0))
    assert rounds.ratio == pytest.approx(1.3)
    assert rounds.baseline_seconds == pytest.approx(2.0)
    assert rounds.compared_seconds == pytest.approx(2.6)
    assert rounds.rounds == 3


def test_rounds_that_are_not_kept_count_for_nothing(ticks: list[float]) -> None:
    ticks += [1.0, 2.0, 100.0]
    rounds = InterleavedRounds(nothing, nothing, "cpu")
    rounds.measure(1)
    # As a profiler does, which repeats the second half alone.
    rounds.measure_compared()
    rounds.keep(1)
    assert rounds.ratios == (2.0,)


def test_a_stopwatch_sums_what_it_ran(ticks: list[float]) -> None:
    ticks += [1.5, 2.5]
    watch = Stopwatch("cpu")
    for _ in range(2):
        with watch.running():
            nothing()
    assert watch.seconds == 4.0


def test_a_latency_leaves_its_warm_up_out(ticks: list[float]) -> None:
    ticks += [4.0, 1.0, 3.0, 2.0, 5.0]
    calls: list[int] = []
    latency = latency_of(lambda: calls.append(1), "cpu", 5)
    assert len(calls) == WARM_UP_CALLS + 5
    assert (latency.p50, latency.p95, latency.calls) == pytest.approx((3.0, 4.8, 5))


@given(st.lists(SECONDS, min_size=1, max_size=50), st.floats(0, 1))
def test_quantiles_are_those_of_numpy(values: list[float], share: float) -> None:
    assert quantile(values, share) == pytest.approx(float(np.quantile(values, share)))


@given(COSTS)
def test_a_cost_comes_back_from_json_and_fits_the_schema(cost: CostMeasurement) -> None:
    data = json.loads(json.dumps(cost.as_json()))
    schema_of_costs().validate([data])
    assert CostMeasurement.from_json(data) == cost


def test_a_cost_saved_without_its_rounds_is_read_too() -> None:
    whole = CostMeasurement(CASE, 1.0, 2.0, 2.0, 3, 4, "cpu")
    first = (
        "case",
        "clean_seconds",
        "occluded_seconds",
        "relative_cost",
        "rounds",
        "images",
        "device",
    )
    read = CostMeasurement.from_json(
        {key: value for key, value in whole.as_json().items() if key in first}
    )
    assert read == whole
    assert read.spread == (2.0, 2.0)


def test_the_spread_is_the_quartiles_of_the_rounds() -> None:
    ratios = (5.0, 1.0, 2.0, 4.0, 3.0)
    cost = CostMeasurement(CASE, 1.0, 3.0, 3.0, 5, 4, "cpu", ratios)
    assert cost.spread == (2.0, 4.0)
    assert ReferenceCost("other", 1.0, ratios).ratio == cost.relative_cost


def test_pytest_benchmark_gets_the_rounds_where_it_is_active(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_mine=SUITE)
    measured = (
        "--benchmark-json=bench.json",
        "--robust-results=out",
        "--robust-measure-only",
    )
    result = pytester.runpytest_inprocess(*SMALL, *measured)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*benchmark 'tiny-cxr-clip on synthetic-cxr': 2 tests*", "MEASURED ONLY*"]
    )
    benchmarks = json.loads((pytester.path / "bench.json").read_text())["benchmarks"]
    saved = json.loads((pytester.path / "out/run.json").read_text())["costs"]
    for benchmark, cost_json in zip(benchmarks, saved, strict=True):
        cost = CostMeasurement.from_json(cost_json)
        assert benchmark["stats"]["rounds"] == 3
        assert benchmark["extra_info"] == {
            "relative_cost": cost.relative_cost,
            "relative_cost_quartiles": list(cost.spread),
            "hardware": cost.hardware,
        }


def test_pytest_benchmark_prints_tables_of_our_cells_only_if_asked(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_mine=MEASURES,
        test_theirs="def test_theirs(benchmark): benchmark.pedantic(sum, ([1, 2],))",
    )
    usual = pytester.runpytest_inprocess(*SMALL)
    usual.assert_outcomes(passed=3)
    usual.stdout.fnmatch_lines(["*- benchmark: 1 tests -*", "test_theirs *"])
    usual.stdout.no_fnmatch_line("*benchmark 'tiny-cxr-clip*")
    with_option = pytester.runpytest_inprocess(*SMALL, "--benchmark-columns=min")
    with_option.stdout.fnmatch_lines_random(
        ["*benchmark 'tiny-cxr-clip on synthetic-cxr': 2 tests*", "test_theirs *"]
    )


def test_a_suite_of_our_cells_alone_prints_no_heading_of_pytest_benchmark(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_mine=MEASURES)
    pytester.runpytest_inprocess(*SMALL).stdout.no_fnmatch_line("*Legend*")


def test_pytest_benchmark_compares_with_a_saved_run_as_usual(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_mine=MEASURES)
    storage = "--benchmark-storage=saved"
    pytester.runpytest_inprocess(
        *SMALL, storage, "--benchmark-autosave"
    ).assert_outcomes(passed=2)
    result = pytester.runpytest_inprocess(*SMALL, storage, "--benchmark-compare")
    result.assert_outcomes(passed=2)
    for level in ("0.00", "0.30"):
        # One line of this run and one of the saved run for each test.
        named = (
            f"test_timing[[]tiny-cxr-clip-synthetic-cxr-patches-level{level}-seed0[]]"
        )
        result.stdout.fnmatch_lines_random([f"{named} (NOW)*", f"{named} (0001_*"])


def test_a_profiled_benchmark_still_reports_the_rounds_asked_for(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_mine=MEASURES)
    costs = costs_of(
        pytester, "--benchmark-cprofile=tottime", "--benchmark-cprofile-loops=2"
    )
    assert [(cost["rounds"], len(cost["ratios"])) for cost in costs.values()] == [
        (3, 3),
        (3, 3),
    ]


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize(
    "options", [("--benchmark-disable",), ("-p", "no:benchmark"), ("-n", "2")]
)
def test_the_same_is_measured_where_it_is_not(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    pytester.makepyfile(test_mine=SUITE)
    result = pytester.runpytest_inprocess(*SMALL, *options, "--robust-measure-only")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["MEASURED ONLY*"])


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("options", [(), ("-p", "no:benchmark"), ("-n", "2")])
def test_level_0_is_measured_alone_and_beside_another_model(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    pytester.makepyfile(test_mine=MEASURES)
    pytester.makefile(".toml", robust=RELATIVE.format(other="tiny-general-clip"))
    costs = costs_of(pytester, *options)
    clean, hidden = costs[0.0], costs[0.3]
    assert clean["latency"]["calls"] == 5
    assert clean["peak_memory_bytes"] > 0
    assert clean["reference"]["model"] == "tiny-general-clip"
    assert len(clean["reference"]["ratios"]) == 3
    for measured_clean in ("latency", "peak_memory_bytes", "reference"):
        assert hidden[measured_clean] is None
    assert [len(cost["ratios"]) for cost in costs.values()] == [3, 3]
    assert clean["hardware"] == hidden["hardware"] != ""


@pytest.mark.parametrize("reference", ["tiny-cxr-clip", "absent", "damaged"])
def test_there_is_no_reference_by_itself_or_by_a_model_that_cannot_be_loaded(
    pytester: pytest.Pytester, reference: str
) -> None:
    pytester.makeconftest(UNLOADABLE)
    pytester.makepyfile(test_mine=MEASURES)
    pytester.makefile(".toml", robust=RELATIVE.format(other=reference))
    assert costs_of(pytester)[0.0]["reference"] is None


def test_a_reference_that_cannot_be_loaded_does_not_spoil_its_own_tests(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(UNLOADABLE)
    pytester.makepyfile(test_mine=MEASURES)
    pytester.makefile(".toml", robust=RELATIVE.format(other="damaged"))
    result = pytester.runpytest_inprocess(
        *SMALL, "--robust-models=tiny-cxr-clip,damaged"
    )
    result.assert_outcomes(passed=2, errors=1, skipped=1)
    result.stdout.fnmatch_lines(["ModelError: Expected weights, got none."])


def test_a_reference_that_nobody_knows_is_an_error_that_says_what_is_close(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_mine=MEASURES)
    pytester.makefile(".toml", robust=RELATIVE.format(other="tiny-generel-clip"))
    result = pytester.runpytest_inprocess(*SMALL)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*got model='tiny-generel-clip'. Did you mean 'tiny-general-clip'*"]
    )


def test_what_level_0_takes_is_measured_once_for_all_masks(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_mine=MEASURES)
    pytester.makefile(".toml", robust=RELATIVE.format(other="tiny-general-clip"))
    pytester.runpytest_inprocess(
        *SMALL, "--robust-results=out", "--robust-levels=0", "--robust-seeds=0,1"
    )
    first, second = json.loads((pytester.path / "out/run.json").read_text())["costs"]
    assert first["case"] != second["case"]
    for key in ("latency", "peak_memory_bytes", "reference"):
        assert first[key] == second[key]


def test_every_timed_batch_is_encoded_afresh(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        import pytest
        from pytest_retrieval_robust.models import ModelEntry

        CALLS = []

        @pytest.hookimpl(optionalhook=True)
        def pytest_robust_register(catalogues):
            from pytest_retrieval_robust import encoder_from_callables

            def encode_images(pixels):
                CALLS.append(len(pixels))
                return 1 + pixels.mean((2, 3))

            def encode_reports(texts):
                return [[1, len(text), 9] for text in texts]

            def load(request):
                return encoder_from_callables("counted", encode_images, encode_reports)

            catalogues.models.add(ModelEntry("counted", "counts its calls", load))

        @pytest.fixture
        def calls(retrieval_model):
            CALLS.clear()
            return CALLS
        """)
    pytester.makepyfile(
        test_mine=f"""
        def test_timing(calls, occlusion_timer):
            cost = occlusion_timer(images=4, rounds=3, calls=5)
            alone = [4] + [1] * ({WARM_UP_CALLS} + 5) if cost.case.level == 0 else []
            assert calls == [4, 4] * (1 + 3) + alone
            occlusion_timer(images=4, rounds=3, calls=5)
            assert calls[-8:] == [4, 4] * (1 + 3)
        """
    )
    options = (
        "--robust-models=counted",
        "--robust-levels=0.3",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:benchmark",
    )
    pytester.runpytest_inprocess(*options).assert_outcomes(passed=2)


@pytest.mark.parametrize("wrong", ["images=0", "rounds=0", "calls=0"])
def test_a_timer_asked_for_nothing_says_so(
    pytester: pytest.Pytester, wrong: str
) -> None:
    pytester.makepyfile(
        test_mine=f"def test_timing(occlusion_timer): occlusion_timer({wrong})"
    )
    result = pytester.runpytest_inprocess(*SMALL)
    result.stdout.fnmatch_lines(
        [f"*Expected {wrong[:-2]} of at least 1, got {wrong}.*"]
    )


def test_a_cost_above_its_ceiling_fails_with_a_full_sentence(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_mine=SUITE)
    pytester.makefile(
        ".toml",
        robust=(
            "[[gate]]\nlevel = 0.3\nrelative_cost = 0.01\nimages_per_second ="
            ' 1e9\nhardware = "*"\n'
        ),
    )
    result = pytester.runpytest_inprocess(*SMALL)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "failed: *",
            "*RELEASE GATE: FAILED because 2 of 3 gates were not met; 1 of 3*",
        ]
    )


def test_timing_alone_needs_no_sweep(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=SUITE)
    result = pytester.runpytest_inprocess(
        *SMALL, "--robust-results=out", "--robust-measure-only"
    )
    run = json.loads((pytester.path / "out/run.json").read_text())
    assert result.ret == 0
    assert run["outcomes"] == []
    assert len(run["costs"]) == 2
    assert run["models"][0]["status"] == "tested"
