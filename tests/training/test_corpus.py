"""The corpus on disk: the same whoever draws it, and never half a file."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from training import corpus
from training.corpus import make_corpus

CHUNK = 32
PAIRS = 45
"""Neither one chunk nor two."""


@pytest.fixture(scope="module", autouse=True)
def _small_chunks_in_forks() -> Iterator[None]:
    """Workers begin with what this process has imported, and with its size of a chunk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "CHUNK", CHUNK)
        patch.setattr(corpus, "get_context", lambda _: get_context("fork"))
        yield


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes draw."""
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus("synthetic-cxr", 2 * CHUNK, 64, folder, 2, say=lambda _: None)
    return folder


def test_it_does_not_depend_on_the_number_of_workers(
    drawn: Path, tmp_path: Path
) -> None:
    one = make_corpus("synthetic-cxr", PAIRS, 64, tmp_path, 1, say=lambda _: None)
    two = make_corpus("synthetic-cxr", PAIRS, 64, drawn, 1, say=lambda _: None)
    assert one.reports == two.reports
    assert (one.pictures == two.pictures).all()
    assert (one.labels == two.labels).all()
    assert len(one.reports) == len(one.pictures) == len(one.labels) == PAIRS


def test_a_killed_run_draws_only_what_is_missing(drawn: Path, tmp_path: Path) -> None:
    place = next(drawn.iterdir())
    files = sorted(place.glob("0*.npz"))
    copied = tmp_path / place.name
    copied.mkdir()
    (copied / files[0].name).write_bytes(files[0].read_bytes())
    (copied / ".half.npz").write_bytes(b"half a file")
    kept = (copied / files[0].name).stat().st_mtime_ns
    resumed = make_corpus(
        "synthetic-cxr", 2 * CHUNK, 64, tmp_path, 1, say=lambda _: None
    )
    assert (copied / files[0].name).stat().st_mtime_ns == kept
    whole = make_corpus("synthetic-cxr", 2 * CHUNK, 64, drawn, 1, say=lambda _: None)
    assert (resumed.pictures == whole.pictures).all()


def test_scenes_are_in_colour_and_labelled(tmp_path: Path) -> None:
    scenes = make_corpus("synthetic-scenes", 20, 96, tmp_path, 1, say=lambda _: None)
    assert scenes.pictures.shape == (20, 96, 96, 3)
    assert scenes.labels.shape == (20, len(scenes.sizes))
    assert (scenes.labels < np.array(scenes.sizes)).all()
