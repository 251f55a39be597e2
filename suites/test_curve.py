"""Area under the curve and half level, against the gates of robust.toml."""

from __future__ import annotations

from pytest_retrieval_robust.curve import Curve
from pytest_retrieval_robust.fixtures import Gate


def test_curve(robustness_curve: Curve, gate: Gate) -> None:
    assert gate.curve_violations(robustness_curve) == []
