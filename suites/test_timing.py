"""What hiding costs, relative to level 0 and measured interleaved with it, against the
gates of robust.toml.
"""

from __future__ import annotations

from pytest_retrieval_robust import GateFixture, OcclusionTimer


def test_timing(occlusion_timer: OcclusionTimer, gate: GateFixture) -> None:
    assert gate.cost_violations(occlusion_timer()) == []
