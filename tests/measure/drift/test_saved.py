"""Files of fingerprints: read as they were written, and refused for whatever is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.measure.drift.comparing import compared, cosine_distance
from pytest_retrieval_robust.measure.drift.fingerprint import (
    Fingerprint,
    NormalisationMark,
    PictureMark,
    SentenceMark,
    WeightsMark,
    written_row,
)
from pytest_retrieval_robust.measure.drift.inputs import (
    SENTENCES,
    inputs_digest,
    pixel_arrays,
)
from pytest_retrieval_robust.measure.drift.saved import (
    FingerprintError,
    read_fingerprint,
    write_fingerprint,
)

HASH = "0123456789abcdef" * 4
KNOWN_INPUTS = "4666cbd23b540ebf9907ec3210edf25783400ee6419da55409dda56d9f1d4668"


def row(*numbers: float) -> bytes:
    return written_row(np.array(numbers, np.float32))


def example() -> Fingerprint:
    return Fingerprint(
        model="ours",
        inputs_sha256=inputs_digest(),
        precision="fp32",
        device="cpu AVX2",
        libraries={"torch": "2.9.0"},
        weights=WeightsMark(HASH, None, whole=True),
        normalisation=NormalisationMark((0.5,), (0.25,)),
        pictures=tuple(PictureMark(name, HASH, row(1, 2)) for name in pixel_arrays()),
        sentences=tuple(SentenceMark(name, None, row(3, 4)) for name in SENTENCES),
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fingerprints" / "ours.json"
    write_fingerprint(example(), path)
    return path


def test_the_inputs_are_those_of_committed_files() -> None:
    """Whoever changes an input makes every file of a user's useless."""
    assert inputs_digest() == KNOWN_INPUTS


def test_a_file_is_read_as_it_was_written(file: Path) -> None:
    assert read_fingerprint(file, "ours") == example()


def test_a_row_that_changes_is_one_line_of_a_diff(file: Path) -> None:
    before = file.read_text().splitlines()
    changed = example().as_json()
    fingerprint = Fingerprint.from_json(changed)
    pictures = (
        PictureMark("grey-landscape", HASH, row(1, 3)),
        *fingerprint.pictures[1:],
    )
    other = Fingerprint(**{**vars(fingerprint), "pictures": pictures})
    write_fingerprint(other, file)
    after = file.read_text().splitlines()
    differing = [pair for pair in zip(before, after, strict=True) if len({*pair}) > 1]
    assert len(differing) == 2  # the row, and the digest of the content


def edited(file: Path, change: Callable[[Any], None]) -> Path:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(format=2), "Expected format=1 in ours.json, got format=2"),
        (lambda c: c.pop("format"), "got none (no format)"),
        (lambda c: c["pictures"].pop(), "Expected 12 pictures in ours.json, got 11"),
        (lambda c: c["sentences"].pop(), "Expected 12 sentences"),
        (lambda c: c["pictures"].reverse(), "the pictures of this version"),
        (lambda c: c.update(inputs_sha256=HASH), "got inputs_sha256=0123456789ab"),
        (lambda c: c.pop("weights"), "missing required field `weights`"),
        (lambda c: c["pictures"][0].update(row="?"), "Invalid base64"),
        (lambda c: c["pictures"][0].update(row="AAA="), "2 bytes for grey-landscape"),
        (lambda c: c["weights"].update(loaded_sha256="x"), "a whole fingerprint"),
        (lambda c: c["libraries"].update(torch="2.9.1"), "got another"),
    ],
)
def test_what_is_wrong_is_said(
    file: Path, change: Callable[[Any], None], said: str
) -> None:
    with pytest.raises(FingerprintError) as caught:
        read_fingerprint(edited(file, change), "ours")
    assert said in str(caught.value)
    assert "fingerprint ours" in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (row(float("nan"), 1.0), "NaN or an infinite number for grey-landscape"),
        (row(float("inf"), 1.0), "NaN or an infinite number"),
        (row(0.0, 0.0), "zeros alone for grey-landscape"),
        (row(1.0, 2.0, 3.0), "Expected rows of one width"),
    ],
)
def test_rows_that_are_none_are_refused(tmp_path: Path, rows: bytes, said: str) -> None:
    good = example()
    pictures = (PictureMark("grey-landscape", HASH, rows), *good.pictures[1:])
    file = tmp_path / "ours.json"
    write_fingerprint(Fingerprint(**{**vars(good), "pictures": pictures}), file)
    with pytest.raises(FingerprintError, match=said):
        read_fingerprint(file, "ours")


def test_the_fingerprint_of_another_model_is_refused(file: Path) -> None:
    with pytest.raises(FingerprintError) as caught:
        read_fingerprint(file, "theirs")
    assert "Expected the fingerprint of theirs, got model='ours'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "line 1, column 1 is no JSON"),
        (b"<<<<<<< HEAD\n", "is no JSON"),
        (b'{"format": NaN}', "NaN in place of a number"),
        (b"[1]", "no object"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"format": 1, "model": "\\ud800"}', "not UTF-8"),
        (b"[" * 200_000, "nested without end"),
    ],
)
def test_what_is_no_file_of_ours_is_refused(
    tmp_path: Path, text: bytes, said: str
) -> None:
    file = tmp_path / "ours.json"
    file.write_bytes(text)
    with pytest.raises(FingerprintError) as caught:
        read_fingerprint(file, "ours")
    assert said in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FingerprintError, match="a folder where a file is expected"):
        read_fingerprint(tmp_path, "ours")


def test_another_width_is_another_network() -> None:
    wider = tuple(PictureMark(name, HASH, row(1, 2, 3)) for name in pixel_arrays())
    now = Fingerprint(**{**vars(example()), "pictures": wider})
    with pytest.raises(FingerprintError, match=r"rows of 2 numbers.*got 3"):
        compared(example(), now, "ours.json")


VECTORS = st.lists(
    st.floats(-10, 10, width=32).filter(lambda number: abs(number) > 1e-3),
    min_size=3,
    max_size=3,
)


@given(first=VECTORS, second=VECTORS, scale=st.floats(0.1, 10))
def test_the_distance_is_1_minus_the_cosine(
    first: list[float], second: list[float], scale: float
) -> None:
    a = np.array(first)
    b = np.array(second)
    expected = 1 - float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b))
    assert cosine_distance(a, b) == pytest.approx(expected, abs=1e-12)
    assert cosine_distance(a, b) == cosine_distance(b, a)
    assert cosine_distance(a, scale * a) == pytest.approx(0, abs=1e-15)
    assert 0 <= cosine_distance(a, b) <= 2
