"""The command `plan-run`, beside the run that it plans."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.measure.embeddings.store import (
    FOLDER,
    EmbeddingStore,
    about_shard,
)

pytestmark = pytest.mark.usefixtures("modules_forgotten")
SUITE = """
def test_recall(outcome):
    assert outcome.timing is not None
"""
OPTIONS = (
    "--robust-models=tiny-cxr-clip",
    "--robust-datasets=synthetic-cxr(pairs=50)",
    "--robust-occluders=patches,box",
    "--robust-levels=0.3,0.6",
    "--robust-batch-size=16",
)


def planned(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["plan-run", *words, "test_mine.py", *OPTIONS]) == 0
    return capsys.readouterr().out


def encode_all(pytester: pytest.Pytester) -> None:
    quiet = ("--robust-measure-only", "-p", "no:cacheprovider")
    kept = ("--robust-cache-dir=kept", "--robust-results=results")
    result = pytester.runpytest_inprocess("test_mine.py", *OPTIONS, *quiet, *kept)
    assert result.ret == 0


def size_of_shards(cache: Path) -> int:
    """Bytes of embeddings; what identifies a model is kept once, and is small."""
    files = EmbeddingStore(cache / FOLDER).files()
    return sum(
        file.size
        for file in files
        if about_shard(file.path)["holds"] in ("images", "reports")
    )


def speed_of(folder: Path) -> float:
    """Images per second, hiding included, by the run's own figures."""
    images = 0.0
    seconds = 0.0
    for outcome in json.loads((folder / "run.json").read_text())["outcomes"]:
        timing = outcome["timing"]
        images += timing["images_per_second"] * timing["encode_seconds"]
        seconds += timing["encode_seconds"] + timing["occlude_seconds"]
    return images / seconds


def test_a_plan_says_what_the_run_then_needs(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    pytester.makepyfile(test_mine=SUITE)
    before = planned(capsys)
    assert "50 images x 5 cells = 250 encodings in 4 batches; 50 reports" in before
    assert "How quickly tiny-cxr-clip encodes: give --from RUN" in before
    assert "encode and rank: not known" in before
    encode_all(pytester)
    kept = size_of_shards(pytester.path / "kept")
    planned_size = re.search(r"disk: ([\d.]+) kB in the embedding store", before)
    assert planned_size is not None
    assert 1000 * float(planned_size[1]) == pytest.approx(kept, rel=0.05)
    after = planned(capsys, "--from", "results", "--workers", "3")
    said = re.search(r"([\d.,]+) images/s per worker, by the earlier run", after)
    assert said is not None
    expected = speed_of(pytester.path / "results")
    assert float(said[1].replace(",", "")) == pytest.approx(expected, rel=0.01)
    assert "on 1 worker" in after
    assert "on 3; what decides" in after


def test_a_store_that_is_too_small_is_named(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    pytester.makepyfile(test_mine=SUITE)
    printed = planned(capsys, "--robust-cache-limit=10kB", "--images-per-second", "10")
    assert "--robust-cache-limit 10.0 kB is too small" in printed
    assert "10 images/s per worker, by --images-per-second" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--files=tiff"], "Expected --files out of"),
        (["--disk=much"], "--disk"),
        (["--from=nowhere"], "nowhere"),
    ],
)
def test_what_is_typed_wrongly_is_refused(
    words: list[str],
    message: str,
    pytester: pytest.Pytester,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytester.makepyfile(test_mine=SUITE)
    assert main(["plan-run", *words, "test_mine.py", *OPTIONS]) == 2
    assert message in capsys.readouterr().err
