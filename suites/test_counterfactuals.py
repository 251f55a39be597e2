"""The report that is right beats the same report with one thing changed; measured with
--robust-counterfactuals, and where a gate asks.
"""

from __future__ import annotations

from pytest_retrieval_robust import Counterfactuals, GateFixture


def test_counterfactuals(counterfactuals: Counterfactuals, gate: GateFixture) -> None:
    assert gate.counterfactual_violations(counterfactuals) == []
