"""What the model makes of fixed pictures and sentences is what it made of them when its
fingerprint was written; measured where a gate asks.
"""

from __future__ import annotations

from pytest_retrieval_robust import DriftOutcome, GateFixture


def test_drift(drift: DriftOutcome, gate: GateFixture) -> None:
    assert gate.drift_violations(drift) == []
