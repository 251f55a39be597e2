"""Recall@k and retention under occlusion, against the gates of robust.toml."""

from __future__ import annotations

from pytest_retrieval_robust import GateFixture, Outcome


def test_recall(outcome: Outcome, clean_outcome: Outcome, gate: GateFixture) -> None:
    assert gate.violations(outcome, clean_outcome) == []
