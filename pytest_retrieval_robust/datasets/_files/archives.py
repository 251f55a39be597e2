"""Members of tar archives, read where they lie: nothing is unpacked, hostile names are refused.

Messages name members by their number in the archive: names of files may be those of patients.
"""

from __future__ import annotations

import bz2
import gzip
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, cast

from ...core.errors import DatasetError
from ...core.files import NotRegularError, TooLargeError, open_regular
from .._pixels.damage import guarded, kind_of
from .paths import checked_path
from .streams import MOST_EXPANDED, ArchiveStream

_GZIP_START = b"\x1f\x8b"
_BZIP2_START = b"BZh"


def tar_members(
    archive: Path, suffixes: tuple[str, ...], most_bytes: int, where: str
) -> Iterator[tuple[int, bytes]]:
    """(number, content) of the regular files with one of `suffixes`, in the archive's order.

    The first member is 1. The archive may be packed by gzip or bzip2. Messages call it
    `where`. Raises `DatasetError` for a name that leaves the archive, a link, a member
    above `most_bytes`, a damaged archive.
    """

    def read() -> Iterator[tuple[int, bytes]]:
        with closing(_opened(archive)) as stream:
            for number, member, opened in headers(stream, where):
                if not member.isfile() or not member.name.lower().endswith(suffixes):
                    continue
                if member.size > most_bytes:
                    raise DatasetError(
                        f"Expected members of at most {most_bytes} bytes, got"
                        f" size={member.size} in member {number} of {where}. Leave it"
                        " out."
                    )
                content = opened.extractfile(member)
                assert content is not None  # a regular file
                yield number, content.read()

    yield from guarded(read(), lambda error: archive_problem(error, where))


def headers(
    stream: ArchiveStream, where: str
) -> Iterator[tuple[int, tarfile.TarInfo, tarfile.TarFile]]:
    """(number, member, archive) of an archive's files and folders.

    Raises `DatasetError` for what a reader must not trust.
    """
    with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r:") as opened:
        for number, member in enumerate(opened, 1):
            # tarfile would keep every header, of millions of members.
            opened.members = []  # type: ignore[attr-defined]
            _check_member(member, number, where)
            yield number, member, opened


def _check_member(member: tarfile.TarInfo, number: int, where: str) -> None:
    """Refuse a member whose name leaves the archive, or that is no plain file or folder."""
    checked_path(member.name, f"the name of member {number} of {where}")
    is_plain = member.isfile() or member.isdir()
    if not is_plain or member.issparse():
        raise DatasetError(
            f"Expected files and folders alone in {where}, got a link, a device or a"
            f" sparse file as member {number}. Pack it again without it."
        )


def archive_problem(error: BaseException, where: str) -> DatasetError:
    """What a library says of a damaged archive, as an error of ours."""
    if isinstance(error, NotRegularError):
        return DatasetError(
            f"Expected an archive as {where}, got {error}. Copy it to a file."
        )
    if isinstance(error, TooLargeError):
        return DatasetError(
            f"Expected a packed archive of at most {MOST_EXPANDED >> 30} GiB, with"
            f" honest headers, got {error} in {where}. Copy or download it again."
        )
    return DatasetError(
        f"Expected a whole archive, got {kind_of(error)} in {where}. Copy or download"
        " it again."
    )


def _opened(archive: Path) -> ArchiveStream:
    stream = open_regular(archive)
    start = stream.read(3)
    stream.seek(0)
    if start.startswith(_GZIP_START):
        unpacked = gzip.GzipFile(fileobj=stream)
        return ArchiveStream(cast(BinaryIO, unpacked), is_packed=True)
    if start == _BZIP2_START:
        return ArchiveStream(cast(BinaryIO, bz2.BZ2File(stream)), is_packed=True)
    return ArchiveStream(stream, is_packed=False)
