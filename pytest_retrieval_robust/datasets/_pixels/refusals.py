"""Why a picture is refused, and how large one may be."""

from __future__ import annotations

from typing import BinaryIO

from ...core.errors import DatasetError, UnreadableImageError

MOST_PIXELS = 150_000_000
"""Beyond this a file is taken for a decompression bomb: a radiograph has 10 to 25
million pixels.
"""
MOST_BYTES = 1 << 30
"""The largest file as stored, and the largest deflated DICOM file once expanded."""
LEAST_SHARE = 16
"""A picture whose greatest value is less than white divided by this shows 16 of 256
levels: all but black.
"""

SKIP = "or choose on_error='skip'."
COPY_AGAIN = f"Copy it again, {SKIP}"
CONVERT = f"Convert it, {SKIP}"
LEAVE_OUT = f"Leave it out, {SKIP}"


class Refused(Exception):
    """Why a picture is not read.

    Readers of pictures raise it without the file's name, which they do not know.
    """

    def __init__(
        self,
        expected: str,
        got: str,
        advice: str = COPY_AGAIN,
        kind: type[DatasetError] = UnreadableImageError,
    ) -> None:
        # The caller adds the name: see `named`.
        super().__init__(expected, got)
        self._expected = expected
        self._got = got
        self._advice = advice
        self._kind = kind

    def named(self, where: str) -> DatasetError:
        """The error for the file that messages call `where`."""
        return self._kind(
            f"Expected {self._expected}, got {self._got}: {where}. {self._advice}"
        )


def require_size(columns: int, rows: int) -> None:
    """Raise `Refused` for too many pixels, before anything of that size is allocated."""
    if columns * rows > MOST_PIXELS:
        raise Refused(
            f"at most {MOST_PIXELS} pixels",
            f"size={columns} x {rows}, as a decompression bomb has",
            LEAVE_OUT,
        )


def require_bytes(stream: BinaryIO) -> None:
    """Raise `Refused` for a file of too many bytes. Leaves the stream at its beginning."""
    size = stream.seek(0, 2)
    stream.seek(0)
    if size > MOST_BYTES:
        raise Refused(f"a file of at most {MOST_BYTES} bytes", f"{size}", LEAVE_OUT)
