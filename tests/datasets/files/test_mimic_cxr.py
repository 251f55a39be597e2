"""MIMIC-CXR on a tree laid out like the published ones."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import (
    ConfigError,
    DatasetError,
    UnknownNameError,
    UnreadableImageError,
)
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.datasets.mimic_cxr.index import read_index

from .trees import MIMIC, mimic, mimic_zip, write_table

FIRST, SIDE, SECOND, THIRD, ODD, TRAIN = (image for row in MIMIC for image, _ in row[2])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETRIEVAL_ROBUST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def opened(folder: Path, **options: Any) -> Any:
    images, reports = mimic(folder)
    return load_dataset("mimic-cxr", images=images, reports=reports, **options)


@pytest.mark.parametrize("version", ["2.0.0", "2.1.0"])
def test_the_official_test_split(tmp_path: Path, version: str) -> None:
    images, reports = mimic(tmp_path, version=version)
    dataset = load_dataset("mimic-cxr", images=images, reports=reports)
    assert isinstance(dataset, RetrievalDataset)
    assert (dataset.name, dataset.split, dataset.text, dataset.relevance) == (
        "mimic-cxr",
        "test",
        "findings+impression",
        "same-text",
    )
    assert list(dataset.image_ids) == [
        FIRST,
        SIDE,
        SECOND,
        ODD,
    ]  # THIRD has neither section
    assert list(dataset.reports) == [
        "Clear lungs. No acute process.",
        "No acute process.",
        dataset.reports[2],
    ]
    assert dataset.reports[2].startswith("An odd conclusion.yyy")
    assert dataset.image_groups.tolist() == [0, 0, 1, 2]
    assert list(dataset.patients) == ["10000032"] * 3 + ["12000000"]
    assert dataset.image(0).size == (32, 40)


def test_policies_views_and_the_first_image(tmp_path: Path) -> None:
    images, reports = mimic(tmp_path)
    options: dict[str, Any] = {"images": images, "reports": reports}
    impression = load_dataset("mimic-cxr", **options, text="impression", view="frontal")
    assert list(impression.image_ids) == [FIRST, SECOND, ODD]
    assert impression.reports[0] == "No acute process."  # two studies, one text
    assert impression.image_groups.tolist() == [0, 0, 1]
    assert list(load_dataset("mimic-cxr", **options, text="findings").image_ids) == [
        FIRST,
        SIDE,
    ]
    one = load_dataset("mimic-cxr", **options, text="full", images_per_study=1)
    assert list(one.image_ids) == [FIRST, SECOND, THIRD, ODD]
    assert list(load_dataset("mimic-cxr", **options, split="train").image_ids) == [
        TRAIN
    ]
    assert (
        len(load_dataset("mimic-cxr", **options, split="all", text="full").image_ids)
        == 6
    )
    long: Any = load_dataset(
        "mimic-cxr", **options, text="impression", minimum_length=18
    )
    assert list(long.image_ids) == [ODD]
    assert long.counts["left out: short text"] == 3


def test_labels_are_those_of_chexpert(tmp_path: Path) -> None:
    dataset = opened(tmp_path, relevance="same-labels")
    assert dataset.image_groups.tolist() == [0, 0, 1, 1]
    assert dataset.report_groups.tolist() == [0, 1, 1]


def test_a_table_of_labels_that_lacks_studies_is_refused(tmp_path: Path) -> None:
    images, reports = mimic(tmp_path)
    labels = write_table(
        tmp_path / "test-set-labeled.csv", ["study_id", "Edema"], [(50414267, "1.0")]
    )
    with pytest.raises(DatasetError, match="got none for 2 of 4 images"):
        load_dataset(
            "mimic-cxr",
            images=images,
            reports=reports,
            labels=labels,
            relevance="same-labels",
        )


def test_reports_from_the_archive_as_published(tmp_path: Path) -> None:
    images, reports = mimic(tmp_path)
    folder = load_dataset("mimic-cxr", images=images, reports=reports)
    packed = load_dataset("mimic-cxr", images=images, reports=mimic_zip(tmp_path))
    assert packed.fingerprint == folder.fingerprint
    again = load_dataset(
        "mimic-cxr", images=images, reports=tmp_path / "mimic-cxr-reports.zip"
    )  # a cached directory
    assert again.fingerprint == folder.fingerprint


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]
)
def test_archives_of_every_kind(tmp_path: Path, method: int) -> None:
    images, reports = mimic(tmp_path)
    with zipfile.ZipFile(tmp_path / "r.zip", "w", method) as archive:
        archive.write(tmp_path / "mimic-cxr/2.0.0/files", "files/")
        for file in sorted(reports.rglob("*.txt")):
            archive.write(file, file.relative_to(reports))
    if method == zipfile.ZIP_BZIP2:
        with pytest.raises(
            DatasetError, match="stored or deflated reports .* method=12"
        ):
            load_dataset("mimic-cxr", images=images, reports=tmp_path / "r.zip")
        return
    packed = load_dataset("mimic-cxr", images=images, reports=tmp_path / "r.zip")
    assert (
        packed.fingerprint
        == load_dataset("mimic-cxr", images=images, reports=reports).fingerprint
    )
    content = bytearray((tmp_path / "r.zip").read_bytes())
    start = content.index(b"s50414267.txt") + 40
    content[start : start + 20] = b"\1" * 20
    (tmp_path / "damaged.zip").write_bytes(bytes(content))
    with pytest.raises(
        DatasetError, match="whole archive, got .* in the archive of reports"
    ):
        load_dataset("mimic-cxr", images=images, reports=tmp_path / "damaged.zip")


def test_a_report_that_is_there_twice(tmp_path: Path) -> None:
    images, _ = mimic(tmp_path)
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("files/p10/p10000032/s50414267.txt", "x")
        archive.writestr("old/p10/p10000032/s50414267.txt", "y")
    with pytest.raises(
        DatasetError,
        match="got one study 2 times in the archive of reports: members 1, 2",
    ):
        load_dataset("mimic-cxr", images=images, reports=tmp_path / "r.zip")


def test_only_one_root(tmp_path: Path) -> None:
    images, reports = mimic(tmp_path)
    with pytest.raises(
        DatasetError, match="holds no reports, they come with MIMIC-CXR"
    ):
        load_dataset("mimic-cxr", images=images)
    with pytest.raises(DatasetError, match="got none. Its tables say which study"):
        load_dataset("mimic-cxr", reports=reports)
    with pytest.raises(DatasetError, match="no folder at images='nowhere'"):
        load_dataset("mimic-cxr", images=tmp_path / "nowhere", reports=reports)
    with pytest.raises(DatasetError, match="mimic-cxr-2.0.0-split.csv.gz"):
        load_dataset("mimic-cxr", images=reports, reports=reports)


def test_without_images_its_reports_can_be_read(tmp_path: Path) -> None:
    images, reports = mimic(tmp_path)
    dataset = load_dataset("mimic-cxr", metadata=images, reports=reports)
    assert len(dataset.reports) == 3
    with pytest.raises(DatasetError, match="opened without its images"):
        dataset.image(0)


def test_the_dicom_images_of_mimic_cxr(tmp_path: Path) -> None:
    from .test_dicom import save_dicom

    tables, reports = mimic(tmp_path, dicom=True)
    pixels = np.arange(48, dtype=np.uint16).reshape(6, 8)
    save_dicom(reports / f"files/p10/p10000032/s50414267/{FIRST}.dcm", pixels)
    dataset = load_dataset(
        "mimic-cxr", images=reports, reports=reports, metadata=tables
    )
    assert dataset.image(0).size == (8, 6)
    with pytest.raises(
        UnreadableImageError, match="no such file: row 2 of the split table"
    ):
        dataset.image(1)


def test_messages_name_no_patient(tmp_path: Path) -> None:
    dataset = opened(tmp_path)
    images = tmp_path / "mimic-cxr-jpg/2.0.0/files/p10/p10000032/s50414267"
    (images / f"{FIRST}.jpg").write_bytes(b"")
    with pytest.raises(UnreadableImageError) as caught:
        dataset.image(0)
    assert "row 1 of the split table" in str(caught.value)
    assert FIRST not in str(caught.value)
    assert "10000032" not in str(caught.value)
    assert "50414267" not in str(caught.value)


def test_a_missing_report_is_counted(tmp_path: Path) -> None:
    images, reports = mimic(tmp_path)
    (reports / "files/p10/p10000032/s53189527.txt").unlink()
    dataset: Any = load_dataset("mimic-cxr", images=images, reports=reports)
    assert dataset.counts["left out: no report"] == 1
    assert SECOND not in dataset.image_ids


def test_a_report_that_is_not_utf_8_is_read_as_latin_1_and_counted(
    tmp_path: Path,
) -> None:
    images, reports = mimic(tmp_path)
    (reports / "files/p10/p10000032/s53189527.txt").write_bytes(
        b"\n FINDINGS:  gr\xf6sse.\n"
    )
    dataset: Any = load_dataset("mimic-cxr", images=images, reports=reports)
    assert dataset.reports[1] == "grösse."
    assert dataset.counts["reports read as Latin-1, being no UTF-8"] == 1
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        for file in sorted(reports.rglob("*.txt")):
            archive.write(file, file.relative_to(reports))
    packed: Any = load_dataset("mimic-cxr", images=images, reports=tmp_path / "r.zip")
    assert packed.fingerprint == dataset.fingerprint
    assert packed.counts == dataset.counts


def test_the_index_is_cached_and_follows_its_tables(
    tmp_path: Path, cache: Path
) -> None:
    images, reports = mimic(tmp_path)
    first = load_dataset("mimic-cxr", images=images, reports=reports)
    (held,) = (cache / "datasets").iterdir()
    assert held.stat().st_mode & 0o077 == 0
    assert b"acute" not in held.read_bytes()
    again = load_dataset("mimic-cxr", images=images, reports=reports)
    assert again.fingerprint == first.fingerprint
    held.write_bytes(held.read_bytes()[:100])  # cut off: read from the tables again
    assert (
        load_dataset("mimic-cxr", images=images, reports=reports).fingerprint
        == first.fingerprint
    )
    rows = [(image, row[1], row[0], "train") for row in MIMIC for image, _ in row[2]]
    write_table(
        images / "mimic-cxr-2.0.0-split.csv.gz",
        ["dicom_id", "study_id", "subject_id", "split"],
        rows,
    )
    with pytest.raises(
        DatasetError, match="Expected images with reports in mimic-cxr, got none"
    ):
        load_dataset("mimic-cxr", images=images, reports=reports)


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RETRIEVAL_ROBUST_CACHE", str(tmp_path / "file"))
    assert len(opened(tmp_path).image_ids) == 4


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("a", "x", 10, "test"), "number as study_id, got another text in row 1"),
        (("a", 5, 10, "dev"), "as split, got another text in row 1 of the split table"),
    ],
)
def test_bad_rows(tmp_path: Path, row: tuple[object, ...], said: str) -> None:
    images, _ = mimic(tmp_path)
    table = write_table(
        tmp_path / "split.csv", ["dicom_id", "study_id", "subject_id", "split"], [row]
    )
    with pytest.raises(DatasetError, match=said):
        read_index(table, images / "mimic-cxr-2.0.0-metadata.csv.gz")


def test_a_repeated_image(tmp_path: Path) -> None:
    images, _ = mimic(tmp_path)
    rows = [("a", 5, 10, "test")] * 2
    table = write_table(
        tmp_path / "split.csv", ["dicom_id", "study_id", "subject_id", "split"], rows
    )
    with pytest.raises(DatasetError, match="again in row 2 of the split table"):
        read_index(table, images / "mimic-cxr-2.0.0-metadata.csv.gz")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"split": "valid"}, "Did you mean 'validate'"),
        ({"view": "frontl"}, "Did you mean 'frontal'"),
        ({"text": "impresion"}, "Did you mean 'impression'"),
        ({"relevance": "same-txt"}, "Did you mean 'same-text'"),
        ({"on_error": "ignore"}, "Known: fail, skip"),
        ({"imges": "x"}, "Did you mean 'images'"),
    ],
)
def test_slips_are_said_before_any_file_is_read(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises((UnknownNameError, ConfigError), match=said):
        load_dataset(
            "mimic-cxr", **{"images": "/nowhere", "reports": "/nowhere", **options}
        )


def test_links_out_of_the_root_are_refused(tmp_path: Path) -> None:
    dataset = opened(tmp_path)
    image = tmp_path / f"mimic-cxr-jpg/2.0.0/files/p10/p10000032/s50414267/{FIRST}.jpg"
    shutil.move(image, tmp_path / "outside.jpg")
    image.symlink_to(tmp_path / "outside.jpg")
    with pytest.raises(DatasetError, match="a link leads out of it"):
        dataset.image(0)


@pytest.mark.parametrize("below", ["", "mimic-cxr", "files/x", "physionet.org/files/x"])
def test_the_folder_of_downloads_is_enough(tmp_path: Path, below: str) -> None:
    """As copied beside each other, and as wget leaves them."""
    images, reports = mimic(tmp_path / "made")
    expected = load_dataset("mimic-cxr", images=images, reports=reports)
    top = tmp_path / "top"
    if below == "":
        shutil.copytree(tmp_path / "made", top)
    elif below == "mimic-cxr":
        shutil.copytree(images, top / "mimic-cxr-jpg")
        shutil.copytree(reports, top / "mimic-cxr")
    else:
        shutil.copytree(tmp_path / "made", top / Path(below).parent)
    dataset = load_dataset("mimic-cxr", images=top, reports=top)
    assert dataset.fingerprint == expected.fingerprint
    assert dataset.image(0).size == (32, 40)


def test_several_versions_in_the_folder_of_downloads(tmp_path: Path) -> None:
    mimic(tmp_path)
    mimic(tmp_path, version="2.1.0")
    with pytest.raises(
        DatasetError, match="one version of mimic-cxr-jpg below .* got 2: 2.0.0, 2.1.0"
    ):
        load_dataset("mimic-cxr", images=tmp_path, reports=tmp_path)


def test_the_archive_of_reports_in_the_folder_that_is_given(tmp_path: Path) -> None:
    images, reports = mimic(tmp_path)
    (tmp_path / "packed").mkdir()
    mimic_zip(tmp_path / "packed")
    packed = load_dataset("mimic-cxr", images=images, reports=tmp_path / "packed")
    assert (
        packed.fingerprint
        == load_dataset("mimic-cxr", images=images, reports=reports).fingerprint
    )


@pytest.mark.parametrize("kind", ["report", "archive", "split"])
def test_fifos_are_refused_at_once(tmp_path: Path, kind: str) -> None:
    images, reports = mimic(tmp_path)
    file = {
        "report": reports / "files/p10/p10000032/s53189527.txt",
        "archive": tmp_path / "reports.zip",
        "split": images / "mimic-cxr-2.0.0-split.csv.gz",
    }[kind]
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    with pytest.raises(
        DatasetError, match="FIFO|no folder at reports='reports.zip'"
    ) as caught:
        load_dataset(
            "mimic-cxr", images=images, reports=file if kind == "archive" else reports
        )
    assert "10000032" not in str(caught.value)


def test_a_report_far_too_large_is_refused(tmp_path: Path) -> None:
    images, reports = mimic(tmp_path)
    (reports / "files/p10/p10000032/s53189527.txt").write_bytes(b" " * 5_000_001)
    with pytest.raises(
        DatasetError, match="got more than 5000000 bytes for row 3 of the split table"
    ):
        load_dataset("mimic-cxr", images=images, reports=reports)


def test_a_report_of_the_archive_that_expands_without_end(tmp_path: Path) -> None:
    images, _ = mimic(tmp_path)
    with zipfile.ZipFile(tmp_path / "r.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("files/p10/p10000032/s50414267.txt", b" " * 50_000_000)
    with pytest.raises(
        DatasetError,
        match="at most 5000000 bytes, got method=8, size=50000000 in member 1",
    ):
        load_dataset("mimic-cxr", images=images, reports=tmp_path / "r.zip")
    content = bytearray((tmp_path / "r.zip").read_bytes())
    size = (50_000_000).to_bytes(4, "little")
    while size in content:  # a header that lies
        content[content.index(size) : content.index(size) + 4] = (4000).to_bytes(
            4, "little"
        )
    (tmp_path / "r.zip").write_bytes(bytes(content))
    with pytest.raises(DatasetError, match="Expected a whole archive"):
        load_dataset("mimic-cxr", images=images, reports=tmp_path / "r.zip")


def test_a_cache_that_is_damaged_or_a_fifo_is_made_again(
    tmp_path: Path, cache: Path
) -> None:
    images, reports = mimic(tmp_path)
    first = load_dataset("mimic-cxr", images=images, reports=reports)
    (held,) = (cache / "datasets").iterdir()
    held.write_bytes(b"\x93NUMPY" + bytes(200))
    assert (
        load_dataset("mimic-cxr", images=images, reports=reports).fingerprint
        == first.fingerprint
    )
    held.unlink()
    os.mkfifo(held)
    assert (
        load_dataset("mimic-cxr", images=images, reports=reports).fingerprint
        == first.fingerprint
    )


def test_a_cache_on_a_full_disk_leaves_no_part_behind(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert len(opened(tmp_path).image_ids) == 4
    assert list((cache / "datasets").iterdir()) == []
