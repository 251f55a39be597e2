"""The direction of imports, and what a pytest run pays for a plugin that it does not use."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "pytest_retrieval_robust"
HEAVY = (
    "torch",
    "numpy",
    "PIL",
    "transformers",
    "open_clip",
    "torchvision",
    "huggingface_hub",
    "hypothesis",
)
BELOW = {
    "core": set(),
    "retrieval": {"core"},
    "models": {"core"},
    "datasets": {"core"},
    "occluders": {"core", "retrieval"},
    "corruptions": {"core", "occluders"},
    "texts": {"core"},
    "strategies": {"core", "occluders", "corruptions", "texts", "datasets"},
    "measure": {
        "core",
        "retrieval",
        "models",
        "datasets",
        "occluders",
        "corruptions",
        "texts",
    },
    "gate": {"core", "retrieval"},
    "reports": {"core", "retrieval", "gate"},
}
"""Folder -> the folders that it may import. `run` may import all."""
BELOW["run"] = {*BELOW}
BELOW["__main__"] = {*BELOW}
# Public names reach upward on purpose: they are what makes the package cheap to import.
BELOW["__init__"] = {*BELOW}


def imports_of(path: Path) -> set[str]:
    """The package's own folders that a file imports, `TYPE_CHECKING` blocks among them."""
    module = path.relative_to(PACKAGE.parent).with_suffix("").parts
    folders: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        target = list(module[: len(module) - node.level]) if node.level else []
        if node.module:
            target += node.module.split(".")
        if target[0] != PACKAGE.name:
            continue
        if len(target) == 1:
            # `from . import x` at the package's root: the names are the folders.
            folders.update(alias.name for alias in node.names)
        else:
            folders.add(target[1])
    return folders & set(BELOW)


FILES = sorted(path for path in PACKAGE.rglob("*.py") if "_suite" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_folder_imports_only_from_those_below_it(path: Path) -> None:
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    assert imports_of(path) <= BELOW[own] | {own}


def test_the_package_has_no_more_than_twelve_entries() -> None:
    entries = [path for path in PACKAGE.iterdir() if path.name[0] not in "_."]
    assert {path.name for path in entries} == {*BELOW} - {"__init__", "__main__"} | {
        "py.typed"
    }


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    code = (
        "import sys, pytest_retrieval_robust.run.plugin;"
        f" print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_collecting_a_suite_loads_no_model_library(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "def test_recall(outcome, clean_outcome, gate): pass\n"
    )
    (tmp_path / "conftest.py").write_text(
        "import sys\ndef pytest_unconfigure(): print('heavy:', [m for m in"
        f" {('torch', 'transformers', 'open_clip')!r} if m in sys.modules])\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "--robust-models=all",
        str(tmp_path),
    ]
    printed = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout
    assert "heavy: []" in printed


def test_public_names_are_there() -> None:
    import pytest_retrieval_robust as package

    assert all(callable(getattr(package, name)) for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        package.evaluat  # noqa: B018 - reading it is the test


def test_loading_the_plugin_loads_none_of_what_judges_and_measures() -> None:
    """Every module takes its part of a millisecond, in every pytest run of a project."""
    code = (
        "import sys, pytest_retrieval_robust.run.plugin;"
        " print([m for m in sys.modules if m.split('.')[0] == 'msgspec'"
        " or m.startswith('pytest_retrieval_robust.measure.')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"
