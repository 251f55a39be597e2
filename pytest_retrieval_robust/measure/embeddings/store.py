"""Embeddings on disk: what any run has encoded is not encoded again.

A shard is what one model makes of one batch under one occlusion, or of one batch of
reports. Its name is a hash of everything that it follows from (`keys`), so nothing has to
be invalidated and processes may share a folder without locks: a shard that is written
again is the same. Nothing that goes wrong here ends a run: a shard that cannot be read
is measured again, one that cannot be written is not kept, and `notes` says so.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.atomic_files import PART, remove_abandoned, whole_file
from ...core.files import open_regular
from .room import Room

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER = "embeddings-1"
"""Within the cache's folder. Another file format would have another number."""
_SUFFIX = ".npz"
# Members of a shard's file beside its arrays.
_KEY = "key"
_ABOUT = "about"
_CHECK = "check"


class _DamageError(Exception):
    """A file is not a shard, or not the one that its name says."""


@dataclass(frozen=True, repr=False)
class ShardFile:
    """One shard as a file."""

    path: Path
    size: int
    """Bytes."""
    used: float
    """When it was last written or read, in seconds since the epoch."""

    @property
    def key(self) -> str:
        return self.path.stem


class EmbeddingStore:
    """A folder of shards, each a few named arrays.

    Args:
        folder: Made when the first shard is written, readable by its owner alone:
            embeddings tell of patients.
        limit: Bytes that all shards may have together. To keep it, shards that this run
            did not use are removed; once there are none, further ones are not kept.
    """

    def __init__(self, folder: Path, limit: int = sys.maxsize) -> None:
        self.folder = folder
        self.limit = limit
        self._room = Room(folder, self.files, limit)
        # What went wrong, for `notes`.
        self._was_damaged = False
        self._unreadable: str | None = None
        self._unwritable: str | None = None
        self._was_full = False

    def load(self, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays of a shard; None if there is none, or it is damaged or unreadable."""
        path = self._path(key)
        try:
            arrays = read_shard(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._unreadable = error.strerror or type(error).__name__
            return None
        except _DamageError:
            self._was_damaged = True
            return None
        self._room.note_use(key)
        # Its time says that it was used. A folder may be read-only.
        with suppress(OSError):
            os.utime(path)
        return arrays

    def within(self, *folders: str) -> EmbeddingStore:
        """A store in a folder of this one, which `files` and `prune` do not look into."""
        return EmbeddingStore(self.folder.joinpath(*folders))

    def has(self, key: str) -> bool:
        """Whether there is a file of that key, whole or not."""
        return self._path(key).exists()

    def save(
        self, key: str, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, object]
    ) -> bool:
        """Keep the arrays under `key`, whole or not at all; returns whether they are kept.

        Nothing is kept beyond the limit.

        `about` is shown by the command `store`.
        """
        # After the first failure nothing is tried again: the disk is probably full.
        if self._unwritable is not None or self._room.is_full:
            return False
        path = self._path(key)
        content = _packed(key, arrays, about)
        if not self._room.make(len(content)):
            self._was_full = True
            return False
        self._room.note_use(key)
        try:
            _private_folder(path.parent)
            with whole_file(path) as unfinished:
                _write_privately(unfinished, content)
        except OSError as error:
            self._unwritable = error.strerror or type(error).__name__
            return False
        return True

    @property
    def refuses(self) -> str | None:
        """Why nothing more is kept, as part of a sentence; None while all is."""
        if self._unwritable is not None:
            return f"it cannot be written ({self._unwritable})"
        if self._was_full:
            return "it is filled to its limit (raise --robust-cache-limit)"
        return None

    @property
    def notes(self) -> list[str]:
        """A sentence for each thing that went wrong."""
        notes = []
        if self._was_damaged:
            notes.append(
                "Expected whole shards in the embedding store, got damaged or foreign"
                " ones: their images were encoded again. Check the disk if it happens"
                " again; `python -m pytest_retrieval_robust store verify` counts them."
            )
        if self._unreadable is not None:
            notes.append(_access_note("read", self._unreadable))
        if self._unwritable is not None:
            notes.append(_access_note("write", self._unwritable))
        if self._was_full:
            notes.append(
                "Expected room for all embeddings of this run in the store, got one"
                " that they filled to its limit: the results are whole, but the next"
                " run encodes again what was not kept. Raise --robust-cache-limit, or"
                " give evaluate a cache_dir, which has no limit."
            )
        return notes

    def files(self) -> Iterator[ShardFile]:
        """Every shard, in no order."""
        for path in self.folder.glob(f"??/*{_SUFFIX}"):
            # Another process may prune at the same time.
            with suppress(OSError):
                status = path.stat()
                yield ShardFile(path, status.st_size, status.st_mtime)

    def prune(self, limit: int | None = None) -> list[ShardFile]:
        """Remove the shards that were not used for the longest time, until the others fit.

        Those of this run go last: the limit may have been lowered below their size.
        Returns the removed ones. Files that killed runs left half-written go too. A
        clock that jumped changes which shards go first, nothing else.
        """
        remove_abandoned(self.folder.glob(f"??/*{PART}"))
        is_of_run = self._room.is_of_run
        files = sorted(
            self.files(), key=lambda file: (is_of_run(file), file.used, file.key)
        )
        total = sum(file.size for file in files)
        most = self.limit if limit is None else limit
        removed = []
        for file in files:
            if total <= most:
                break
            # It may be gone already, or lie in a read-only folder.
            with suppress(OSError):
                file.path.unlink()
                total -= file.size
                removed.append(file)
        self._room.forget()
        return removed

    def damaged(self) -> list[ShardFile]:
        """The shards that are not whole, or do not have their own key; reads every one."""
        return [file for file in self.files() if not _is_whole(file.path)]

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}{_SUFFIX}"


def _access_note(action: str, reason: str) -> str:
    return (
        f"Expected to {action} the embedding store, got: {reason}. The results are"
        " whole, but the next run encodes again. Free space or fix the permissions,"
        " choose another --robust-cache-dir (cache_dir= of evaluate), or"
        " --robust-no-cache (cache=False)."
    )


def read_shard(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a shard, checked against its digest and against the file's name.

    Raises `OSError` if it cannot be read, and `_DamageError` for a damaged or foreign file.
    """
    with open_regular(path) as stream:
        content = stream.read()
    try:
        return _unpacked(content, path.stem)
    except Exception as error:
        # Readers of archives and arrays raise a dozen kinds.
        raise _DamageError from error


def about_shard(path: Path) -> dict[str, Any]:
    """What a shard was saved with as `about`, read without the rest; empty if damaged."""
    import numpy as np

    try:
        with (
            open_regular(path) as stream,
            np.load(stream, allow_pickle=False) as opened,
        ):
            about: dict[str, Any] = json.loads(opened[_ABOUT].tobytes())
    except Exception:
        return {}
    return about if isinstance(about, dict) else {}


def _is_whole(path: Path) -> bool:
    try:
        read_shard(path)
    except FileNotFoundError:
        # Another process removed it meanwhile.
        return True
    except (OSError, _DamageError):
        return False
    return True


def _packed(
    key: str, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, object]
) -> bytes:
    import numpy as np

    members = {
        _KEY: _text_array(key),
        _ABOUT: _text_array(json.dumps(dict(about))),
        **arrays,
    }
    stream = io.BytesIO()
    np.savez(stream, **members, **{_CHECK: _digest(members)})  # type: ignore[arg-type]  # the stub knows no keyword arrays
    return stream.getvalue()


