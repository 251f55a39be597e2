"""The arrays of a saved run, `ranks.npz`, read without trusting what the file says of itself.

An archive of a few kilobytes may expand to terabytes, or hold what only unpickling
reads. So it is known beforehand which arrays a run has, of which kind and how long:
`run.json` says so. Nothing else is read, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import os
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
_HEAD_BYTES_PER_ARRAY = 1024
_HEAD_BYTES = 1 << 16
"""What an archive may take beside its arrays: for each of them, and for all."""
_HASHED_BYTES = 1 << 20
"""How much is read at a time."""


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
    while part := stream.read(_HASHED_BYTES):
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
            " off, changed or mixed with another run's"
        )
    raise DamagedArraysError(problem)


def read_arrays(
    stream: BufferedReader, forms: Mapping[str, ArrayForm]
) -> dict[str, NDArray[Any]]:
    """The arrays of an archive, which has to hold those of `forms` and no others.

    Raises `DamagedArraysError` for anything else.
    """
    array_bytes = sum(form.size for form in forms.values())
    if array_bytes > _MOST_BYTES:
        raise DamagedArraysError(
            f"arrays of {array_bytes} bytes, of which at most {_MOST_BYTES} are read"
        )
    head_bytes = _HEAD_BYTES_PER_ARRAY * len(forms) + _HEAD_BYTES
    if stream.seek(0, os.SEEK_END) > array_bytes + head_bytes:
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
    except FOREIGN as error:
        # Readers of archives raise a dozen kinds.
        problem = f"a file that cannot be read ({type(error).__name__})"
    raise DamagedArraysError(problem)


def _members(
    entries: Sequence[zipfile.ZipInfo], forms: Mapping[str, ArrayForm]
) -> Mapping[str, zipfile.ZipInfo]:
    """The entries of an archive by the name of their array: exactly those of `forms`."""
    members = {entry.filename.removesuffix(".npy"): entry for entry in entries}
    missing = [
        name
        for name, form in forms.items()
        if name not in members and not form.optional
    ]
    unknown = [name for name in members if name not in forms]
    if missing:
        raise DamagedArraysError(f"{len(missing)} of {len(forms)} arrays missing")
    # A name may stand in an archive twice.
    repeated = len(entries) - len(members)
    if unknown or repeated:
        raise DamagedArraysError(
            f"{repeated + len(unknown)} arrays that are not of this run"
        )
    return members


def _read(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, form: ArrayForm
) -> NDArray[Any]:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DamagedArraysError("a kind of compression that no run has")
    with archive.open(member) as opened:
        shape, is_transposed, dtype = _head(opened)
        expected = np.dtype(form.dtype)
        # Byte orders may differ: the numbers are the same.
        is_of_kind = (dtype.kind, dtype.itemsize) == (expected.kind, expected.itemsize)
        if shape != form.shape or is_transposed or not is_of_kind:
            raise DamagedArraysError("an array of another length or kind")
        content = opened.read(form.size)
        # One byte more is asked for, because the checksum is looked at where the end is.
        if len(content) != form.size or opened.read(1):
            raise DamagedArraysError("an array of another length than it says")
    return np.frombuffer(content, dtype=dtype).reshape(form.shape).astype(expected)


def _head(opened: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in Fortran's order, and kind.

    numpy's readers look at no more than 10,000 characters.
    """
    version = npy.read_magic(opened)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise DamagedArraysError("an array of another form")
    return readers[version](opened)
