"""Open-i: the real archive's counts, and every form that it is published in on small trees."""

from __future__ import annotations

import gzip
import importlib.util
import io
import os
import shutil
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import DatasetError, UnreadableImageError
from pytest_retrieval_robust.datasets.open_i import report_xml
from pytest_retrieval_robust.datasets.open_i.reader import image_key
from pytest_retrieval_robust.datasets.open_i.report_xml import parse
from pytest_retrieval_robust.measure.inspection import fair_ceiling

from .trees import open_i, open_i_xml, save, write_table


def real_data() -> Path:
    """Where torchxrayvision keeps the real tables; it is not imported."""
    found = importlib.util.find_spec("torchxrayvision")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "data"


Opened = Callable[..., Any]
read_once = cache(report_xml.read_reports)
"""The real archive takes a second to read, and what is read of it cannot be changed."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Open the real archive, by any options."""
    monkeypatch.setattr(report_xml, "read_reports", read_once)
    reports = real_data() / "NLMCXR_reports.tgz"
    return lambda **options: load_dataset("open-i", reports=reports, **options)


def test_the_real_archives_counts(opened: Opened) -> None:
    counts = opened(text="full").counts
    assert counts["reports"] == 3955
    assert counts["images"] == 7470
    assert counts["reports without images"] == 104
    assert counts["studies with images"] == 3851
    assert counts["reports with empty findings"] == 530
    assert counts["reports with empty impression"] == 34
    assert counts["reports with neither"] == 28


@pytest.mark.parametrize(
    ("text", "studies", "different", "in_lower_case", "ceiling"),
    [
        ("impression", 3820, 1770, 1767, (46, 57, 63)),
        ("findings", 3337, 2553, 2552, (77, 87, 92)),
        ("findings+impression", 3826, None, 3064, (80, 91, 95)),
        ("longest", 3826, None, 2979, (78, 88, 93)),
    ],
)
def test_the_real_texts(
    text: str,
    studies: int,
    different: int | None,
    in_lower_case: int,
    ceiling: tuple[int, ...],
    opened: Opened,
) -> None:
    dataset = opened(text=text, images_per_study=1)
    assert len(dataset.image_ids) == studies
    assert different in (None, len(dataset.reports))
    assert len({report.lower() for report in dataset.reports}) == in_lower_case
    strict = opened(text=text, images_per_study=1, relevance="strict-id")
    assert len(strict.reports) == studies
    fair = fair_ceiling(strict.reports, strict.report_groups.tolist(), (1, 5, 10))
    assert tuple(round(100 * fair[k]) for k in (1, 5, 10)) == ceiling


def test_the_real_views(opened: Opened) -> None:
    views = real_data() / "nlmcxr_dicom_metadata.csv.gz"
    dataset = opened(view="frontal", views=views, strata=["projection"])
    assert dataset.counts["view frontal"] == 4016  # PA 3,593 and AP 423 in the table
    assert dataset.counts["view lateral"] == 717 + 119 + 29 + 2
    (projection,) = dataset.stratifications
    assert projection.groups == ("AP", "PA")
    assert projection.image_codes.min() == 0


def test_the_most_frequent_text(opened: Opened) -> None:
    dataset = opened(text="impression", images_per_study=1)
    wanted = dataset.reports.index("No acute cardiopulmonary abnormality.")
    assert (dataset.image_groups == dataset.report_groups[wanted]).sum() == 301


def test_the_same_from_a_folder_and_an_archive(tmp_path: Path) -> None:
    reports, images = open_i(tmp_path)
    folder: Any = load_dataset("open-i", reports=reports, images=images)
    assert list(folder.reports) == [
        "Clear lungs. Normal chest.",
        "Normal chest.",
        "Large effusion.",
    ]
    assert list(folder.image_ids)[:2] == ["CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001"]
    assert [folder.image(number).size for number in range(4)] == [(32, 40)] * 4
    with tarfile.open(tmp_path / "NLMCXR_reports.tgz", "w:gz") as archive:
        archive.add(reports, "ecgen-radiology")
    assert (
        load_dataset("open-i", reports=tmp_path / "NLMCXR_reports.tgz").fingerprint
        == folder.fingerprint
    )
    assert (
        load_dataset("open-i", reports=tmp_path).fingerprint == folder.fingerprint
    )  # one folder above


