"""A gate beside a saved run that is met says how much less was found."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.reports.terminal.summary import summary_lines

from ..saved_runs import make_run

POOLED = "[[gate]]\nnot_worse_than_baseline = { k = 10, margin = %s }\n"
_OF_CELLS = (
    '[[gate]]\nnot_worse_than_baseline = { k = 10, margin = 0.5, over = "cells" }\n'
)
OF_CELLS = f'{_OF_CELLS}\n{_OF_CELLS}direction = "report-to-image"\n'


def judged(folder: Path, policy: str) -> RunRecord:
    (folder / "robust.toml").write_text(policy)
    candidate = make_run(folder / "candidate", 300, shift=8)
    baseline = make_run(folder / "baseline", 300)
    gates = read_policy(read_config_file(folder / "robust.toml"))
    return judge_run(candidate.run, gates, Against(baseline.run))


def met(record: RunRecord, verbosity: int = 0) -> list[str]:
    lines = summary_lines(record, verbosity)
    texts = ["".join(span.text for span in line) for line in lines]
    return [text for text in texts if text.startswith("met:")]


@pytest.mark.parametrize(("margin", "lines"), [("0.2", 1), ("0.0001", 0)])
def test_a_gate_on_all_levels_has_a_sentence_if_it_is_met(
    tmp_path: Path, margin: str, lines: int
) -> None:
    assert len(met(judged(tmp_path, POOLED % margin))) == lines


def test_many_are_listed_on_request_alone(tmp_path: Path) -> None:
    record = judged(tmp_path, OF_CELLS)
    assert met(record) == []
    assert len(met(record, verbosity=1)) > 4
