"""Open-i's report files: one XML file per report, as NLM publishes them (eCitation)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ...core.errors import DatasetError
from ...core.files import NotRegularError, TooLargeError, open_regular, read_at_most
from ...core.words import counted
from .._files.archives import tar_members
from .._files.records import Sections
from .._pixels.damage import attempted, kind_of

_MOST_BYTES = 5_000_000
"""Of one report; the published ones have 3 to 12 kB."""
_ARCHIVE = "the archive of reports"
_HEADINGS = ("COMPARISON", "INDICATION", "FINDINGS", "IMPRESSION")
"""In the order that all reports have."""


class Report(NamedTuple):
    """One report: its id, its parts, its images' ids, and its manual MeSH headings."""

    id: str
    sections: Sections
    images: tuple[str, ...]
    labels: frozenset[str]

    def __repr__(self) -> str:
        return f"<Report with {counted(len(self.images), 'image')}>"


def read_reports(source: Path, name: str) -> list[Report]:
    """All reports of a folder of XML files, or of a tar archive of them, by their numbers.

    Raises `DatasetError` with the number of the file for malformed XML, a declared entity
    or document type, a file that is far too large, or an id that is there twice.
    """
    reports: dict[str, Report] = {}
    where_of_id: dict[str, str] = {}
    files = _from_folder(source) if source.is_dir() else _from_archive(source)
    for where, content in files:
        report = parse(content, where)
        if report.id in reports:
            raise DatasetError(
                "Expected each report once, got the uId of"
                f" {where_of_id[report.id]} again in {where}. Leave one of them out."
            )
        reports[report.id] = report
        where_of_id[report.id] = where
    if not reports:
        raise DatasetError(
            f"Expected XML reports of {name} (ecgen-radiology/1.xml, ...), got none in"
            f" reports={source.name!r}. Give the folder, or the archive"
            " NLMCXR_reports.tgz."
        )
    # By length first: CXR10 after CXR9.
    return sorted(reports.values(), key=lambda report: (len(report.id), report.id))


def _from_archive(archive: Path) -> Iterator[tuple[str, bytes]]:
    for number, content in tar_members(archive, (".xml",), _MOST_BYTES, _ARCHIVE):
        yield f"member {number} of {_ARCHIVE}", content


def _from_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for number, file in enumerate(_xml_files(folder), 1):
        where = f"XML file {number} of its folder, in alphabetical order"
        yield where, attempted(partial(_content, file), partial(_unreadable, where))


def _content(file: Path) -> bytes:
    with open_regular(file) as stream:
        return read_at_most(stream, _MOST_BYTES)


def _unreadable(where: str, error: BaseException) -> DatasetError:
    is_ours = isinstance(error, NotRegularError | TooLargeError)
    got = str(error) if is_ours else kind_of(error)
    return DatasetError(
        f"Expected a report of at most {_MOST_BYTES} bytes, got {got}: {where}. Leave"
        " it out."
    )


def _xml_files(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("*.xml")) or sorted(folder.glob("*/*.xml"))


def parse(content: bytes, where: str) -> Report:
    """One report of an `eCitation` document; `where` names it in messages."""
    root = attempted(lambda: _root(content), lambda error: _malformed(error, where))
    identity = root.find("uId")
    if identity is None or not identity.get("id"):
        raise DatasetError(
            f"Expected an eCitation with a uId, got none in {where}. Leave it out."
        )
    images = [image.get("id") for image in root.iter("parentImage")]
    # An image without an id could not be told from others.
    if not all(images):
        raise DatasetError(
            f"Expected an id of every parentImage, got one without in {where}. Fix it."
        )
    parts: dict[str, str] = {}
    for part in root.iter("AbstractText"):
        parts[part.get("Label", "")] = (part.text or "").strip()
    headings = [(heading.text or "") for heading in root.iterfind("MeSH/major")]
    return Report(
        id=str(identity.get("id")),
        sections=Sections(
            parts.get("FINDINGS", ""), parts.get("IMPRESSION", ""), whole_report(parts)
        ),
        images=tuple(map(str, images)),
        labels=frozenset(heading.strip() for heading in headings),
    )


def _root(content: bytes) -> Any:
    from defusedxml.ElementTree import fromstring

    # A document type may declare entities that expand to gigabytes.
    return fromstring(content, forbid_dtd=True)


def _malformed(error: BaseException, where: str) -> DatasetError:
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException

    kind = type(error).__name__
    if isinstance(error, DefusedXmlException):
        return DatasetError(
            f"Expected a report without document type or entities, got {kind} in"
            f" {where}. It is not as published; download it again."
        )
    line = f" at line {error.position[0]}" if isinstance(error, ParseError) else ""
    return DatasetError(
        f"Expected well-formed XML, got {kind}{line} in {where}. Fix it."
    )


def whole_report(parts: dict[str, str]) -> str:
    """All of a report: its sections under their headings."""
    present = [heading for heading in _HEADINGS if parts.get(heading)]
    return " ".join(f"{heading}: {parts[heading]}" for heading in present)
