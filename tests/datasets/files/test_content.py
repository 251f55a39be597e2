"""What a data set says of an image's bytes without decoding them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import UnreadableImageError
from pytest_retrieval_robust.datasets import KnowsContent


def table_of(folder: Path) -> KnowsContent:
    (folder / "table.csv").write_text("image,report\na.png,one lung\nb.png,two lungs\n")
    for number, name in enumerate(("a.png", "b.png")):
        Image.new("L", (8, 8), 40 * (number + 1)).save(folder / name)
    found = load_dataset("table", path=str(folder / "table.csv"))
    assert isinstance(found, KnowsContent)
    return found


def test_an_image_exported_again_under_its_old_name_has_another_digest(
    tmp_path: Path,
) -> None:
    before = table_of(tmp_path)
    digests = [before.content_digest(number) for number in range(2)]
    stamps = (tmp_path / "a.png").stat()
    Image.new("L", (8, 8), 41).save(tmp_path / "a.png")
    os.utime(
        tmp_path / "a.png", ns=(stamps.st_atime_ns, stamps.st_mtime_ns)
    )  # a copy that keeps the old time
    after = load_dataset("table", path=str(tmp_path / "table.csv"))
    assert isinstance(after, KnowsContent)
    assert after.content_digest(0) != digests[0]
    assert after.content_digest(1) == digests[1]


def test_a_missing_file_has_no_digest_but_a_clear_error(tmp_path: Path) -> None:
    found = table_of(tmp_path)
    (tmp_path / "a.png").unlink()
    with pytest.raises(UnreadableImageError, match="no such file: row 1 of its table"):
        found.content_digest(0)


def test_the_embedded_data_set_knows_its_images_apart_without_drawing_them() -> None:
    found = load_dataset("synthetic-cxr")
    assert isinstance(found, KnowsContent)
    assert len({found.content_digest(number) for number in range(500)}) == 500
    other = load_dataset("synthetic-cxr", size=128)
    assert isinstance(other, KnowsContent)
    assert other.content_digest(0) != found.content_digest(0)