def test_views_come_from_the_table_beside_it(tmp_path: Path) -> None:
    reports, _ = open_i(tmp_path)
    frontal = load_dataset("open-i", reports=reports, view="frontal")
    assert list(frontal.image_ids) == ["CXR1_1_IM-0001-3001", "CXR2_IM-0652-1001"]


def test_headings_are_labels(tmp_path: Path) -> None:
    reports, _ = open_i(tmp_path)
    dataset = load_dataset("open-i", reports=reports, relevance="same-labels")
    assert dataset.image_groups.tolist() == [0, 0, 0, 1]
    assert dataset.report_groups.tolist() == [0, 0, 1]


def test_dicom_files(tmp_path: Path) -> None:
    import numpy as np

    from .test_dicom import save_dicom

    reports, images = open_i(tmp_path, images="dcm")
    save_dicom(
        images / "2/2_IM-0652-1001.dcm", np.arange(20, dtype=np.uint16).reshape(4, 5)
    )
    dataset = load_dataset("open-i", reports=reports, images=images)
    assert dataset.image(2).size == (5, 4)
    with pytest.raises(
        UnreadableImageError, match="no such file below images='NLMCXR_dcm'"
    ):
        dataset.image(0)


def test_two_tables(tmp_path: Path) -> None:
    header = [
        "uid",
        "MeSH",
        "Problems",
        "image",
        "indication",
        "comparison",
        "findings",
        "impression",
    ]
    write_table(
        tmp_path / "indiana_reports.csv",
        header,
        [
            (1, "normal", "normal", "x", "Cough", "", "Clear, all.", "Normal."),
            (2, "", "Effusion;Opacity", "x", "", "", "", "Big."),
        ],
    )
    names = [
        "1_IM-0001-4001.dcm.png",
        "1_IM-0001-3001.dcm.png",
        "2_IM-0652-1001.dcm.png",
    ]
    rows = [
        (1, names[0], "Frontal"),
        (1, names[1], "Lateral"),
        (2, names[2], "Frontal"),
    ]
    write_table(
        tmp_path / "indiana_projections.csv", ["uid", "filename", "projection"], rows
    )
    for number, name in enumerate(names):
        save(tmp_path / "images/images_normalized" / name, number)
    dataset: Any = load_dataset(
        "open-i", reports=tmp_path, images=tmp_path / "images", view="frontal"
    )
    assert list(dataset.image_ids) == [names[0], names[2]]
    assert list(dataset.reports) == ["Clear, all. Normal.", "Big."]
    assert dataset.image(1).size == (32, 40)
    (tmp_path / "indiana_projections.csv").unlink()
    with pytest.raises(DatasetError, match="Expected indiana_projections.csv"):
        load_dataset("open-i", reports=tmp_path)


def test_one_image_has_many_names() -> None:
    names = [
        "CXR1_1_IM-0001-3001.png",
        "CXR1_IM-0001-3001",
        "1_IM-0001-3001.dcm",
        "1_IM-0001-3001.dcm.png",
    ]
    assert {image_key(name) for name in names} == {"1_IM-0001-3001"}


