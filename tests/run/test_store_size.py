"""A run that the embedding store has no room for says so before it has begun."""

from __future__ import annotations

import re

import pytest

from pytest_retrieval_robust.measure.embeddings.store import FOLDER, EmbeddingStore

from ..conftest import Run

OPTIONS = (
    "--robust-models=tiny-cxr-clip,tiny-cxr-clip-robust",
    "--robust-measure-only",
)
LIMIT = 60_000


def sizes(pytester: pytest.Pytester, cache: str) -> dict[str, int]:
    store = EmbeddingStore(pytester.path / cache / FOLDER)
    return {file.key: file.size for file in store.files()}


def test_it_names_size_limit_and_option_first_and_keeps_its_beginning(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    roomy = run_suite(*OPTIONS, "--robust-cache-dir=roomy")
    roomy.assert_outcomes(passed=4)
    assert "Expected a store for all" not in roomy.stdout.str()
    whole = sizes(pytester, "roomy")

    narrow = (*OPTIONS, "--robust-cache-dir=narrow", f"--robust-cache-limit={LIMIT}B")
    result = run_suite(*narrow)
    result.assert_outcomes(passed=4)
    lines = result.outlines
    told = [line for line in lines if line.startswith("Expected a store for all")]
    size = re.search(r"about ([\d.]+) kB, got --robust-cache-limit=60.0 kB:", told[0])
    assert size is not None
    assert float(size[1]) * 1000 == pytest.approx(sum(whole.values()), rel=0.05)
    # Before the first test has ended, once, and again among the notes.
    assert lines.index(told[0]) < lines.index("test_mine.py ...".ljust(73) + "[100%]")
    text = " ".join(result.stdout.str().split())
    assert text.count("Expected a store for all embeddings of this run") == 2
    assert "next run encodes again what was not kept" in text

    kept = sizes(pytester, "narrow")
    assert sum(kept.values()) <= LIMIT
    assert 0 < len(kept) < len(whole)
    # The next run uses what the first one kept, and does not put it out.
    run_suite(*narrow).assert_outcomes(passed=4)
    assert sizes(pytester, "narrow") == kept
