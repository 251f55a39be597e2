"""Embeddings on disk, by content: what was encoded once, by any run, is not encoded again.

A shard is what one model makes of one batch under one occlusion, or of one part of a
gallery. Its name is a hash of all that it follows from (`shard_keys`), so that nothing
has to be invalidated and processes may share a folder without locks: whoever writes a
shard again writes the same. Nothing that goes wrong here ends a run: a shard that
cannot be read is measured again, one that cannot be written is not kept, and a sentence
of `notes` says so.
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

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER = "embeddings-1"
"""Within the cache's folder; another form of the files would be another number."""
_SUFFIX = ".npz"
_KEY, _ABOUT, _CHECK = "key", "about", "check"


class _DamageError(Exception):
    """A file that is no shard, or not the one that its name says."""


@dataclass(frozen=True, repr=False)
class ShardFile:
    """One shard as a file: its key, its size in bytes, and when it was last written or
    read (seconds).
    """

    path: Path
    size: int
    used: float

    @property
    def key(self) -> str:
        return self.path.stem


class EmbeddingStore:
    """A folder of shards, each a few named arrays.

    Args:
        folder: Made when the first shard is written, readable by its owner alone:
        embeddings tell of patients. limit: Bytes that `prune` keeps.
    """

    def __init__(self, folder: Path, limit: int = sys.maxsize) -> None:
        self.folder, self.limit = folder, limit
        self._damaged = False
        self._unreadable: str | None = None
        self._unwritable: str | None = None

    def load(self, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays of a shard; None where there is none, or none that is whole and
        bears its own key.
        """
        path = self._path(key)
        try:
            arrays = read_shard(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._unreadable = error.strerror or type(error).__name__
            return None
        except _DamageError:
            self._damaged = True
            return None
        with suppress(OSError):  # a folder that may only be read
            os.utime(path)
        return arrays

    def save(
        self, key: str, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, object]
    ) -> None:
        """Keep the arrays under `key`, whole or not at all; `about` is shown by the
        command `store`.
        """
        if self._unwritable is not None:
            return
        path = self._path(key)
        try:
            _private_folder(path.parent)
            with whole_file(path) as part:
                _write_privately(part, _packed(key, arrays, about))
        except OSError as error:
            self._unwritable = error.strerror or type(error).__name__

    @property
    def notes(self) -> list[str]:
        """What its user should know: a sentence for each thing that went wrong."""
        notes = []
        if self._damaged:
            notes.append(
                "Expected whole shards in the embedding store, got damaged or foreign"
                " ones: their images were encoded again. Look at the disk if it goes"
                " on; `python -m pytest_retrieval_robust store verify` counts them."
            )
        for what, reason in (("read", self._unreadable), ("write", self._unwritable)):
            if reason is not None:
                notes.append(
                    f"Expected to {what} the embedding store, got: {reason}. The"
                    " results are whole, but a next run encodes again. Free space or"
                    " fix the permissions, choose another --robust-cache-dir, or"
                    " --robust-no-cache."
                )
        return notes

    def files(self) -> Iterator[ShardFile]:
        """Every shard, in no order."""
        for path in self.folder.glob(f"??/*{_SUFFIX}"):
            with suppress(OSError):  # another process prunes
                found = path.stat()
                yield ShardFile(path, found.st_size, found.st_mtime)

    def prune(self, limit: int | None = None) -> list[ShardFile]:
        """Remove the shards that were not used for the longest time, until the others
        fit; returns the removed ones.

        What killed runs left half-written goes too. A clock that jumped changes which
        shards go first, nothing else.
        """
        remove_abandoned(self.folder.glob(f"??/*{PART}"))
        removed = []
        files = sorted(self.files(), key=lambda file: (file.used, file.key))
        total, most = (
            sum(file.size for file in files),
            self.limit if limit is None else limit,
        )
        for file in files:
            if total <= most:
                break
            with suppress(
                OSError
            ):  # gone already, or in a folder that may only be read
                file.path.unlink()
                total -= file.size
                removed.append(file)
        return removed

    def damaged(self) -> list[ShardFile]:
        """The shards that are not whole, or do not bear their own key: each is read."""
        return [file for file in self.files() if not _is_whole(file.path)]

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}{_SUFFIX}"


def read_shard(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a shard, checked: against its own digest, and that its key is the file's name.

    Raises `OSError` where it cannot be read, and `_DamageError` for a damaged or foreign file.
    """
    with open_regular(path) as stream:
        content = stream.read()
    try:
        return _unpacked(content, path.stem)
    except Exception as error:  # readers of archives and arrays raise a dozen kinds
        raise _DamageError from error


def about_shard(path: Path) -> dict[str, Any]:
    """What was said of a shard when it was saved, read without the rest; empty for a
    damaged one.
    """
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
        return True  # pruned meanwhile
    except (OSError, _DamageError):
        return False
    return True


def _packed(
    key: str, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, object]
) -> bytes:
    import numpy as np

    words = {_KEY: key, _ABOUT: json.dumps(dict(about))}
    texts = {
        name: np.frombuffer(text.encode(), dtype=np.uint8)
        for name, text in words.items()
    }
    members = {**texts, **arrays}
    stream = io.BytesIO()
    np.savez(stream, **members, **{_CHECK: _digest(members)})  # type: ignore[arg-type]  # the stub knows no keyword arrays
    return stream.getvalue()


def _unpacked(content: bytes, key: str) -> dict[str, NDArray[Any]]:
    import numpy as np

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(member.file_size for member in archive.infolist()) > len(content):
            raise ValueError(
                "a shard is not compressed"
            )  # and so cannot expand beyond its file
    with np.load(io.BytesIO(content), allow_pickle=False) as opened:
        arrays: dict[str, NDArray[np.generic]] = {
            name: opened[name] for name in opened.files
        }
    check = arrays.pop(_CHECK)
    if not np.array_equal(check, _digest(arrays)):
        raise ValueError("another content")
    del arrays[_ABOUT]
    if arrays.pop(_KEY).tobytes().decode() != key:
        raise ValueError("another shard's key")
    return arrays


def _digest(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """Of everything: an archive's own CRC-32 does not cover the names of its members."""
    import numpy as np

    digest = hashlib.blake2b(digest_size=32)
    for name, array in sorted(arrays.items()):
        digest.update(
            f"{name} {array.dtype.str} {array.shape}".encode() + array.tobytes()
        )
    return np.frombuffer(digest.digest(), dtype=np.uint8)


def _private_folder(folder: Path) -> None:
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    for one in (folder.parent, folder):
        with suppress(FileExistsError):
            one.mkdir(mode=0o700)


def _write_privately(file: Path, content: bytes) -> None:
    """Readable by its owner alone, wherever it is moved to."""
    with os.fdopen(
        os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb"
    ) as stream:
        stream.write(content)
