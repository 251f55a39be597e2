"""Small projects to run pytest on, and what their saved runs say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import toy

CONFTEST = """\
import pytest
from benchmarks.hostile import toy

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    toy.register(catalogues)
"""
SUITE = """\
def test_recall(outcome, clean_outcome, gate):
    assert gate.violations(outcome, clean_outcome) == []
"""
POLICY = """\
[[gate]]
level = 0.2
recall = { 10 = 0.3 }
"""
STRICT_POLICY = POLICY.replace("0.3", "0.999")
TOY = (
    f"--robust-models={toy.MODEL}",
    f"--robust-datasets={toy.DATASET}",
    "--robust-levels=0.2",
    "-p",
    "no:cacheprovider",
)
"""A run of the toy world."""
TINY = (
    "--robust-models=tiny-cxr-clip",
    "--robust-limit=48",
    "--robust-levels=0.1,0.2",
    "-p",
    "no:cacheprovider",
)
"""A run of an embedded model, with tokens, transformers and a store."""
TINY_QUICK = (*TINY, "--robust-limit=24")
"""The same, of half as many pairs."""
LEFTOVER = ".part"
_VOLATILE = ("id", "started", "command", "timing", "warnings", "host")


def project(
    folder: Path,
    *,
    policy: str | None = POLICY,
    suite: str = SUITE,
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write a project whose suite lies in `gate/`; `files` adds or replaces files."""
    contents = {"conftest.py": CONFTEST, "gate/test_recall.py": suite}
    if policy is not None:
        contents["gate/robust.toml"] = policy
    for name, text in {**contents, **(files or {})}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def ranks_digest(folder: Path) -> str | None:
    """The hash of a saved run's ranks."""
    file = folder / "ranks.npz"
    if not file.is_file():
        return None
    return hashlib.sha256(file.read_bytes()).hexdigest()


def run_json(folder: Path) -> Any:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def differs(saved: Path, expected: Path) -> str | None:
    """What of a saved run is not as in another one, times aside; None if they are alike."""
    if not (saved / "run.json").is_file():
        return "no run.json"
    if ranks_digest(saved) != ranks_digest(expected):
        return "another ranks.npz"
    saved_data = lasting(run_json(saved))
    expected_data = lasting(run_json(expected))
    if saved_data == expected_data:
        return None
    keys = [key for key in expected_data if saved_data.get(key) != expected_data[key]]
    listed = ", ".join(keys) or "more keys"
    return f"another run.json: {listed}"


def lasting(data: Any) -> Any:
    """Without times, identities, and digests of the whole, which follow from times."""
    if isinstance(data, dict):
        return {key: lasting(value) for key, value in data.items() if _lasts(key)}
    if isinstance(data, list):
        return [lasting(value) for value in data]
    return data


def _lasts(key: str) -> bool:
    # The digest of the pixels is the only one that no time enters.
    is_digest = key.endswith(("sha256", "digest")) and key != "pixel_digest"
    return key not in _VOLATILE and not is_digest


def leftovers(folder: Path) -> list[str]:
    """Files that are not whole, anywhere below."""
    return sorted(path.name for path in folder.rglob(f"*{LEFTOVER}"))
