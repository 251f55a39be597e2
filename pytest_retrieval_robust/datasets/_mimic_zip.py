"""`mimic-cxr-reports.zip` as published: 227,835 reports, read where they lie.

Its directory takes more than a second to parse, so that of it what a report needs is cached: where it lies.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..errors import DatasetError
from ._archives import archive_damage
from ._index_cache import Arrays, cached_arrays
from ._text_policy import decoded

_REPORT = re.compile(r"(?:^|/)s(\d{1,18})\.txt$")
_FIELDS = ("study", "offset", "packed", "size", "crc", "method")
_MOST_BYTES = 5_000_000
_HEADER = 30
"""Bytes of a member's header before its name (PKWARE's APPNOTE, 4.3.7)."""


def read_reports(archive: Path, studies: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(study, text) of the studies (`s50414267`) that the archive holds. `DatasetError` for a damaged one."""
    index = cached_arrays("mimic-cxr-reports", 1, (archive,), lambda: _index(archive))
    place = {number: row for row, number in enumerate(index["study"].tolist())}
    columns = [index[field] for field in _FIELDS[1:]]
    with archive_damage(archive), archive.open("rb") as stream:
        for study in studies:
            row = place.get(int(study[1:]))
            if row is not None:
                offset, packed, size, crc, method = (int(column[row]) for column in columns)
                stream.seek(offset)
                header = stream.read(_HEADER)
                stream.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
                content = stream.read(packed)
                if method == zipfile.ZIP_DEFLATED:
                    content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, _MOST_BYTES)
                if header[:4] != b"PK\3\4" or len(content) != size or zlib.crc32(content) != crc:
                    raise zipfile.BadZipFile(study)
                yield study, decoded(content, f"{study}.txt of {archive.name}")


def _index(archive: Path) -> Arrays:
    with archive_damage(archive), zipfile.ZipFile(archive) as opened:
        rows = [
            (int(found[1]), one.header_offset, one.compress_size, one.file_size, one.CRC, one.compress_type)
            for one in opened.infolist()
            if (found := _REPORT.search(one.filename)) is not None
        ]
    table = np.array(rows, dtype=np.int64).reshape(-1, len(_FIELDS))
    numbers, counts = np.unique(table[:, 0], return_counts=True)
    if counts.size and counts.max() > 1:
        raise DatasetError(
            f"Expected each report once, got s{numbers[counts.argmax()]}.txt {counts.max()} times in {archive.name}. "
            "Give the archive as published."
        )
    odd = table[~np.isin(table[:, 5], (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)) | (table[:, 3] > _MOST_BYTES)]
    if len(odd):
        raise DatasetError(
            f"Expected stored or deflated reports of at most {_MOST_BYTES} bytes, got s{odd[0, 0]}.txt with "
            f"method={odd[0, 5]}, size={odd[0, 3]} in {archive.name}. Give the archive as published."
        )
    return dict(zip(_FIELDS, table.T, strict=True))
