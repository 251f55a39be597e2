"""`encode` keeps what corruptions and text noise need too, bit for bit."""

from __future__ import annotations

import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.measure.embeddings.store import FOLDER, EmbeddingStore

from .suites import OPTIONS, PAIRS, Suite

pytestmark = pytest.mark.usefixtures("one_thread")
FAMILIES = (
    "--robust-occluders=patches",
    "--robust-levels=0,0.2",
    "--robust-corruptions=contrast",
    "--robust-text-noise=case",
    "--robust-severities=0,0.6",
)


def keys(suite: Suite, cache: str) -> set[str]:
    return {file.key for file in EmbeddingStore(suite.folder / cache / FOLDER).files()}


def test_two_parts_encode_all_that_a_run_needs(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [
        option
        for option in OPTIONS
        if not option.startswith(("--robust-occluders", "--robust-levels"))
    ]
    suite = Suite(pytester.path, (*others, *FAMILIES))
    suite.write()
    for part in ("1/2", "2/2"):
        assert main(["encode", *suite.arguments("parts", f"--part={part}")]) == 0
    printed = capsys.readouterr().out
    # 3 batches of images, 3 of reports, and 3 of reports with noise.
    assert "batches 5 done, 0 found" in printed
    assert "batches 4 done, 0 found" in printed
    kept = keys(suite, "parts")
    for cache in ("parts", "alone"):
        arguments = suite.arguments(cache, f"--robust-results=of-{cache}")
        assert pytester.runpytest_inprocess(*arguments).ret == 0
    assert keys(suite, "parts") == kept == keys(suite, "alone")
    assert suite.ranks("of-parts") == suite.ranks("of-alone")
    assert max(suite.from_store("of-parts")) == PAIRS
