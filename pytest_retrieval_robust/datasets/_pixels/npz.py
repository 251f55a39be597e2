"""One array of a NumPy archive (.npz) as a picture, read without pickle and within bounds."""

from __future__ import annotations

import zipfile
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from .refusals import (
    CONVERT,
    COPY_AGAIN,
    LEAST_SHARE,
    MOST_BYTES,
    Refused,
    require_size,
)

if TYPE_CHECKING:
    from PIL.Image import Image

_CHANNELS = (1, 3)
_WHITE = 255
_KINDS = "uif"
"""NumPy's letters for unsigned and signed whole numbers and floating-point ones."""


class _Header(NamedTuple):
    """What an array's file says of it before its values."""

    shape: tuple[int, ...]
    by_columns: bool
    """Whether the first axis varies fastest (Fortran's order)."""
    dtype: np.dtype[Any]


def read_npz(stream: BinaryIO, array: str) -> Image:
    """The array of that name as a picture of 8 bits.

    Its values are from 0 (black) to 255 (white); fractions are cut, as
    `astype(numpy.uint8)` cuts them. (rows, columns) and (rows, columns, 1) are grey,
    (rows, columns, 3) is RGB. Other arrays of the archive are not read.

    Raises `Refused`, and whatever zipfile and NumPy raise for a damaged file.
    """
    from PIL import Image as images

    with zipfile.ZipFile(stream) as archive:
        name = f"{array}.npy"
        if name not in archive.namelist():
            raise Refused(
                f"an archive with the array {array!r}",
                f"{len(archive.namelist())} others",
                "Fix the name of the array, or copy the file again.",
            )
        # What comes out of the archive ends there, whatever its headers claim.
        size = archive.getinfo(name).file_size
        if size > MOST_BYTES:
            raise Refused(
                f"an array {array!r} of at most {MOST_BYTES} bytes", f"{size}", CONVERT
            )
        with archive.open(name) as member:
            header = _read_header(member)
            _require_picture(header, array)
            values = _read_values(member, header)
    levels = _levels(values, array)
    return images.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)


def _read_header(member: IO[bytes]) -> _Header:
    version = npy.read_magic(member)
    # The third version is for arrays of named fields, which are no pictures.
    if version == (1, 0):
        return _Header(*npy.read_array_header_1_0(member))
    if version == (2, 0):
        return _Header(*npy.read_array_header_2_0(member))
    raise Refused("an array of plain numbers", f"version={version} of NumPy's format")


def _require_picture(header: _Header, array: str) -> None:
    """Raise `Refused` for what is no picture, before any of its values is read."""
    # Objects are the kind that only pickle reads.
    if header.dtype.kind not in _KINDS:
        raise Refused(
            f"numbers in the array {array!r}", f"dtype={header.dtype.kind}", CONVERT
        )
    is_colour = len(header.shape) == 3 and header.shape[2] in _CHANNELS
    is_grey = len(header.shape) == 2
    is_empty = any(length < 1 for length in header.shape)
    if is_empty or not (is_grey or is_colour):
        raise Refused(
            f"an array {array!r} of shape (rows, columns) or (rows, columns, 3)",
            f"shape={header.shape}",
            CONVERT,
        )
    require_size(header.shape[1], header.shape[0])


def _size(header: _Header) -> int:
    """Bytes of the array's values. Python's numbers do not overflow."""
    size = header.dtype.itemsize
    for length in header.shape:
        size *= length
    return size


def _read_values(member: IO[bytes], header: _Header) -> np.ndarray[Any, Any]:
    """The array's values, (rows, columns, channels)."""
    size = _size(header)
    # One byte more: at its end the archive compares its checksum.
    content = member.read(size + 1)
    if len(content) != size:
        got = "more" if len(content) > size else "fewer"
        raise Refused("a whole array", f"{got} values than its shape has", COPY_AGAIN)
    # Fortran's first axis varies fastest, as the last one of the reversed shape does.
    shape = header.shape[::-1] if header.by_columns else header.shape
    values = np.frombuffer(content, header.dtype).reshape(shape)
    picture = values.T if header.by_columns else values
    return np.atleast_3d(picture)


def _levels(values: np.ndarray[Any, Any], array: str) -> np.ndarray[Any, Any]:
    """Values from 0 to 255 as bytes; `Refused` for others, whose white nobody knows."""
    expected = f"values from 0 to {_WHITE} in the array {array!r}"
    # As Python's numbers: those of 8 bits would overflow below. Some NaN warn.
    with np.errstate(all="ignore"):
        least = float(values.min())
        greatest = float(values.max())
    # NaN fails this comparison, as it should.
    if not (least >= 0 and greatest <= _WHITE):
        raise Refused(
            expected,
            f"values from {least:g} to {greatest:g}, of no known white",
            CONVERT,
        )
    # So are pictures whose white is 1, and masks.
    if 0 < greatest * LEAST_SHARE < _WHITE:
        raise Refused(
            expected, f"at most {greatest:g}, which is all but black", CONVERT
        )
    return np.ascontiguousarray(values.astype(np.uint8))
