"""README.md and the suite that `init` copies say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_retrieval_robust import __all__ as public_names
from pytest_retrieval_robust import evaluate
from pytest_retrieval_robust.__main__ import copy_suite
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.retrieval.curve import Curve
from training.figures import LEVELS, read_figures
from training.recipes import RECIPES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SAMPLE = README.split("<!-- sample: generated -->")[1].split("<!-- sample: end -->")[0]


def shown_recalls(model: str) -> list[str]:
    """The numbers of a model's row in the sample, whose name may stand on a line of its own."""
    (row,) = re.findall(
        rf"^{re.escape(model)}(?:\n)? +((?:[\d.]+[~!? ] *){{{len(LEVELS)}}})",
        SAMPLE,
        re.MULTILINE,
    )
    return re.findall(r"[\d.]+", row)


@pytest.mark.parametrize("model", RECIPES)
def test_the_sample_shows_the_recorded_figures(model: str) -> None:
    recorded = read_figures(model)[0].recall("synthetic-cxr", 10)
    assert shown_recalls(model) == [f"{100 * value:.1f}" for value in recorded]


def test_the_sample_is_of_a_run_that_nothing_failed_in() -> None:
    lines = SAMPLE.strip().splitlines()
    assert "retrieval robustness" in lines[1]
    assert lines[-2].startswith("RELEASE GATE: PASSED (")
    assert max(map(len, lines[:-2])) <= 80


def test_the_levels_of_the_sample_are_the_default_ones() -> None:
    assert re.search(
        r"^ +" + " +".join(f"{level:g}" for level in LEVELS) + " +kept +half$",
        SAMPLE,
        re.MULTILINE,
    )


def test_what_evaluate_returns_has_every_member_that_is_told_of() -> None:
    section = README.split("## In Python")[1].split("\n## ")[0]
    cells = [
        line.split("|")[1] for line in section.splitlines() if line.startswith("| `")
    ]
    names = re.findall(r"`(\w+)", " ".join(cells))
    assert {"recall", "to_dataframe", "ks"} <= set(names)
    assert [
        name
        for name in names
        if not hasattr(Curve, name) and name not in Curve.__dataclass_fields__
    ] == []


def test_the_example_in_python_runs() -> None:
    section = README.split("## In Python")[1].split("\n## ")[0]
    (example,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names: dict[str, object] = {}
    exec(example.replace("pairs=100", "pairs=20"), names)
    curve = names["curve"]
    assert isinstance(curve, Curve)
    assert (curve.levels, curve.ks) == ((0.0, 0.1, 0.3), (1, 10))
    assert evaluate.__name__ in public_names


def test_the_tables_that_are_to_be_filled_in_can_be_read(tmp_path: Path) -> None:
    copy_suite(tmp_path)
    text = (tmp_path / "robust.toml").read_text()
    filled = re.sub(r"^# ?((?:\[|\w+ = ).*)$", r"\1", text, flags=re.MULTILINE)
    assert filled != text
    (tmp_path / "robust.toml").write_text(filled)
    config = read_config_file(tmp_path / "robust.toml")
    assert [table.name for table in config.models] == ["mine"]
    assert [table.name for table in config.datasets] == ["mine"]
    assert config.gates[0]["model"] == "mine"
    assert read_policy(config).rules


def test_the_suite_refers_to_nothing_that_a_wheel_lacks(tmp_path: Path) -> None:
    for file in copy_suite(tmp_path):
        assert not re.search(
            r"docs/|README|ARCHITECTURE|training/", file.read_text()
        ), file.name
