"""docs/scale.md has the planner's own numbers."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import constants, scale_examples
from benchmarks.constants_table import table
from pytest_retrieval_robust.measure.planning.constants import measured_constants

from .pages import read

PAGE = read("docs/scale.md")


def written(name: str) -> str:
    """What a script has written between two marks."""
    rest = PAGE.partition(f"<!-- the {name} begins -->\n")[2]
    return rest.partition(f"\n<!-- the {name} ends -->")[0]


def test_the_examples_are_the_planners() -> None:
    expected = "\n".join(scale_examples.table(measured_constants()))
    assert written("examples") == expected, (
        "python -m benchmarks.scale_examples --write"
    )


def test_the_constants_are_those_that_the_planner_reads() -> None:
    file = Path(constants.FILE)
    measured = json.loads(file.read_text(encoding="utf-8"))
    assert written("table") == "\n".join(table(measured))