def _text_array(text: str) -> NDArray[np.uint8]:
    import numpy as np

    return np.frombuffer(text.encode(), dtype=np.uint8)


def _unpacked(content: bytes, key: str) -> dict[str, NDArray[Any]]:
    import numpy as np

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        unpacked_size = sum(member.file_size for member in archive.infolist())
        # A shard is not compressed, so a foreign file cannot expand beyond its size.
        if unpacked_size > len(content):
            raise ValueError("a compressed file")
    with np.load(io.BytesIO(content), allow_pickle=False) as opened:
        arrays: dict[str, NDArray[Any]] = {name: opened[name] for name in opened.files}
    check = arrays.pop(_CHECK)
    if not np.array_equal(check, _digest(arrays)):
        raise ValueError("another content")
    del arrays[_ABOUT]
    if arrays.pop(_KEY).tobytes().decode() != key:
        raise ValueError("another shard's key")
    return arrays


def _digest(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """A digest of everything: an archive's CRC-32 does not cover the names of its members."""
    import numpy as np

    digest = hashlib.blake2b(digest_size=32)
    for name, array in sorted(arrays.items()):
        header = f"{name} {array.dtype.str} {array.shape}"
        digest.update(header.encode() + array.tobytes())
    return np.frombuffer(digest.digest(), dtype=np.uint8)


def _private_folder(folder: Path) -> None:
    """Make the folder and the one above it, readable by their owner alone."""
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    for private in (folder.parent, folder):
        with suppress(FileExistsError):
            private.mkdir(mode=0o700)


def _write_privately(file: Path, content: bytes) -> None:
    """Write a new file, readable by its owner alone wherever it is moved to."""
    descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
