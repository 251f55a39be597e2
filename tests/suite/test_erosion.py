"""A whole suite beside a baseline and a reference, and its attempts, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..conftest import THREE_LINES
from ..saved_runs import make_run
from .test_baseline import BASELINE_TEST, MODEL

OPTIONS = (
    "--robust-models=ours",
    "--robust-datasets=synthetic-cxr(pairs=60)",
    "--robust-levels=0,0.1",
)
GATES = """
[[gate]]
model = "ours"
recall = { 10 = 0.3 }
not_worse_than_baseline = { k = 10, margin = 0.05 }
not_worse_than_reference = { k = 10, margin = 0.05 }
attempts = "spend"
"""
REGISTERED = """
import pytest
from pytest_retrieval_robust.datasets import DatasetEntry
from pytest_retrieval_robust.models import ModelEntry

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    catalogues.datasets.add(DatasetEntry("d", "made up", None))
    catalogues.models.add(ModelEntry("ours", "made up", None))
"""


@pytest.mark.usefixtures("forked_workers")
def test_a_loss_since_the_reference_and_an_attempt(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a worker: it judges by the number that the ledger has, and the controller alone
    writes it.
    """
    pytester.makepyfile(test_recall=THREE_LINES, test_baseline=BASELINE_TEST)
    pytester.makeconftest(MODEL)
    (pytester.path / "robust.toml").write_text(GATES)
    assert pytester.runpytest_inprocess(*OPTIONS, "--robust-results=first").ret == 0
    assert not (pytester.path / "attempts.jsonl").exists()
    monkeypatch.setenv("NOISE", "0.4")
    worse = pytester.runpytest_inprocess(
        *OPTIONS,
        "--robust-baseline=first",
        "--robust-reference=first",
        "--robust-results=mine",
        "-n1",
    )
    worse.assert_outcomes(passed=2, failed=1)
    worse.stdout.fnmatch_lines(
        [
            "since the reference of *",
            "  reference *, this run * (-* [[]*])",
            "*against the reference's*",
            "attempts: Attempt 1 against this baseline, attempt 1 against this reference.",
            "note: A new ledger of attempts was started, attempts.jsonl, *",
            "RELEASE GATE: FAILED because 2 of 4 gates were not met",
        ]
    )
    [line] = (pytester.path / "attempts.jsonl").read_text().splitlines()
    data = json.loads((pytester.path / "mine/run.json").read_text())
    assert [tried["number"] for tried in data["attempt"]["tried"]] == [1, 1]
    assert data["attempt"]["line_sha256"] == json.loads(line)["sha256"]


@pytest.fixture
def saved(pytester: pytest.Pytester) -> Path:
    """Saved runs that can be replayed: `mine`, `base` and `first`."""
    folder = pytester.path
    make_run(folder / "a", 500, shift=4).save(folder / "mine")
    make_run(folder / "b", 500, shift=2).save(folder / "base")
    make_run(folder / "c", 500).save(folder / "first")
    pytester.makeconftest(REGISTERED)
    (folder / "robust.toml").write_text(GATES)
    return folder


REPLAY = ("--robust-replay=mine", "--robust-baseline=base")


def test_a_replay_is_the_attempt_of_its_run(
    pytester: pytest.Pytester, saved: Path
) -> None:
    for _ in range(2):
        result = pytester.runpytest_inprocess(*REPLAY, "--robust-attempts=log.jsonl")
        assert result.ret == 0
        result.stdout.fnmatch_lines(
            [
                "attempts: Attempt 1 against this baseline*",
                "RELEASE GATE: PASSED (*, 1 gate without a reference)",
            ]
        )
    assert len((saved / "log.jsonl").read_text().splitlines()) == 1


def test_nobody_counts_without_a_place_for_it(
    pytester: pytest.Pytester, saved: Path
) -> None:
    result = pytester.runpytest_inprocess(*REPLAY)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["inconclusive: *", "*its error is spent over attempts*"]
    )
    assert not (saved / "attempts.jsonl").exists()


def test_a_changed_ledger_is_refused_before_anything_is_judged(
    pytester: pytest.Pytester, saved: Path
) -> None:
    (saved / "log.jsonl").write_text("{}\n")
    result = pytester.runpytest_inprocess(*REPLAY, "--robust-attempts=log.jsonl")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*got line 1, which is no whole attempt*"])


def test_a_reference_that_is_not_there_yet_is_a_state_of_its_own(
    pytester: pytest.Pytester,
    saved: Path,  # noqa: ARG001
) -> None:
    result = pytester.runpytest_inprocess(
        *REPLAY, "--robust-reference=nowhere", "--robust-attempts=log.jsonl"
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*There is no reference yet: --robust-reference names 'nowhere', *",
            "*because there is no reference to compare with",
        ]
    )


def test_results_do_not_replace_the_reference(
    pytester: pytest.Pytester,
    saved: Path,  # noqa: ARG001
) -> None:
    result = pytester.runpytest_inprocess(
        *REPLAY, "--robust-reference=first", "--robust-results=first"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*got the same folder 'first' for --robust-reference and --robust-results*"]
    )
