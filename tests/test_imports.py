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
LAYERS = (
    (
        "errors",
        "words",
        "foreign",
        "files",
        "float32",
        "spill",
        "case",
        "device",
        "axes",
        "release",
    ),
    ("calling",),
    (
        "statistics",
        "resampling",
        "clock",
        "hardware",
        "catalogue",
        "config_file",
        "curve",
        "cache",
        "roster",
        "placement",
        "measurements",
        "ranking",
        "saved_arrays",
    ),
    ("policy", "evidence", "options", "samples"),
    ("policy_file", "comparison", "layouts", "deciding", "cost_gate", "breaking_gate"),
    ("gate",),
    ("judgement",),
    ("models", "datasets", "occluders", "metrics"),
    ("pairs", "store", "embedding_store", "query_keys", "progress"),
    (
        "saved_checks",
        "source_code",
        "probing",
        "shard_keys",
        "shards",
        "encoding",
        "feeding",
        "scoring",
    ),
    ("saved", "sweep", "selection", "strategies", "inspection", "scenes"),
    ("policy_names", "outputs"),
    ("timing", "precision", "breaking", "replay", "arguments"),
    ("showing",),
    ("api",),
    ("session",),
    ("store_command",),
    (
        "items",
        "fixtures",
        "summary",
        "reports",
        "comparing",
        "hookspecs",
        "scheduling",
        "__main__",
    ),
    ("plugin", "__init__"),
)
LEVEL = {module: number for number, layer in enumerate(LAYERS) for module in layer}
FAMILIES = ("models", "datasets", "occluders", "metrics", "reports")


def imports_of(path: Path) -> set[str]:
    """The package's own top-level modules that a file imports when it is loaded,
    `TYPE_CHECKING` blocks apart.
    """
    module = path.relative_to(PACKAGE.parent).with_suffix("").parts
    found: set[str] = set()
    for node in _runtime_nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = module[: len(module) - node.level] if node.level else ()
            names = (
                [*base, *(node.module or "").split(".")] if node.module else list(base)
            )
            targets = (
                [[*names, alias.name] for alias in node.names]
                if len(names) == 1
                else [names]
            )
            found |= {
                target[1]
                for target in targets
                if target[0] == PACKAGE.name and len(target) > 1
            }
    return found


def _runtime_nodes(tree: ast.AST) -> list[ast.AST]:
    nodes: list[ast.AST] = []
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        nodes += [child, *_runtime_nodes(child)]
    return nodes


FILES = sorted(path for path in PACKAGE.rglob("*.py") if "_suite" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_own_layer_or_below(path: Path) -> None:
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    # Public names and late factories reach upward on purpose: they are what makes the
    # package cheap to import.
    allowed = {"__init__": set(LEVEL), "session": {"api"}}.get(own, set())
    above = {
        name for name in imports_of(path) if LEVEL.get(name, 0) > LEVEL[own]
    } - allowed
    assert above == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_families_do_not_import_each_other(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0]
    if own in FAMILIES:
        assert imports_of(path).isdisjoint(set(FAMILIES) - {own})


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    code = (
        f"import sys, pytest_retrieval_robust.plugin; print([m for m in {HEAVY!r} if m"
        " in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


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
