"""Arrays that wait on disk until they are needed: all of a sweep's embeddings together
may not fit into memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Waiting:
    """An array that was put away."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int
    """Where it begins in the file."""
    held: NDArray[Any] | None = None
    """The array itself, where it could not be written."""


class Spill:
    """A file without a name, which only this process can read and of which nothing is
    left when it ends or is killed.

    Where no folder can be written, or the disk is full, arrays are held in memory.

    Args:
        folders: Where the file may be, the first choice first; the temporary folder is the last.
    """

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._folders = list(folders)
        with suppress(OSError):  # there may be no temporary folder that can be written
            self._folders.append(Path(tempfile.gettempdir()))
        self._file: IO[bytes] | None = None
        self._is_open, self._end = False, 0
        self._lock = Lock()

    def put(self, array: NDArray[Any]) -> Waiting:
        """Put an array away; from any thread."""
        whole = np.ascontiguousarray(array)
        with self._lock:
            file = self._opened()
            if file is not None:
                try:
                    file.seek(self._end)
                    _write_all(file, whole)
                except OSError:
                    pass
                else:
                    start, self._end = self._end, self._end + whole.nbytes
                    return Waiting(array.shape, array.dtype, start)
        return Waiting(array.shape, array.dtype, 0, array.copy())

    def take(self, waiting: Waiting) -> NDArray[Any]:
        """An array that was put away."""
        if waiting.held is not None:
            return waiting.held
        found = np.empty(waiting.shape, waiting.dtype)
        left = _bytes_of(found)
        with self._lock:
            assert self._file is not None
            self._file.seek(waiting.start)
            while left:
                count = self._file.readinto(left)  # type: ignore[attr-defined]  # an unbuffered file has it
                if not count:
                    raise OSError("a file that was cut off")
                left = left[count:]
        return found

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file, self._is_open = None, True

    def _opened(self) -> IO[bytes] | None:
        if not self._is_open:
            self._is_open = True
            for folder in self._folders:
                with suppress(OSError):
                    self._file = tempfile.TemporaryFile(  # noqa: SIM115 - kept open
                        dir=folder, prefix="retrieval-robust-", buffering=0
                    )
                    break
        return self._file


def _write_all(file: IO[bytes], array: NDArray[Any]) -> None:
    left = _bytes_of(array)
    while left:
        left = left[file.write(left) :]


def _bytes_of(array: NDArray[Any]) -> memoryview:
    """The memory of an array, of which each element follows the one before."""
    return memoryview(array.reshape(-1).view(np.uint8).data)
