"""Reports as XML, and archives of reports, honest, hostile or damaged."""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

from .archive_attempts import (
    EITHER,
    READ,
    REFUSED,
    Attempt,
    Members,
    links_to,
    writes,
)
from .archive_shards import tar_of


def report_xml(findings: str = "Clear lungs.", head: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n{head}<eCitation><uId id="CXR1"/>'
        "<MedlineCitation><Article><Abstract>"
        f'<AbstractText Label="FINDINGS">{findings}</AbstractText>'
        "</Abstract></Article></MedlineCitation>"
        '<parentImage id="0"><figureId>F1</figureId></parentImage></eCitation>'
    ).encode()


def _xml_folder(content: bytes) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        folder.mkdir()
        (folder / "1.xml").write_bytes(content)

    return write


def _fifo_among_reports(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / "1.xml")


def _xml_archive(content: Members) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(gzip.compress(tar_of(content)))


def _billion_laughs() -> str:
    """Entities that each hold ten of the one before."""
    entities = ["<!ENTITY a0 'ha'>"]
    for level in range(1, 10):
        content = f"&a{level - 1};" * 10
        entities.append(f"<!ENTITY a{level} '{content}'>")
    return f"<!DOCTYPE x [{''.join(entities)}]>"


_QUADRATIC = f"<!DOCTYPE x [<!ENTITY a '{'x' * 100_000}'>]>"
_FILE_ENTITY = "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>"
_NET_ENTITY = "<!DOCTYPE x [<!ENTITY a SYSTEM 'http://127.0.0.1:9/a'>]>"
_PARAMETER = "<!DOCTYPE x [<!ENTITY % a SYSTEM 'file:///etc/hostname'> %a;]>"


def _xml(name: str, content: bytes, expected: str = REFUSED) -> Attempt:
    return Attempt(name, "open-i", "reports", _xml_folder(content), expected)


XML_REPORTS = (
    _xml("honest", report_xml(), READ),
    Attempt(
        "an honest archive",
        "open-i",
        "r.tgz",
        _xml_archive([("1.xml", report_xml())]),
        READ,
    ),
    _xml("an entity bomb", report_xml("&a9;", _billion_laughs())),
    _xml("a quadratic bomb", report_xml("&a;" * 10_000, _QUADRATIC)),
    _xml("an entity of a file", report_xml("&a;", _FILE_ENTITY)),
    _xml("an entity of the net", report_xml("&a;", _NET_ENTITY)),
    _xml("a parameter entity", report_xml("x", _PARAMETER)),
    _xml(
        "a document type alone",
        report_xml("x", "<!DOCTYPE x SYSTEM 'file:///etc/hostname'>"),
    ),
    _xml("deep", b"<a>" * 200_000),
    _xml("cut", report_xml()[:200]),
    _xml("empty", b""),
    _xml("no XML", b"{}"),
    _xml(
        "another encoding than it says", report_xml("\u00e9").decode().encode("latin-1")
    ),
    _xml("an encoding that is none", report_xml().replace(b"utf-8", b"utf-99")),
    Attempt(
        "a FIFO among the reports",
        "open-i",
        "reports",
        _fifo_among_reports,
    ),
    Attempt(
        "an archive with ..",
        "open-i",
        "r.tgz",
        _xml_archive([("../1.xml", report_xml())]),
    ),
    Attempt(
        "an archive with an absolute name",
        "open-i",
        "r.tgz",
        _xml_archive([("/tmp/1.xml", report_xml())]),
    ),
    Attempt(
        "an archive of a bomb",
        "open-i",
        "r.tgz",
        _xml_archive([("1.xml", b"<a>" + bytes(1 << 28))]),
    ),
    Attempt("an archive that is none", "open-i", "r.tgz", writes(lambda: b"x" * 100)),
    Attempt(
        "an archive, cut",
        "open-i",
        "r.tgz",
        writes(lambda: gzip.compress(tar_of([("1.xml", report_xml())]))[:80]),
    ),
    Attempt(
        "an archive without reports", "open-i", "r.tgz", _xml_archive([("a.txt", b"x")])
    ),
)


def _zip(
    change: Callable[[dict[str, bytes]], None], compression: int = zipfile.ZIP_STORED
) -> Callable[[Path], object]:
    """The archive of MIMIC-CXR's reports with changed members, beside the tables and
    images that it belongs to.
    """

    def write(file: Path) -> None:
        from tests.datasets.files import trees

        trees.mimic(file.parent)
        with zipfile.ZipFile(trees.mimic_zip(file.parent)) as honest:
            content = {name: honest.read(name) for name in honest.namelist()}
        change(content)
        with zipfile.ZipFile(file, "w", compression) as archive:
            for name, data in content.items():
                archive.writestr(name, data)

    return write


_STUDY = "files/p10/p10000032/s50414267.txt"


def _beside_mimic(write: Callable[[Path], object]) -> Callable[[Path], object]:
    def write_both(file: Path) -> None:
        from tests.datasets.files import trees

        trees.mimic(file.parent)
        write(file)

    return write_both


def _in_zip(
    name: str, change: Callable[[dict[str, bytes]], None], expected: str = REFUSED
) -> Attempt:
    return Attempt(
        name, "mimic-cxr", "reports.zip", _zip(change, zipfile.ZIP_DEFLATED), expected
    )


def _no_zip(name: str, write: Callable[[Path], object]) -> Attempt:
    return Attempt(name, "mimic-cxr", "reports.zip", _beside_mimic(write))


ZIPPED_REPORTS = (
    _in_zip("honest", lambda _: None, READ),
    # A name that no study has is never read.
    _in_zip(
        "a name with ..",
        lambda content: content.update({"../../s1.txt": b"x"}),
        EITHER,
    ),
    _in_zip("a bomb", lambda content: content.update({_STUDY: bytes(1 << 30)})),
    _in_zip("empty", lambda content: content.clear()),
    _no_zip("a zip that is none", writes(lambda: b"PK\x03\x04" + bytes(100))),
    _no_zip("a zip that is a FIFO", os.mkfifo),
    _no_zip("a zip that is a device", links_to("/dev/zero")),
)
