"""Area under the curve and half level, against the gates of robust.toml."""

from __future__ import annotations

from pytest_retrieval_robust import Curve, GateFixture


def test_curve(robustness_curve: Curve, gate: GateFixture) -> None:
    assert gate.curve_violations(robustness_curve) == []
