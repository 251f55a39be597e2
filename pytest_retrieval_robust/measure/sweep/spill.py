"""Arrays that wait on disk: all embeddings of a sweep together may not fit into memory."""

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

from .space import RowSpace


@dataclass(frozen=True)
class Waiting:
    """An array that was put away."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int
    """Where it begins in the file."""
    in_memory: NDArray[Any] | None = None
    """The array itself, if it could not be written."""


class Spill:
    """A file without a name, which vanishes when this process ends or is killed.

    Only this process can read it. If no folder can be written, or the disk is full,
    arrays stay in memory.

    Args:
        folders: Where the file may be, the first choice first; the temporary folder is
            the last.
    """

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self.space = RowSpace.of(folders)
        """For arrays of several batches together, beside this file."""
        self._file: IO[bytes] | None = None
        self._folder: Path | None = None
        self._was_opened = False
        self._end = 0
        self._lock = Lock()

    @property
    def folder(self) -> Path | None:
        """The folder that the file is in; None if no folder can be written."""
        with self._lock:
            self._opened()
            return self._folder

    def put(self, array: NDArray[Any]) -> Waiting:
        """Put an array away; from any thread."""
        contiguous = np.ascontiguousarray(array)
        # Batches of several cells and lanes share the file.
        with self._lock:
            start = self._end
            if self._is_written(contiguous):
                self._end = start + contiguous.nbytes
                return Waiting(array.shape, array.dtype, start)
        # A copy: the caller's memory may be written to again.
        return Waiting(array.shape, array.dtype, 0, array.copy())

    def take(self, waiting: Waiting) -> NDArray[Any]:
        """An array that was put away."""
        if waiting.in_memory is not None:
            return waiting.in_memory
        array = np.empty(waiting.shape, waiting.dtype)
        missing = _bytes_of(array)
        with self._lock:
            assert self._file is not None
            self._file.seek(waiting.start)
            while missing:
                count = self._file.readinto(missing)  # type: ignore[attr-defined]  # an unbuffered file has it
                if not count:
                    raise OSError("a file that was cut off")
                missing = missing[count:]
        return array

    def close(self) -> None:
        """Remove the file. What is put away after that stays in memory."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file = None
            self._was_opened = True

    def _is_written(self, array: NDArray[Any]) -> bool:
        """Write the array at the end of the file, if that is possible."""
        file = self._opened()
        if file is None:
            return False
        try:
            file.seek(self._end)
            missing = _bytes_of(array)
            while missing:
                missing = missing[file.write(missing) :]
        except OSError:
            return False
        return True

    def _opened(self) -> IO[bytes] | None:
        """The file in the first folder that can be written; tried once."""
        if not self._was_opened:
            self._was_opened = True
            for folder in self.space.folders:
                with suppress(OSError):
                    self._file = tempfile.TemporaryFile(  # noqa: SIM115 - kept open
                        dir=folder, prefix="retrieval-robust-", buffering=0
                    )
                    self._folder = folder
                    break
        return self._file


def _bytes_of(array: NDArray[Any]) -> memoryview:
    """The memory of an array whose elements follow each other."""
    return memoryview(array.reshape(-1).view(np.uint8).data)
