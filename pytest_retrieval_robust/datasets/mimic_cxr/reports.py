"""The reports of MIMIC-CXR by study, from a folder or the published archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from ...core.errors import DatasetError
from ...core.files import NotRegularError, TooLargeError, open_regular, read_at_most
from .._files.records import ImageRow, ReadReports, Sections
from .._pixels.damage import attempted, kind_of

_MOST_BYTES = 5_000_000
"""Of a report; the longest published ones have a few kB."""
_LATIN = "reports read as Latin-1, being no UTF-8"


def report_reader(
    source: Path, rows: list[ImageRow], counts: dict[str, int]
) -> ReadReports:
    """What reads the reports of studies, with their sections.

    It counts in `counts` those that are not UTF-8.
    """

    def read(studies: Iterable[str]) -> Mapping[str, Sections]:
        from .._files.text_policy import decoded_or_latin
        from .report_archive import read_reports
        from .sections import read_sections

        if source.is_dir():
            # Reversed, so that each study's first image is what remains.
            first_image = {row.study: row for row in reversed(rows)}
            images = [first_image[study] for study in studies]
            contents = _reports_of_folder(source, images)
        else:
            contents = read_reports(source, studies)
        reports: dict[str, Sections] = {}
        latin_reports = 0
        for study, content in contents:
            text, is_latin = decoded_or_latin(content)
            # Latin-1 takes every byte: what is no UTF-8 is read all the same, and counted.
            latin_reports += is_latin
            reports[study] = read_sections(study, text)
        if latin_reports:
            counts[_LATIN] = latin_reports
        return reports

    return read


def _reports_of_folder(
    root: Path, images: Iterable[ImageRow]
) -> Iterator[tuple[str, bytes]]:
    """(study, content) of the reports that are there, each by an image of its study."""
    base = root / "files" if (root / "files").is_dir() else root
    for row in images:
        file = base / f"p{row.patient[:2]}/p{row.patient}/{row.study}.txt"
        content = attempted(partial(_content, file), partial(_unreadable, row))
        if content is not None:
            yield row.study, content


def _content(file: Path) -> bytes | None:
    """None for a report that is not there, which is counted as `no report`."""
    try:
        with open_regular(file) as stream:
            return read_at_most(stream, _MOST_BYTES)
    except FileNotFoundError:
        return None


def _unreadable(row: ImageRow, error: BaseException) -> DatasetError:
    is_ours = isinstance(error, NotRegularError | TooLargeError)
    got = str(error) if is_ours else kind_of(error)
    return DatasetError(
        f"Expected a report of at most {_MOST_BYTES} bytes, got {got} for row {row.row}"
        " of the split table. Copy it again."
    )
