"""No loss beside the runs that `--robust-baseline` and `--robust-reference` name, against the
gates of robust.toml.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_retrieval_robust import Curve, GateFixture


def test_not_worse_than_baseline(
    robustness_curves: Sequence[Curve], gate: GateFixture
) -> None:
    assert gate.baseline_violations(robustness_curves) == []
