"""Small files in the store's folder that say which batches are begun, done or failed.

They are hints for parts that take over what others have left: no embedding depends on
them, and no time is written down or compared. Whether a batch is in the store cannot be
seen without its images, because its keys follow from them. A mark is seen by its name.

What is done may be removed from the store later. So its mark holds the key of a shard,
and counts for whoever takes over only as long as that shard is there.

A mark that is made exclusively is made by one process alone, wherever the folder lies.
It is no lock: nobody waits for who made it. It says "take another batch first".
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ...core.files import open_regular
from ...measure.embeddings.store import EmbeddingStore
from .folders import private_folders, write_whole
from .part import Part

_NAME = re.compile(
    r"(?P<batch>[ir][0-9]{1,9})\.(?P<what>done|failed|begun-[0-9]{1,4})", re.ASCII
)
_KEY = re.compile(r"[0-9a-f]{16,128}", re.ASCII)


class Kind(Enum):
    """What a batch holds: the first letter of its marks."""

    IMAGES = "i"
    REPORTS = "r"

    def name_of(self, number: int) -> str:
        """What a batch is called in marks, such as `i12`."""
        return f"{self.value}{number}"


@dataclass(frozen=True, repr=False)
class SeenMarks:
    """The marks of a sweep as they were listed."""

    ended: frozenset[str] = frozenset()
    """The names of batches that are done, or have failed."""
    failed: frozenset[str] = frozenset()
    begun: Counter[str] = field(default_factory=Counter)
    """How many processes have begun a batch."""

    def missing(self, names: Iterable[str]) -> list[str]:
        """The batches that are to be done yet, in the order of `names`."""
        return [name for name in names if name not in self.ended]


class Marks:
    """The marks of one model on one data set with one choice of cells.

    Attributes:
        failed_here: What this process has noted to have failed.
        work: False once a mark could not be made: others are not told of what is done.
    """

    def __init__(self, store: Path, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._shards = EmbeddingStore(store)
        # Not looked at again: where a store is too small for all parts, each would encode
        # for ever what another one has just removed.
        self._known: set[str] = set()
        self.failed_here: set[str] = set()
        self.work = True

    def seen(self) -> SeenMarks:
        """The marks that are there now."""
        done = set()
        failed = set()
        begun: Counter[str] = Counter()
        for name in self._names():
            mark = _NAME.fullmatch(name)
            if mark is None:
                continue
            if mark["what"] == "done":
                if self.is_done(mark["batch"]):
                    done.add(mark["batch"])
            elif mark["what"] == "failed":
                failed.add(mark["batch"])
            else:
                begun[mark["batch"]] += 1
        # What failed first may be done by now.
        return SeenMarks(frozenset(done | failed), frozenset(failed - done), begun)

    def is_done(self, batch: str) -> bool:
        """Whether somebody has kept the batch, of which the store still has a shard."""
        if batch in self._known:
            return True
        key = _read(self._path(batch, "done"))
        if key is None:
            return False
        # Without a key it is believed.
        if _KEY.fullmatch(key) and not self._shards.has(key):
            return False
        self._known.add(batch)
        return True

    def has_ended(self, batch: str) -> bool:
        """Whether somebody has done the batch, be it there or not, or failed to."""
        return any(self._path(batch, what).exists() for what in ("done", "failed"))

    def begin(self, batch: str, time: int, part: Part) -> bool:
        """Whether this process is the one that begins a batch for the first, second ... time.

        True too where no mark can be made.
        """
        return self._make(self._path(batch, f"begun-{time}"), str(part))

    def is_begun_by(self, batch: str, part: Part) -> bool:
        """Whether it was this part that has begun the batch first, maybe before it died."""
        return _read(self._path(batch, "begun-1")) == str(part)

    def note_done(self, batch: str, key: str = "") -> None:
        """The store has every cell of the batch, one of them in the shard of this key."""
        self._known.add(batch)
        path = self._path(batch, "done")
        is_new = self._make(path, key)
        # The images may be others than when it was done before.
        with suppress(OSError):
            if not is_new and _read(path) != key:
                write_whole(self._store, path, key)
            self._path(batch, "failed").unlink(missing_ok=True)

    def note_failed(self, batch: str) -> None:
        """The batch is not to be had, whoever encodes it."""
        self.failed_here.add(batch)
        self._make(self._path(batch, "failed"))

    def _names(self) -> list[str]:
        try:
            return os.listdir(self._folder)
        except OSError:
            return []

    def _path(self, batch: str, what: str) -> Path:
        return self._folder / f"{batch}.{what}"

    def _make(self, path: Path, text: str = "") -> bool:
        """Make a file that is not there; False where it is."""
        with suppress(OSError):
            private_folders(self._store, self._folder)
        try:
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return False
        except OSError:
            self.work = False
            return True
        with os.fdopen(file, "w", encoding="ascii") as stream, suppress(OSError):
            stream.write(text)
        return True


def _read(path: Path) -> str | None:
    """What a mark holds; None where there is none."""
    try:
        with open_regular(path) as stream:
            return stream.read().decode("ascii", "replace")
    except OSError:
        return None
