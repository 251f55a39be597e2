"""Members of tar and zip archives, read where they lie: nothing is unpacked, and hostile names are refused."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DatasetError
from ._places import checked_place


def tar_members(archive: Path, suffixes: tuple[str, ...], most_bytes: int) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the regular files with one of `suffixes`, in the archive's order.

    Raises `DatasetError` for a name that leaves the archive, a link, a member above `most_bytes`, a damaged archive.
    """
    with archive_damage(archive), tarfile.open(archive, "r:*") as opened:
        for member in opened:
            check_member(member, archive)
            if not member.isfile() or not member.name.lower().endswith(suffixes):
                continue
            if member.size > most_bytes:
                raise DatasetError(
                    f"Expected members of at most {most_bytes} bytes, got size={member.size} of {member.name} in "
                    f"{archive.name}. Leave it out."
                )
            stream = opened.extractfile(member)
            assert stream is not None  # a regular file
            yield member.name, stream.read()


def check_member(member: tarfile.TarInfo, archive: Path) -> None:
    """`DatasetError` for a member whose name leaves the archive, or which is no file and no folder."""
    checked_place(member.name, f"the archive {archive.name}")
    if not (member.isfile() or member.isdir()):
        raise DatasetError(
            f"Expected files and folders alone in {archive.name}, got a link or device: member={member.name!r}. "
            "Pack it again without it."
        )


@contextmanager
def archive_damage(archive: Path) -> Iterator[None]:
    """What a damaged archive raises, as `DatasetError`."""
    try:
        yield
    except DatasetError:
        raise
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error) as error:
        raise DatasetError(
            f"Expected a whole archive, got {type(error).__name__} for {archive.name}. Copy or download it again."
        ) from error
