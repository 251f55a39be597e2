"""Recall@k and retention under occlusion, against the gates of robust.toml."""

from __future__ import annotations

from pytest_retrieval_robust.case import Outcome
from pytest_retrieval_robust.fixtures import Gate


def test_recall(outcome: Outcome, clean_outcome: Outcome, gate: Gate) -> None:
    assert gate.violations(outcome, clean_outcome) == []
