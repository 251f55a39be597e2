"""The smallest occlusion that breaks a model is as large as the policy asks; searched
only where a gate asks.
"""

from __future__ import annotations

from pytest_retrieval_robust import BreakingOutcome, GateFixture


def test_breaking_occlusion(breaking: BreakingOutcome, gate: GateFixture) -> None:
    assert gate.breaking_violations(breaking) == []
