"""Counts and their nouns and verbs agree in whatever is said of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.words import counted
from pytest_retrieval_robust.gate.measurements import Scope
from pytest_retrieval_robust.gate.record import Against, Ending, RunRecord, judge_run
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.measure.sweep.reached import Reached, Stage
from pytest_retrieval_robust.reports.github import error_commands
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.terminal.summary import summary_lines

from ..saved_runs import make_run, with_search

NOUNS = (
    "gate table",
    "gate",
    "cell",
    "query",
    "image",
    "pair",
    "model",
    "test",
    "table",
    "row",
    "level",
    "layout",
    "report",
    "round",
    "measurement",
    "batch",
)
PLURALS = {"query": "queries", "batch": "batches"}
_SINGULAR = "|".join(NOUNS)
_PLURAL = "|".join(PLURALS.get(noun, f"{noun}s") for noun in NOUNS)
_MORE = r"(?:more |collected |other |broken |interleaved )?"
_NUMBER = r"(?<![\d.,:@-])"
WRONG = re.compile(
    rf"{_NUMBER}1 {_MORE}(?:{_PLURAL})\b"
    rf"|{_NUMBER}(?:0|[2-9]|\d\d+) {_MORE}(?:{_SINGULAR})\b(?! tables?| tests?)"
    rf"|{_NUMBER}1 (?:of \d+ )?{_MORE}(?:{_SINGULAR}|{_PLURAL}) (?:were|are|have)\b"
    rf"|{_NUMBER}(?:0|[2-9]|\d\d+) (?:of \d+ )?{_MORE}(?:{_PLURAL}) (?:was|is|has)\b"
)
ARE_WRONG = (
    "1 of 1 gates was not met",
    "2 of 2 gates was not met",
    "1 gates met",
    "2 cell ungated",
    "1 gate were not judged",
)


@pytest.mark.parametrize("sentence", ARE_WRONG)
def test_what_is_wrong_is_seen(sentence: str) -> None:
    assert WRONG.search(sentence)


GATES = """
[[gate]]
recall = { 1 = 0.9 }

[[gate]]
model = "absent"
recall = { 1 = 0.9 }

[[gate]]
breaking_share = 0.3
k = 10
"""
counts = st.integers(0, 2)


def said(run: RunRecord) -> Iterator[str]:
    """Everything that is said of a run, line by line."""
    for verbosity in (-1, 0, 1):
        for line in summary_lines(run, verbosity):
            yield "".join(span.text for span in line)
    yield run.release.line
    yield run.release.why
    yield from render_markdown(run).splitlines()
    yield from error_commands(run, None, {"GITHUB_ACTIONS": "true"})


@given(
    counts.map(lambda count: ("ours", "theirs")[:count]),
    st.integers(11, 12),
    counts,
    counts,
    counts,
)
@example(("ours",), 11, 1, 1, 1)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_counts_agree_with_their_nouns_and_verbs(
    tmp_path: Path,
    models: tuple[str, ...],
    queries: int,
    broken: int,
    skipped: int,
    limit: int,
) -> None:
    (tmp_path / "robust.toml").write_text(GATES.rsplit("\n[[gate]]", 1)[0])
    policy = read_policy(read_config_file(tmp_path / "robust.toml"))
    made = make_run(
        tmp_path / "run",
        queries,
        models=models or ("ours",),
        levels=(0.0, 0.4),
        facts={"skipped": skipped},
    )
    made = with_search(made, "ours", images=max(limit, 1))
    measured = replace(
        made.run.measured,
        broken_tests=broken,
        limit=limit or None,
        outcomes=made.run.measured.outcomes if models else (),
        scope=Scope("-k" if skipped else None, "pytest"),
    )
    run = made.measured(**{"limit": limit or None}).run
    run = replace(run, measured=measured)
    ending = Ending(gate_failures=broken, must_be_tested=frozenset(models))
    judged = judge_run(run, policy, Against(), ending)
    for line in said(judged):
        assert not WRONG.search(line), line


@given(counts, counts, st.integers(1, 3), st.integers(1, 3), st.sampled_from(Stage))
def test_how_far_a_sweep_came_is_said_right(
    done: int, ranked: int, batches: int, cells: int, stage: Stage
) -> None:
    reached = Reached(stage, batches, done, cells, ranked, None, is_kept=True)
    assert not WRONG.search(str(reached))


@given(counts, st.sampled_from(NOUNS))
def test_a_number_and_its_noun(count: int, noun: str) -> None:
    assert not WRONG.search(counted(count, noun, PLURALS.get(noun)))
