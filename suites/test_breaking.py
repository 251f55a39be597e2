"""The smallest occlusion that breaks a model is as large as the policy asks; searched
only where a gate asks.
"""

from __future__ import annotations

from pytest_retrieval_robust.case import BreakingOutcome
from pytest_retrieval_robust.fixtures import Gate


def test_breaking_occlusion(breaking: BreakingOutcome, gate: Gate) -> None:
    assert gate.breaking_violations(breaking) == []
