from __future__ import annotations

from typing import Any, cast

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.cases import CLEAN, Cell
from pytest_retrieval_robust.measure.sweep.plan import SweepPlan


def test_cells_that_share_a_fill_follow_each_other() -> None:
    cells = [
        Cell(name, level, seed)
        for name in ("lines", "box")
        for level in (0.2, 0.4)
        for seed in (1, 0)
    ]
    occluders = {cell: load_occluder(cell.occluder) for cell in cells}
    nothing = cast(Any, None)
    plan = SweepPlan(nothing, nothing, occluders, (1,), "fp32", 4)
    visited = plan.by_fill(reversed(plan.cells))
    assert sorted(map(str, visited)) == sorted(map(str, plan.cells))
    assert visited[0] == CLEAN
    assert [(cell.occluder, cell.seed) for cell in visited[1:]] == [
        ("lines", 0),
        ("lines", 0),
        ("lines", 1),
        ("lines", 1),
        ("box", 0),
        ("box", 0),
        ("box", 1),
        ("box", 1),
    ]
