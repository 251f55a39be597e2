"""The corpus on disk: the same whoever draws it, and never half a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.corpus import CHUNK, make_corpus

QUIET = {"say": lambda _: None}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus("synthetic-cxr", 2 * CHUNK, 64, folder, 2, say=lambda _: None)
    return folder


def test_it_does_not_depend_on_the_number_of_workers(
    drawn: Path, tmp_path: Path
) -> None:
    one = make_corpus("synthetic-cxr", 700, 64, tmp_path, 1, say=lambda _: None)
    two = make_corpus("synthetic-cxr", 700, 64, drawn, 1, say=lambda _: None)
    assert one.reports == two.reports
    assert (one.pictures == two.pictures).all()
    assert (one.labels == two.labels).all()
    assert len(one.reports) == len(one.pictures) == len(one.labels) == 700


def test_a_killed_run_draws_only_what_is_missing(drawn: Path, tmp_path: Path) -> None:
    place = next(drawn.iterdir())
    files = sorted(place.glob("0*.npz"))
    copied = tmp_path / place.name
    copied.mkdir()
    (copied / files[0].name).write_bytes(files[0].read_bytes())
    (copied / ".half.npz").write_bytes(b"half a file")
    kept = (copied / files[0].name).stat().st_mtime_ns
    corpus = make_corpus(
        "synthetic-cxr", 2 * CHUNK, 64, tmp_path, 1, say=lambda _: None
    )
    assert (copied / files[0].name).stat().st_mtime_ns == kept
    whole = make_corpus("synthetic-cxr", 2 * CHUNK, 64, drawn, 1, say=lambda _: None)
    assert (corpus.pictures == whole.pictures).all()


def test_scenes_are_in_colour_and_labelled(tmp_path: Path) -> None:
    corpus = make_corpus("synthetic-scenes", 20, 96, tmp_path, 1, say=lambda _: None)
    assert corpus.pictures.shape == (20, 96, 96, 3)
    assert corpus.labels.shape == (20, len(corpus.sizes))
    assert (corpus.labels < np.array(corpus.sizes)).all()
