"""The arrays of a saved run, `ranks.npz`: read without believing what the file claims of itself.

An archive of a few kilobytes may expand to terabytes, or hold what only unpickling
reads. So it is known beforehand which arrays a run has, of which kind and how long:
`run.json` says so. Nothing else is read, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ...core.errors import RobustError
from ...core.files import NotRegularError, open_regular
from ...core.foreign import FOREIGN

RANKS_FILE = "ranks.npz"
_MOST_BYTES = 1 << 32
"""What all arrays of a run may take: 700 cells of 377,000 images."""
_SLACK_PER_ARRAY, _SLACK = 1024, 1 << 16
"""Bytes of an archive beside its arrays: the heads of a member, and those of all."""
_HASHED = 1 << 20


class DamagedArraysError(RobustError):
    """Arrays that are missing, damaged or not those of the run. Its sentence names no file."""


@dataclass(frozen=True)
class ArrayForm:
    """What is known of an array before it is read."""

    shape: tuple[int, ...]
    dtype: str = "i8"
    optional: bool = False
    """Runs of earlier versions do not have it."""

    @property
    def size(self) -> int:
        """Bytes."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


def kept_name(digest: str) -> str:
    """The name under which the ranks of an older run lie while a newer one takes its place."""
    return f"ranks-{digest[:16]}.npz"


def is_kept_name(name: str) -> bool:
    return re.fullmatch(r"ranks-[0-9a-f]{16}\.npz", name) is not None


def digest_of(stream: IO[bytes]) -> str:
    """The SHA-256 of a stream from its beginning, to which it is set back."""
    digest = hashlib.sha256()
    stream.seek(0)
    while part := stream.read(_HASHED):
        digest.update(part)
    stream.seek(0)
    return digest.hexdigest()


def open_ranks(folder: Path, expected: str) -> BufferedReader:
    """The archive of that SHA-256: `ranks.npz`, or the one that a killed run had put aside.

    Raises `DamagedArraysError` where there is none.
    """
    problem = "it is missing"
    for name in (RANKS_FILE, kept_name(expected)):
        try:
            stream = open_regular(folder / name)
        except FileNotFoundError:
            continue
        except NotRegularError as error:
            problem = f"{error}"
            continue
        except OSError as error:
            problem = error.strerror or type(error).__name__
            continue
        digest = digest_of(stream)
        if digest == expected:
            return stream
        stream.close()
        problem = (
            f"another (sha256 {digest[:12]}..., not {expected[:12]}...): it was cut"
            " off, changed or mixed with "
        )
        problem += "another run's"
    raise DamagedArraysError(problem)


def read_arrays(
    stream: BufferedReader, forms: Mapping[str, ArrayForm]
) -> dict[str, NDArray[Any]]:
    """The arrays of an archive, which has to hold those of `forms` and no others.

    Raises `DamagedArraysError` for anything else.
    """
    most = sum(form.size for form in forms.values())
    if most > _MOST_BYTES:
        raise DamagedArraysError(
            f"arrays of {most} bytes, of which at most {_MOST_BYTES} are read"
        )
    if stream.seek(0, 2) > most + _SLACK_PER_ARRAY * len(forms) + _SLACK:
        raise DamagedArraysError("a file that is larger than its arrays")
    try:
        with zipfile.ZipFile(stream) as archive:
            members = _members(archive.infolist(), forms)
            return {
                name: _read(archive, member, forms[name])
                for name, member in members.items()
            }
    except DamagedArraysError:
        raise
    except FOREIGN as error:  # readers of archives raise a dozen kinds
        problem = f"a file that cannot be read ({type(error).__name__})"
    raise DamagedArraysError(problem)


def _members(
    found: Sequence[zipfile.ZipInfo], forms: Mapping[str, ArrayForm]
) -> Mapping[str, zipfile.ZipInfo]:
    members = {member.filename.removesuffix(".npy"): member for member in found}
    missing = [
        name
        for name, form in forms.items()
        if name not in members and not form.optional
    ]
    unknown = [name for name in members if name not in forms]
    if missing:
        raise DamagedArraysError(f"{len(missing)} of {len(forms)} arrays missing")
    if unknown or len(members) < len(found):
        raise DamagedArraysError(
            f"{len(found) - len(members) + len(unknown)} arrays that are not of"
            " this run"
        )
    return members


def _read(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, form: ArrayForm
) -> NDArray[Any]:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DamagedArraysError("a kind of compression that no run has")
    with archive.open(member) as opened:
        shape, is_transposed, dtype = _head(opened)
        wanted = np.dtype(form.dtype)
        if (
            shape != form.shape
            or is_transposed
            or (dtype.kind, dtype.itemsize) != (wanted.kind, wanted.itemsize)
        ):
            raise DamagedArraysError("an array of another length or kind")
        content = opened.read(form.size)
        if len(content) != form.size or opened.read(
            1
        ):  # the end is where the checksum is looked at
            raise DamagedArraysError("an array of another length than it says")
    return np.frombuffer(content, dtype=dtype).reshape(form.shape).astype(wanted)


def _head(opened: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in Fortran's order, and kind; at most 10,000 characters are
    looked at.
    """
    version = npy.read_magic(opened)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise DamagedArraysError("an array of another form")
    return readers[version](opened)
