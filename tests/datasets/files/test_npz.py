"""An array of a NumPy archive as a picture: which are read, and what is refused."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import DatasetError, UnreadableImageError
from pytest_retrieval_robust.datasets._pixels.stored_image import StoredImage

from .trees import write_table
from .trees_beyond import fundus, save_npz

WHERE = "row 7 of its table"


def packed(**arrays: Any) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def archive_of(member: bytes, name: str = "slo.npy") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(name, member)
    return content.getvalue()


def stored(content: bytes, array: str | None = "slo") -> StoredImage:
    return StoredImage(content, WHERE, array=array)


def shown(values: Any) -> np.ndarray[Any, Any]:
    return np.asarray(stored(packed(slo=values)).decoded())


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["u1", "<i2", ">u4", "i8", "f4", ">f8"]),
    st.sampled_from([(5, 7), (5, 7, 1), (5, 7, 3)]),
    st.sampled_from("CF"),
)
def test_every_kind_of_number_and_order_shows_the_same(
    seed: int, kind: str, shape: tuple[int, ...], order: Any
) -> None:
    drawn = np.random.default_rng(seed).integers(0, 256, shape)
    drawn.flat[0] = 255
    values = np.array(drawn, dtype=kind, order=order)
    grey_or_colour = drawn[..., 0] if shape[2:] == (1,) else drawn
    assert np.array_equal(shown(values), grey_or_colour.astype(np.uint8))


def test_fractions_are_cut() -> None:
    values = np.array([[0.0, 0.9], [254.99, 17.5]], np.float32)
    assert shown(values).tolist() == [[0, 0], [254, 17]]


def test_a_black_picture_is_one() -> None:
    assert shown(np.zeros((2, 3))).tolist() == [[0] * 3] * 2


REFUSED: dict[str, tuple[bytes, str]] = {
    "another array": (packed(oct=np.zeros((2, 2))), "with the array 'slo'"),
    "fractions of 1": (packed(slo=np.full((2, 2), 0.5)), "all but black"),
    "a mask": (packed(slo=np.ones((2, 2), np.uint8)), "all but black"),
    "16 bits": (packed(slo=np.full((2, 2), 4095)), "from 4095 to 4095, of no known"),
    "negative": (packed(slo=np.full((2, 2), -1)), "of no known white"),
    "NaN": (packed(slo=np.full((2, 2), np.nan)), "of no known white"),
    "infinite": (packed(slo=np.full((2, 2), np.inf)), "of no known white"),
    "a volume": (packed(slo=np.zeros((4, 5, 6))), "shape=(4, 5, 6)"),
    "a number": (packed(slo=np.array(3)), "shape=()"),
    "empty": (packed(slo=np.zeros((0, 5))), "shape=(0, 5)"),
    "true and false": (packed(slo=np.ones((2, 2), bool)), "dtype=b"),
    "objects": (packed(slo=np.array([["x"]], dtype=object)), "dtype=O"),
    "texts": (packed(slo=np.array([["x"]])), "dtype=U"),
    "fields": (packed(slo=np.zeros((2, 2), "u1,u1")), "dtype=V"),
    "no array": (archive_of(b"x"), "ValueError while it was decoded"),
    "cut": (packed(slo=np.zeros((9, 9)))[:300], "BadZipFile while it was decoded"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_picture_is_refused(kind: str) -> None:
    content, said = REFUSED[kind]
    with pytest.raises(UnreadableImageError) as caught:
        stored(content).decoded()
    assert said in str(caught.value)
    assert WHERE in str(caught.value)


def header(shape: str, version: tuple[int, int] = (1, 0)) -> bytes:
    """The beginning of an array's file that claims a shape."""
    words = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    text = words.encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (header("(900000, 900000)"), "at most 150000000 pixels"),
        (header("(10, 10)") + b"x" * 99, "fewer values than its shape has"),
        (header("(10, 10)") + b"x" * 101, "more values than its shape has"),
        (header("(10, 10)", (3, 0)), "version=(3, 0)"),
        (header("(-1, 10)"), "shape=(-1, 10)"),
        (header("__import__"), "ValueError while it was decoded"),
    ],
)
def test_headers_are_not_believed(member: bytes, said: str) -> None:
    with pytest.raises(UnreadableImageError) as caught:
        stored(archive_of(member)).decoded()
    assert said in str(caught.value)


def test_an_array_that_claims_more_than_a_picture_is_not_unpacked() -> None:
    content = bytearray(archive_of(header("(1, 1)") + b"x"))
    # The size once unpacked, in the archive's list of members.
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 2**31)
    with pytest.raises(UnreadableImageError, match="at most 1073741824 bytes"):
        stored(bytes(content)).decoded()


def test_an_archive_without_an_array_is_no_picture() -> None:
    with pytest.raises(UnreadableImageError, match="array=NAME"):
        stored(packed(slo=fundus(0)), None).decoded()


def test_the_digest_follows_from_the_array_too() -> None:
    content = packed(slo=fundus(0), other=fundus(1))
    arrays = (None, "slo", "other")
    assert len({stored(content, array).digest() for array in arrays}) == 3


def test_a_table_of_arrays(tmp_path: Path) -> None:
    save_npz(tmp_path / "a.npz", scan=fundus(0))
    table = write_table(tmp_path / "t.csv", ["image", "report"], [("a.npz", "One.")])
    dataset = load_dataset("table", path=table, array="scan")
    assert np.array_equal(np.asarray(dataset.image(0)), fundus(0))
    with pytest.raises(DatasetError, match="row 1 of its table"):
        load_dataset("table", path=table, array="scans").image(0)
