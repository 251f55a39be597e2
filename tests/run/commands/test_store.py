"""The command `store`, by its own words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.measure.embeddings.store import FOLDER, EmbeddingStore

ABOUT = {
    "model": "tiny",
    "holds": "images",
    "dataset": "synthetic-cxr",
    "occluder": "patches",
    "level": 0.1,
    "seed": 0,
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    store = EmbeddingStore(tmp_path / FOLDER)
    for number in range(3):
        store.save(
            f"{number:02x}" * 20, {"rows": np.zeros((4, 512), np.float32)}, ABOUT
        )
    store.save(
        "ff" * 20,
        {"rows": np.zeros((4, 512), np.float32)},
        {"model": "tiny", "holds": "reports"},
    )
    return tmp_path


def said(
    capsys: pytest.CaptureFixture[str], cache: Path, *words: str
) -> tuple[int, str]:
    code = main(["store", *words, "--cache-dir", str(cache)])
    told = capsys.readouterr()
    return code, told.out + told.err


def test_list_says_what_is_kept_of_each_model(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, cache)
    assert code == 0
    assert "tiny, images of synthetic-cxr: 3 shards, " in text
    assert "tiny, reports: 1 shard, " in text
    assert "4 shards, " in text.splitlines()[-1]


def test_prune_leaves_what_fits(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, cache, "prune", "--limit", "15kB")
    assert (code, text.splitlines()[0][:16]) == (0, "removed 3 shards")
    assert len(list(EmbeddingStore(cache / FOLDER).files())) == 1
    assert (
        said(capsys, cache, "prune", "--limit", "0B")[1]
        .splitlines()[-1]
        .startswith("0 shards, 0 B of at most 0 B")
    )


def test_verify_fails_where_a_shard_is_damaged(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, cache, "verify")[0] == 0
    path = next(EmbeddingStore(cache / FOLDER).files()).path
    path.write_bytes(path.read_bytes()[:100])
    code, text = said(capsys, cache, "verify")
    assert code == 1
    assert f"damaged: {path.parent.name}/{path.name}" in text
    assert "tiny, images" in said(capsys, cache, "list")[1]
    assert "?, damaged: 1 shard, 100 B" in said(capsys, cache, "list")[1]


@pytest.mark.parametrize("size", ["20", "1GiB", "-1GB", "many"])
def test_a_size_that_is_none_is_refused_and_nothing_removed(
    cache: Path, capsys: pytest.CaptureFixture[str], size: str
) -> None:
    code, text = said(capsys, cache, "prune", f"--limit={size}")
    assert code == 2
    assert f"Expected a size such as 500MB or 20GB, got --limit={size!r}" in text
    assert len(list(EmbeddingStore(cache / FOLDER).files())) == 4


def test_an_absent_cache_is_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, tmp_path / "absent", "size")
    assert (code, text[:13]) == (0, "0 shards, 0 B")
