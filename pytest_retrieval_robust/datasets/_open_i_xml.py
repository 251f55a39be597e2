"""Open-i's report files: one XML a report, as NLM publishes them (eCitation)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import DatasetError
from ._archives import tar_members
from ._records import Sections

_MOST_BYTES = 5_000_000
"""Of one report; the published ones have 3 to 12 kB."""


class Report(NamedTuple):
    """One report: its id, its parts, its images' ids, and its manual MeSH headings."""

    id: str
    sections: Sections
    images: tuple[str, ...]
    labels: frozenset[str]


def read_reports(source: Path, name: str) -> list[Report]:
    """All reports of a folder of XML files, or of a tar archive of them, in the order of their numbers.

    Raises `DatasetError` naming the file for malformed XML, a declared entity or document type, a file that is far too
    large, or an id that is there twice.
    """
    files = _of_folder(source) if source.is_dir() else tar_members(source, (".xml",), _MOST_BYTES)
    reports: dict[str, Report] = {}
    for file, content in files:
        report = parse(content, file)
        if report.id in reports:
            raise DatasetError(f"Expected each report once, got uId={report.id!r} again in {file}. Leave one out.")
        reports[report.id] = report
    if not reports:
        raise DatasetError(
            f"Expected XML reports of {name} (ecgen-radiology/1.xml, ...), got none in reports={source.name!r}. "
            "Give the folder, or the archive NLMCXR_reports.tgz."
        )
    return sorted(reports.values(), key=lambda report: (len(report.id), report.id))


def _of_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in _xml_files(folder):
        if file.stat().st_size > _MOST_BYTES:
            raise DatasetError(
                f"Expected a report of at most {_MOST_BYTES} bytes, got size={file.stat().st_size} for {file.name}. "
                "Leave it out."
            )
        yield file.name, file.read_bytes()


def _xml_files(folder: Path) -> Iterable[Path]:
    return sorted(folder.glob("*.xml")) or sorted(folder.glob("*/*.xml"))


def parse(content: bytes, file: str) -> Report:
    """One report of an `eCitation` document."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        raise DatasetError(
            f"Expected a report without document type or entities, got {type(error).__name__} in {file}. It is not as "
            "published; download it again."
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        where = f" at line {error.position[0]}" if isinstance(error, ParseError) else ""
        raise DatasetError(f"Expected well-formed XML, got {type(error).__name__}{where} in {file}. Mend it.") from None
    identity = root.find("uId")
    if identity is None or not identity.get("id"):
        raise DatasetError(f"Expected an eCitation with uId, got root={root.tag!r} without in {file}. Leave it out.")
    parts = {part.get("Label", ""): (part.text or "").strip() for part in root.iter("AbstractText")}
    return Report(
        str(identity.get("id")),
        Sections(parts.get("FINDINGS", ""), parts.get("IMPRESSION", ""), whole(parts)),
        tuple(str(image.get("id")) for image in root.iter("parentImage")),
        frozenset((heading.text or "").strip() for heading in root.iterfind("MeSH/major")),
    )


def whole(parts: dict[str, str]) -> str:
    """All of a report: its sections under their headings, in the order that all reports have."""
    headings = ("COMPARISON", "INDICATION", "FINDINGS", "IMPRESSION")
    return " ".join(f"{heading}: {parts[heading]}" for heading in headings if parts.get(heading))
