"""What is left of a store's limit for the run of this process.

The limit must not make a run forget its own beginning: what this run wrote or used stays,
older shards go first, and once there are none left, further shards are not kept.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from ...core.atomic_files import disk_time
from ...core.device import own_slot

if TYPE_CHECKING:
    from pathlib import Path

    from .store import ShardFile

_RECOUNTS = 4
"""All processes together may write a quarter of the room before each counts again."""


class Room:
    """How many bytes may still be written, and which shards may go for that.

    Args:
        folder: The store's.
        files: Gives every shard of the store.
        limit: Bytes that all of them may have together.
    """

    def __init__(
        self, folder: Path, files: Callable[[], Iterable[ShardFile]], limit: int
    ) -> None:
        self._files = files
        self._limit = limit
        # Other processes of this run, such as workers of pytest-xdist, use shards too.
        # Their files have the times of the disk.
        self._begun = 0.0 if limit == sys.maxsize else disk_time(folder)
        self._own: set[str] = set()
        """Keys of the shards that this process wrote or used."""
        self._older: list[ShardFile] = []
        """Of no use to this run as far as is known, the longest unused one last."""
        self._total: int | None = None
        """Bytes of all shards; None before they are counted."""
        self._until_count = 0
        """Bytes that may be written before they are counted again."""
        self.is_full = False
        """Whether a shard found no room. Then no further one is tried: counting takes time."""
        self._lock = Lock()

    def note_use(self, key: str) -> None:
        """Note that this run uses a shard: it stays."""
        self._own.add(key)

    def is_of_run(self, file: ShardFile) -> bool:
        """Whether this run wrote or used a shard, in this process or another."""
        return file.key in self._own or file.used >= self._begun

    def make(self, nbytes: int) -> bool:
        """Whether a shard of that size may be written, for which older ones may go."""
        if self._limit == sys.maxsize:
            return True
        with self._lock:
            if self.is_full:
                return False
            if self._total is None or nbytes > self._until_count:
                self._total = self._count()
            while self._total + nbytes > self._limit and self._older:
                self._total -= self._removed(self._older.pop())
            self.is_full = self._total + nbytes > self._limit
            if self.is_full:
                return False
            self._total += nbytes
            self._until_count -= nbytes
            return True

    def forget(self) -> None:
        """Shards were removed otherwise: they are counted again."""
        with self._lock:
            self._total = None
            self.is_full = False

    def _count(self) -> int:
        """Bytes of all shards now. Other processes write and remove some, too."""
        files = list(self._files())
        older = [file for file in files if not self.is_of_run(file)]
        self._older = sorted(older, key=lambda file: file.used, reverse=True)
        total = sum(file.size for file in files)
        room = self._limit - total + sum(file.size for file in older)
        self._until_count = max(0, room) // (_RECOUNTS * own_slot().count)
        return total

    def _removed(self, file: ShardFile) -> int:
        """Remove a shard, unless somebody used it since it was counted; the bytes gained."""
        if file.key in self._own:
            return 0
        try:
            if file.path.stat().st_mtime != file.used:
                return 0
        except OSError:
            # Another process removed it.
            return file.size
        # The folder may be read-only.
        with suppress(OSError):
            file.path.unlink()
            return file.size
        return 0