ENTITY = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b"><!ENTITY c'
    b' "&a;&a;">]><eCitation><uId id="CXR1"/></eCitation>'
)
OUTSIDE = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM'
    b' "file:///etc/passwd">]><eCitation>&a;</eCitation>'
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<eCitation><uId", "well-formed XML, got ParseError at line 1 in 7.xml"),
        (b"", "well-formed XML"),
        (ENTITY, "without document type or entities, got DTDForbidden in 7.xml"),
        (OUTSIDE, "without document type"),
        (b"<eCitation/>", "with a uId"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "well-formed XML"),
    ],
)
def test_bad_reports(content: bytes, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        parse(content, "7.xml")


def test_bad_folders_and_archives(tmp_path: Path) -> None:
    reports, _ = open_i(tmp_path)
    shutil.copy(reports / "1.xml", reports / "11.xml")
    with pytest.raises(
        DatasetError,
        match=(
            "the uId of XML file 1 of its folder, .* again in XML file 3 of its folder"
        ),
    ):
        load_dataset("open-i", reports=reports)
    (reports / "11.xml").write_bytes(open_i_xml(11, "x", "y", ["CXR2_IM-0652-1001"]))
    with pytest.raises(DatasetError, match="Expected each image once"):
        load_dataset("open-i", reports=reports)
    (reports / "11.xml").write_bytes(b" " * 6_000_000)
    with pytest.raises(
        DatasetError,
        match=(
            "at most 5000000 bytes, got more than 5000000 bytes: XML file 3 of its"
            " folder"
        ),
    ):
        load_dataset("open-i", reports=reports)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="got none in reports='empty'"):
        load_dataset("open-i", reports=tmp_path / "empty")
    with pytest.raises(DatasetError, match="Expected reports=FOLDER"):
        load_dataset("open-i")
    (tmp_path / "cut.tgz").write_bytes(
        (real_data() / "NLMCXR_reports.tgz").read_bytes()[:5000]
    )
    with pytest.raises(
        DatasetError, match="whole archive, got .* in the archive of reports"
    ):
        load_dataset("open-i", reports=tmp_path / "cut.tgz")


@pytest.mark.parametrize("name", ["../1.xml", "/etc/1.xml", "a/../../1.xml"])
def test_hostile_names_in_an_archive(tmp_path: Path, name: str) -> None:
    import io

    content = open_i_xml(1, "x", "y", ["CXR1_IM-1"])
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    with pytest.raises(
        DatasetError,
        match="path inside the data set's root.*member 1 of the archive of reports",
    ):
        load_dataset("open-i", reports=tmp_path / "a.tar")


def test_links_in_an_archive(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("1.xml")
        member.type = tarfile.SYMTYPE
        member.linkname = "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(
        DatasetError, match="a link, a device or a sparse file as member 1"
    ):
        load_dataset("open-i", reports=tmp_path / "a.tar")


def test_an_archive_that_expands_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One large member that no reader wants: it has to be unpacked to come to the next one."""
    from pytest_retrieval_robust.datasets._files import streams

    monkeypatch.setattr(streams, "MOST_EXPANDED", 1_000_000)
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        for name, size in (("large.bin", 2_000_000), ("1.xml", 10)):
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, io.BytesIO(bytes(size)))
    with pytest.raises(
        DatasetError,
        match=(
            "a compressed archive that goes on after its limit in the archive of"
            " reports"
        ),
    ):
        load_dataset("open-i", reports=tmp_path / "a.tgz")


def test_a_packed_header_that_claims_gigabytes(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type = tarfile.XHDTYPE
    header.size = 8 << 30
    (tmp_path / "a.tgz").write_bytes(
        gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20))
    )
    with pytest.raises(
        DatasetError,
        match="a header that claims too many bytes in the archive of reports",
    ):
        load_dataset("open-i", reports=tmp_path / "a.tgz")


@pytest.mark.parametrize("kind", ["gz", "bz2"])
def test_archives_packed_by_either(tmp_path: Path, kind: str) -> None:
    reports, _ = open_i(tmp_path)
    mode: Any = f"w:{kind}"
    with tarfile.open(tmp_path / f"a.tar.{kind}", mode) as archive:
        archive.add(reports, "ecgen-radiology")
    packed = load_dataset("open-i", reports=tmp_path / f"a.tar.{kind}")
    assert packed.fingerprint == load_dataset("open-i", reports=reports).fingerprint


def test_a_fifo_among_the_reports(tmp_path: Path) -> None:
    reports, _ = open_i(tmp_path)
    os.mkfifo(reports / "4.xml")
    with pytest.raises(DatasetError, match="a FIFO where a file is expected: XML file"):
        load_dataset("open-i", reports=reports)
