"""Memory for all rows of a gallery or of a cell: a file's, where the machine's is short.

Ranking takes tiles of these arrays one after the other, so the system may give the
pages of a mapped file back in between. The bits of what is computed are the same.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...core.host_memory import is_comfortable


@dataclass(frozen=True, repr=False)
class RowSpace:
    """Where the rows of many batches are put together.

    Arrays that fit comfortably are ordinary ones: these are faster to read, and to
    upload to a device.
    """

    folders: tuple[Path, ...] = ()
    """Where a file may be, the first choice first; the temporary folder is the last."""

    @classmethod
    def of(cls, folders: Iterable[Path]) -> RowSpace:
        with_temporary = list(folders)
        with suppress(OSError):  # no temporary folder can be written
            with_temporary.append(Path(tempfile.gettempdir()))
        return cls(tuple(with_temporary))

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array to be filled. Nothing is left of its file once it is forgotten."""
        wanted = np.dtype(dtype)
        nbytes = int(np.prod(shape, dtype=np.int64)) * wanted.itemsize
        if nbytes and not is_comfortable(nbytes):
            for folder in self.folders:
                # Without room on a disk, memory has to do.
                with suppress(OSError, ValueError):
                    mapped = _mapped(folder, nbytes)
                    return np.frombuffer(mapped, wanted).reshape(shape)
        return np.empty(shape, wanted)


IN_MEMORY = RowSpace()
"""Without a folder every array is an ordinary one."""


def _mapped(folder: Path, nbytes: int) -> mmap.mmap:
    """A file without a name in the folder, as writable memory that others do not see."""
    with tempfile.TemporaryFile(
        dir=folder, prefix="retrieval-robust-", buffering=0
    ) as file:
        # On the disk before it is mapped: a page that finds no room later would end
        # the process.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, nbytes)
        else:
            file.truncate(nbytes)
        # Shared with the file, not private to the process: private pages that are
        # written count as memory, whatever lies behind them.
        return mmap.mmap(file.fileno(), nbytes)
