"""A metric that a conftest registers: computed, shown, saved, gated and judged again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_retrieval_robust import evaluate
from pytest_retrieval_robust.__main__ import main

from ..conftest import MET, THREE_LINES, Run

HIT_RATE = """
import pytest
from pytest_retrieval_robust import MetricEntry

def hit_rate(k):
    assert k > 0
    return lambda ranks: float((ranks <= k).mean())

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    entry = MetricEntry("hit-rate", "share of ranks up to k", {"k": int}, hit_rate)
    catalogues.metrics.add(entry)
"""
BROKEN = """
import pytest
from pytest_retrieval_robust import MetricEntry

def value(ranks):
    BODY

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    catalogues.metrics.add(MetricEntry("broken", "", {}, lambda: value))
"""
ON_ONE_MODEL = '[[gate]]\nmodel = "tiny-cxr-clip"\n'
FLOOR_MET = ON_ONE_MODEL + 'metric = { "hit-rate(k=3)" = 0.2 }\n'
FLOOR_MISSED = ON_ONE_MODEL + 'level = 0.3\nmetric = { "hit-rate(k=3)" = 0.9999 }\n'
BY_BOUND = f'{FLOOR_MET}decide = "bound"\n'
ASKED = "--robust-metrics=hit-rate( k = 3 ),median-rank"
SIDES = {"image-to-report": "image_ranks", "report-to-image": "report_ranks"}


def policy(pytester: pytest.Pytester, text: str) -> None:
    (pytester.path / "robust.toml").write_text(text)


def saved_run(folder: Path) -> dict[str, Any]:
    run: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return run


def saved_ranks(folder: Path) -> Mapping[str, np.ndarray]:
    with np.load(folder / "ranks.npz") as arrays:
        return dict(arrays)


def metric_verdicts(folder: Path) -> list[dict[str, Any]]:
    verdicts = saved_run(folder)["verdicts"]
    return [each for each in verdicts if each["gate"].startswith("metric ")]


# Computed, saved and shown


def test_a_metric_of_a_conftest_is_computed_of_the_ranks_that_are_saved(
    pytester: pytest.Pytester, run_suite: Run
) -> None:
    pytester.makeconftest(HIT_RATE)
    result = run_suite(ASKED, "--robust-results=out", "--robust-report=out.md")
    assert result.ret == 0
    run = saved_run(pytester.path / "out")
    ranks = saved_ranks(pytester.path / "out")
    assert len(run["outcomes"]) == 2
    for outcome in run["outcomes"]:
        for direction, side in SIDES.items():
            own = ranks[f"{outcome['ranks_key']}/{side}"]
            assert outcome[direction]["metrics"] == {
                "hit-rate(k=3)": np.count_nonzero(own < 4) / len(own),
                "median-rank": float(np.median(own)),
            }
    clean, hidden = (
        outcome["image-to-report"]["metrics"]["hit-rate(k=3)"]
        for outcome in run["outcomes"]
    )
    result.stdout.fnmatch_lines(
        [
            "metrics at levels 0, 0.3",
            "hit-rate(k=3) of tiny-cxr-clip on synthetic-cxr, patches,"
            f" image-to-report: {clean:.3f} {hidden:.3f}",
        ]
    )
    rows = (pytester.path / "out.md").read_text().splitlines()
    row = next(row for row in rows if "hit-rate" in row)
    assert row.split(" | ")[-2:] == [f"{clean:.3f}", f"{hidden:.3f} |"]


def test_a_run_that_asks_for_no_metric_shows_none(
    pytester: pytest.Pytester, run_suite: Run
) -> None:
    pytester.makeconftest(HIT_RATE)
    result = run_suite("--robust-results=out", "--robust-report=out.html")
    result.stdout.no_fnmatch_line("metrics at levels*")
    assert 'id="metrics"' not in (pytester.path / "out.html").read_text()
    outcomes = saved_run(pytester.path / "out")["outcomes"]
    assert all("metrics" not in outcome["image-to-report"] for outcome in outcomes)


def test_the_page_has_a_table_of_metrics(
    pytester: pytest.Pytester, run_suite: Run
) -> None:
    pytester.makeconftest(HIT_RATE)
    run_suite(ASKED, "--robust-report=out.html")
    page = (pytester.path / "out.html").read_text()
    assert 'id="metrics"' in page
    assert "<bdi>hit-rate(k=3)</bdi>" in page


def test_evaluate_takes_metrics() -> None:
    curve = evaluate(
        "tiny-cxr-clip",
        "synthetic-cxr",
        "patches",
        levels=(0.3,),
        limit=24,
        metrics=("recall(k=5)", "mrr"),
    )
    for outcome in curve.outcomes:
        scores = outcome.scores("report-to-image")
        assert scores.metrics == {"recall(k=5)": scores.recall[5], "mrr": scores.mrr}


# Gates


def test_a_gate_that_names_a_metric_has_it_computed_and_is_met(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    pytester.makeconftest(HIT_RATE)
    policy(pytester, FLOOR_MET)
    result = bare_suite("--robust-results=out")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["RELEASE GATE: PASSED (*2 gates met*"])
    first = metric_verdicts(pytester.path / "out")[0]
    assert first["gate"] == "metric hit-rate(k=3) image-to-report"
    assert (first["limit"], first["bounds"]) == (0.2, None)


def test_a_floor_that_is_missed_fails_with_the_number(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    pytester.makeconftest(HIT_RATE)
    policy(pytester, FLOOR_MISSED)
    result = bare_suite("--robust-results=out")
    assert result.ret == 1
    [verdict] = metric_verdicts(pytester.path / "out")
    assert verdict["sentence"] == (
        "tiny-cxr-clip on synthetic-cxr, patches at level 0.3, seed 0, image-to-report:"
        f" hit-rate(k=3) is {verdict['observed']:.3f}, below the floor of 1.000."
    )
    result.stdout.fnmatch_lines(
        ["*hit-rate(k=3) is 0.*, below the floor of 1.000.", "RELEASE GATE: FAILED*"]
    )


def test_a_gate_may_be_on_the_other_direction(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    pytester.makeconftest(HIT_RATE)
    policy(pytester, f'{FLOOR_MET}direction = "report-to-image"\n')
    bare_suite("--robust-results=out")
    gates = {each["gate"] for each in metric_verdicts(pytester.path / "out")}
    assert gates == {"metric hit-rate(k=3) report-to-image"}


def test_by_bound_a_metric_has_bounds_around_its_value(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    pytester.makeconftest(HIT_RATE)
    policy(pytester, BY_BOUND)
    result = bare_suite("--robust-results=out")
    assert result.ret == 0
    for verdict in metric_verdicts(pytester.path / "out"):
        low, high = verdict["bounds"]
        assert 0.2 <= low < verdict["observed"] <= high
        assert verdict["decided_by"] == "bound"


@pytest.mark.parametrize("decided", ["point", "bound"])
def test_a_floor_that_a_random_order_meets_is_no_gate(
    pytester: pytest.Pytester, bare_suite: Run, decided: str
) -> None:
    pytester.makeconftest(HIT_RATE)
    cannot_fail = f'metric = {{ "hit-rate(k=23)" = 0.5 }}\ndecide = "{decided}"\n'
    policy(pytester, f'{ON_ONE_MODEL}{cannot_fail}inconclusive = "allow"\n')
    result = bare_suite()
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*this gate cannot fail*", "RELEASE GATE: FAILED because 2 of 2 gates were *"]
    )


@pytest.mark.usefixtures("forked_workers")
def test_a_worker_sends_metrics_and_their_failures(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    pytester.makeconftest(
        BROKEN.replace("BODY", "return 1.0 if ranks.max() == 1 else None")
    )
    policy(pytester, MET)
    result = bare_suite("--robust-metrics=mrr,broken", "--robust-results=out", "-n1")
    assert result.ret == 1
    clean, hidden = saved_run(pytester.path / "out")["outcomes"]
    assert clean["image-to-report"]["metrics"] == {"mrr": 1.0, "broken": 1.0}
    assert set(hidden["image-to-report"]["metrics"]) == {"mrr"}


# Judged again


def test_a_replay_judges_by_the_saved_value_without_the_metrics_code(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    conftest = pytester.makeconftest(HIT_RATE)
    policy(pytester, MET)
    bare_suite(ASKED, "--robust-results=out")
    conftest.unlink()
    policy(pytester, FLOOR_MISSED)
    result = bare_suite("--robust-replay=out")
    result.stdout.fnmatch_lines(
        ["*hit-rate(k=3) is 0.*, below the floor of 1.000.", "RELEASE GATE: FAILED*"]
    )


def test_a_replay_takes_the_bounds_from_the_code_or_says_to_install_it(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    conftest = pytester.makeconftest(HIT_RATE)
    policy(pytester, BY_BOUND)
    bare_suite("--robust-results=out")
    again = bare_suite("--robust-replay=out", "--robust-results=again")
    again.stdout.fnmatch_lines(["RELEASE GATE: PASSED*"])
    first, second = (
        metric_verdicts(pytester.path / folder) for folder in ("out", "again")
    )
    assert first == second
    conftest.unlink()
    without_code = bare_suite("--robust-replay=out")
    assert without_code.ret == 4
    without_code.stderr.fnmatch_lines(
        ["*got no code of hit-rate(k=3). Install what registers it*"]
    )


def test_a_replay_computes_what_was_not_asked_for_then(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    pytester.makeconftest(HIT_RATE)
    policy(pytester, MET)
    bare_suite("--robust-results=out")
    # The ranks are there, and so is the code: a gate needs no more.
    policy(pytester, FLOOR_MET)
    result = bare_suite("--robust-replay=out")
    result.stdout.fnmatch_lines(["RELEASE GATE: PASSED (*2 gates met*"])


def test_compare_judges_metrics_by_their_bounds(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    pytester.makepyfile(test_mine=THREE_LINES)
    # A smoke run would be no baseline.
    for folder in ("before", "now"):
        pytester.runpytest_inprocess(
            "--robust-models=tiny-cxr-clip",
            "--robust-datasets=synthetic-cxr(pairs=48)",
            "--robust-levels=0.3",
            f"--robust-results={folder}",
            "-pno:cacheprovider",
        )
    policy(pytester, f'{ON_ONE_MODEL}metric = {{ mrr = 0.1 }}\ndecide = "bound"\n')
    assert main(["compare", "before", "now", "--policy", "robust.toml"]) == 0
    assert "RELEASE GATE: PASSED" in capsys.readouterr().out


# What is wrong


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "hit-rat(k=3)",
            "*known metric, got metric='hit-rat'. Did you mean 'hit-rate'?",
        ),
        ("precision", "*Known: hit-rate, median-rank, mrr, recall."),
        ("hit-rate(j=3)", "*known parameter of hit-rate, got*='j'*"),
        ("hit-rate(k=three)", "*Expected k of hit-rate to be of type int, got*"),
        ("hit-rate(k=0)", "*from the metric hit-rate(k=0), got AssertionError*"),
        ("hit-rate", "*from the metric hit-rate, got TypeError*parameters are: k.*"),
    ],
)
def test_a_metric_that_is_no_metric_is_refused_before_anything_is_measured(
    pytester: pytest.Pytester, bare_suite: Run, text: str, problem: str
) -> None:
    pytester.makeconftest(HIT_RATE)
    policy(pytester, MET)
    typed = bare_suite(f"--robust-metrics={text}")
    assert typed.ret == 4
    typed.stderr.fnmatch_lines([problem])
    policy(pytester, f'[[gate]]\nmetric = {{ "{text}" = 0.5 }}\n')
    gated = bare_suite()
    assert gated.ret == 4
    gated.stderr.fnmatch_lines(
        [f"*robust.toml, line 1: this gate matches nothing.{problem}"]
    )


@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        ('{ "hit-rate( k=3)" = 0.5 }', "*Write it as 'hit-rate(k=3)'."),
        ('{ "hit-rate(k=3)" = nan }', "*expected finite floors, got metric=*"),
        ('{ "hit-rate(k=3)" = true }', "*expected finite floors, got metric=*"),
        ("0.5", "*expected floors by metric such as*"),
    ],
)
def test_a_floor_that_is_written_wrongly_is_refused(
    pytester: pytest.Pytester, bare_suite: Run, limit: str, problem: str
) -> None:
    pytester.makeconftest(HIT_RATE)
    policy(pytester, f"[[gate]]\nmetric = {limit}\n")
    result = bare_suite()
    assert result.ret == 4
    result.stderr.fnmatch_lines([problem])


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("return float('nan')", "got nan"),
        ("return 'Mrs Doe'", "got a value of type str"),
        ("return True", "got a value of type bool"),
        ("raise KeyError('Mrs Doe')", "got KeyError at conftest.py:5 in value"),
        ("ranks.sort()", "got ValueError at conftest.py:5 in value"),
    ],
)
def test_a_metric_that_fails_fails_its_tests_and_loses_no_recall(
    pytester: pytest.Pytester, bare_suite: Run, body: str, problem: str
) -> None:
    pytester.makeconftest(BROKEN.replace("BODY", body))
    policy(pytester, MET)
    result = bare_suite("--robust-metrics=broken,mrr", "--robust-results=out")
    assert result.ret == 1
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [f"*Expected a finite number from the metric broken, {problem}*"]
    )
    result.stdout.no_fnmatch_line("*Doe*")
    outcomes = saved_run(pytester.path / "out")["outcomes"]
    assert len(outcomes) == 2
    for outcome in outcomes:
        scores = outcome["image-to-report"]
        assert scores["metrics"] == {"mrr": scores["mrr"]}
        assert scores["recall"]["1"] > 0


def test_a_gate_on_a_metric_that_failed_is_not_met(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    pytester.makeconftest(BROKEN.replace("BODY", "return float('inf')"))
    policy(pytester, '[[gate]]\nlevel = 0\nmetric = { "broken" = 0.5 }\n')
    bare_suite("--robust-results=out")
    [verdict] = metric_verdicts(pytester.path / "out")
    assert (verdict["verdict"], verdict["observed"]) == ("inconclusive", None)
    assert (
        "Expected a finite number from the metric broken, got inf"
        in (verdict["sentence"])
    )
