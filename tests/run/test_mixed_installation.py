"""An installation over another one is named."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from pytest_retrieval_robust import __version__
from pytest_retrieval_robust.run.mixed_installation import mixed_installation_note

from ..conftest import Run


def _declare(version: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata of a version, first on the path as a stale folder may be."""
    stale = folder / f"pytest_retrieval_robust-{version}.dist-info"
    stale.mkdir()
    (stale / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: pytest-retrieval-robust\nVersion: {version}\n"
    )
    monkeypatch.syspath_prepend(folder)
    assert metadata.version("pytest-retrieval-robust") == version


def test_one_version_is_not_mentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _declare(__version__, tmp_path, monkeypatch)
    assert mixed_installation_note() is None


def test_metadata_of_another_version_are_named_above_the_verdict(
    run_suite: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _declare("0.0.1", tmp_path, monkeypatch)
    run_suite().stdout.fnmatch_lines(
        ["note: Two versions of pytest-retrieval-robust lie over each other: *"]
    )
