"""`mimic-cxr-reports.zip` as published: 227,835 reports, read where they lie.

Its directory takes more than a second to parse, so that of it what a report needs is
cached: where it lies.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ...core.errors import DatasetError
from ...core.files import open_regular
from .._files.archives import archive_problem
from .._files.damage import attempted, guarded
from .._files.index_cache import Arrays, cached_arrays

_REPORT = re.compile(r"(?:^|/)s(\d{1,18})\.txt$")
_FIELDS = ("study", "offset", "packed", "size", "crc", "method")
_MOST_BYTES = 5_000_000
_HEADER = 30
"""Bytes of a member's header before its name (PKWARE's APPNOTE, 4.3.7)."""
_SHOWN = "the archive of reports"


def read_reports(archive: Path, studies: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """(study, content) of the studies (`s50414267`) that the archive holds.

    `DatasetError` for a damaged one.
    """

    def made() -> Arrays:
        return attempted(
            lambda: _index(archive), lambda error: archive_problem(error, _SHOWN)
        )

    index = cached_arrays("mimic-cxr-reports", 2, (archive,), made)
    place = {number: row for row, number in enumerate(index["study"].tolist())}
    columns = [index[field] for field in _FIELDS[1:]]

    def read() -> Iterator[tuple[str, bytes]]:
        with open_regular(archive) as stream:
            for study in studies:
                row = place.get(int(study[1:]))
                if row is not None:
                    offset, packed, size, crc, method = (
                        int(column[row]) for column in columns
                    )
                    stream.seek(offset)
                    header = stream.read(_HEADER)
                    stream.seek(
                        int.from_bytes(header[26:28], "little")
                        + int.from_bytes(header[28:30], "little"),
                        1,
                    )
                    content = stream.read(packed)
                    if method == zipfile.ZIP_DEFLATED:
                        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(
                            content, _MOST_BYTES
                        )
                    if (
                        header[:4] != b"PK\3\4"
                        or len(content) != size
                        or zlib.crc32(content) != crc
                    ):
                        raise zipfile.BadZipFile
                    yield study, content

    yield from guarded(read(), lambda error: archive_problem(error, _SHOWN))


def _index(archive: Path) -> Arrays:
    with open_regular(archive) as stream, zipfile.ZipFile(stream) as opened:
        members = [
            (number, int(found[1]), one)
            for number, one in enumerate(opened.infolist(), 1)
            if (found := _REPORT.search(one.filename)) is not None
        ]
    rows = [
        (
            study,
            one.header_offset,
            one.compress_size,
            one.file_size,
            one.CRC,
            one.compress_type,
        )
        for _, study, one in members
    ]
    table = np.array(rows, dtype=np.int64).reshape(-1, len(_FIELDS))
    numbers = np.array([number for number, _, _ in members], dtype=np.int64)
    studies, counts = np.unique(table[:, 0], return_counts=True)
    if counts.size and counts.max() > 1:
        twice = numbers[table[:, 0] == studies[counts.argmax()]]
        raise DatasetError(
            f"Expected each report once, got one study {counts.max()} times in"
            f" {_SHOWN}: members {', '.join(map(str, twice[:3]))}. Give the archive as"
            " published."
        )
    is_known = np.isin(table[:, 5], (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    is_large = (table[:, 3] > _MOST_BYTES) | (table[:, 2] > _MOST_BYTES)
    odd = np.flatnonzero(~is_known | is_large)
    if len(odd):
        raise DatasetError(
            f"Expected stored or deflated reports of at most {_MOST_BYTES} bytes, got"
            f" method={table[odd[0], 5]}, size={table[odd[0], 3]} in member"
            f" {numbers[odd[0]]} of {_SHOWN}. Give the archive as published."
        )
    return dict(zip(_FIELDS, table.T, strict=True))
