"""`mimic-cxr-reports.zip` as published: 227,835 reports, read where they lie.

Its directory takes more than a second to parse. What a report needs of it is therefore
cached: where it lies.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DatasetError
from ...core.files import open_regular
from .._files.archives import archive_problem
from .._files.index_cache import Arrays, cached_arrays
from .._pixels.damage import attempted, guarded

_REPORT = re.compile(r"(?:^|/)s(\d{1,18})\.txt$")
_VERSION = 2
_MOST_BYTES = 5_000_000
_HEADER_BYTES = 30
"""Of a member's header before its name (PKWARE's APPNOTE, 4.3.7)."""
_HEADER_START = b"PK\3\4"
_ARCHIVE = "the archive of reports"


class _Entry(NamedTuple):
    """What the archive's directory says of a report."""

    study: int
    offset: int
    packed: int
    """Bytes in the archive."""
    size: int
    """Bytes when it is unpacked."""
    crc: int
    method: int

    def __repr__(self) -> str:
        return f"<report at {self.offset}>"


def read_reports(archive: Path, studies: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """(study, content) of the studies (`s50414267`) that the archive holds.

    Raises `DatasetError` for a damaged archive.
    """

    def problem(error: BaseException) -> DatasetError:
        return archive_problem(error, _ARCHIVE)

    index = cached_arrays(
        "mimic-cxr-reports",
        _VERSION,
        (archive,),
        lambda: attempted(lambda: _index(archive), problem),
    )
    row_of = {study: row for row, study in enumerate(index["study"].tolist())}
    columns = [index[field] for field in _Entry._fields]

    def read() -> Iterator[tuple[str, bytes]]:
        with open_regular(archive) as stream:
            for study in studies:
                row = row_of.get(int(study[1:]))
                if row is not None:
                    entry = _Entry(*(int(column[row]) for column in columns))
                    yield study, _content(stream, entry)

    yield from guarded(read(), problem)


def _content(stream: BinaryIO, entry: _Entry) -> bytes:
    stream.seek(entry.offset)
    header = stream.read(_HEADER_BYTES)
    # Name and extra field may differ in length from those of the directory.
    name_bytes = int.from_bytes(header[26:28], "little")
    extra_bytes = int.from_bytes(header[28:30], "little")
    stream.seek(name_bytes + extra_bytes, 1)
    content = stream.read(entry.packed)
    if entry.method == zipfile.ZIP_DEFLATED:
        # Not `ZipFile.read`: that would need the directory parsed once more.
        expander = zlib.decompressobj(-zlib.MAX_WBITS)
        content = expander.decompress(content, _MOST_BYTES)
    is_whole = len(content) == entry.size and zlib.crc32(content) == entry.crc
    if not header.startswith(_HEADER_START) or not is_whole:
        raise zipfile.BadZipFile
    return content


def _index(archive: Path) -> Arrays:
    entries: list[_Entry] = []
    member_numbers: list[int] = []
    with open_regular(archive) as stream, zipfile.ZipFile(stream) as opened:
        for number, member in enumerate(opened.infolist(), 1):
            name = _REPORT.search(member.filename)
            if name is None:
                continue
            entries.append(
                _Entry(
                    study=int(name[1]),
                    offset=member.header_offset,
                    packed=member.compress_size,
                    size=member.file_size,
                    crc=member.CRC,
                    method=member.compress_type,
                )
            )
            member_numbers.append(number)
    # One array of whole numbers: it is saved without pickling.
    table = np.array(entries, dtype=np.int64).reshape(-1, len(_Entry._fields))
    index = dict(zip(_Entry._fields, table.T, strict=True))
    numbers = np.array(member_numbers, dtype=np.int64)
    _require_distinct(index["study"], numbers)
    _require_readable(index, numbers)
    return index


def _require_distinct(studies: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
    distinct, counts = np.unique(studies, return_counts=True)
    if not counts.size or counts.max() == 1:
        return
    members = numbers[studies == distinct[counts.argmax()]]
    first_members = ", ".join(map(str, members[:3]))
    raise DatasetError(
        f"Expected each report once, got one study {counts.max()} times in {_ARCHIVE}:"
        f" members {first_members}. Give the archive as published."
    )


def _require_readable(index: Arrays, numbers: NDArray[np.int64]) -> None:
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    is_known = np.isin(index["method"], methods)
    is_large = (index["size"] > _MOST_BYTES) | (index["packed"] > _MOST_BYTES)
    refused = np.flatnonzero(~is_known | is_large)
    if not len(refused):
        return
    row = refused[0]
    raise DatasetError(
        f"Expected stored or deflated reports of at most {_MOST_BYTES} bytes, got"
        f" method={index['method'][row]}, size={index['size'][row]} in member"
        f" {numbers[row]} of {_ARCHIVE}. Give the archive as published."
    )
