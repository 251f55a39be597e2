"""Compiled loops are kept in the user's cache, so that nothing grows beside the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_retrieval_robust.core.atomic_files import CACHE_VARIABLE

pytest.importorskip("numba")


def _double(number: float) -> float:
    return 2 * number


def _compiled_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.nbi") if "_double" in path.name]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    return tmp_path


def _call_compiled() -> None:
    from pytest_retrieval_robust.retrieval.ranking._compiling import compiled

    assert compiled(_double)(1.5) == 3.0


def test_compiled_code_is_kept_in_the_users_own_cache(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in a folder that others may write to: it is code, and it is run."""
    monkeypatch.setenv(CACHE_VARIABLE, str(cache / "shared"))
    _call_compiled()
    assert _compiled_files(cache / "own" / "pytest-retrieval-robust" / "compiled")
    assert not (cache / "shared").exists()
    assert _compiled_files(Path(__file__).parent) == []


def test_the_users_own_folder_for_numba_is_taken(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.CACHE_DIR", str(cache / "chosen"))
    _call_compiled()
    assert _compiled_files(cache / "chosen")
    assert not (cache / "own").exists()


def test_where_no_folder_can_be_made_the_loop_is_compiled_all_the_same(
    cache: Path,
) -> None:
    (cache / "own").write_text("no folder")
    _call_compiled()
    assert _compiled_files(Path(__file__).parent) == []
