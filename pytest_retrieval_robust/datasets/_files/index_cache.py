"""Arrays that were made from large files, kept in the cache folder until a file changes."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...core.atomic_files import cache_folder
from ...core.files import open_regular

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


def cached_arrays(
    kind: str, version: int, files: tuple[Path, ...], make: Callable[[], Arrays]
) -> Arrays:
    """The arrays of these files: from the cache, or made and cached.

    The cache is right as long as path, size and time of all files are the same.
    `version` is that of `make`.
    """
    file = cache_folder() / "datasets" / f"{kind}-{_key(version, files)}.npz"
    cached = _load(file)
    if cached is not None:
        return cached
    arrays = make()
    _save(arrays, file)
    return arrays


def _key(version: int, files: tuple[Path, ...]) -> str:
    digest = hashlib.blake2b(str(version).encode(), digest_size=16)
    for file in files:
        status = file.stat()
        state = f"{file.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0"
        digest.update(state.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _load(file: Path) -> Arrays | None:
    try:
        with (
            open_regular(file) as stream,
            np.load(stream, allow_pickle=False) as arrays,
        ):
            return dict(arrays)
    # Absent, or damaged in any way: it is made again.
    except Exception:
        return None


def _save(arrays: Arrays, file: Path) -> None:
    """Write all or nothing, for this user alone, because the arrays hold ids.

    A cache that cannot be written costs time only.
    """
    name = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, suffix=".npz")  # mode 0600
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]  # its keywords are arrays
        os.replace(name, file)
    except OSError:
        if name is not None:
            Path(name).unlink(missing_ok=True)
