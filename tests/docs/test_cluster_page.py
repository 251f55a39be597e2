"""The scripts of docs/cluster.md are clean, and their options exist.

`tests/run/encode/test_processes.py` runs the Slurm script.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from .commands import unknown_options
from .pages import ROOT, read
from .workflows import tool

SCRIPTS = sorted((ROOT / "docs" / "cluster").iterdir())


def by_name(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("script", SCRIPTS, ids=by_name)
def test_a_script_is_clean_and_the_page_links_it(script: Path) -> None:
    assert f"](cluster/{script.name})" in read("docs/cluster.md")
    if script.suffix == ".py":
        assert tool("ruff", "check", script) == ""
        assert tool("ruff", "format", "--check", script) == ""
    else:
        assert tool("shellcheck", "--norc", script) == ""
        assert unknown_options(script.read_text()) == []


def test_submitted_commands_have_options_that_exist() -> None:
    (script,) = (path for path in SCRIPTS if path.suffix == ".py")
    tree = ast.parse(script.read_text())
    words = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    for command, option in (("encode", "--steal"), ("encode", "--part=")):
        assert {command, option} <= set(words)
        assert (
            unknown_options(f"python -m pytest_retrieval_robust encode {option}") == []
        )
