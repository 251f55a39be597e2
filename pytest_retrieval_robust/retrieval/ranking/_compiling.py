"""Loops compiled by numba, and where the compiled code is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba

from ...core.atomic_files import own_cache_folder


def compiled(loop: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """The loop, to be compiled at its first call; later processes find the code."""
    folder = _folder()
    if folder is not None:
        try:
            with _kept_in(folder):
                return numba.njit(cache=True, **options)(loop)  # type: ignore[no-any-return]
        except RuntimeError:
            # Numba finds no place for the code of this module, such as one in an archive.
            pass
    return numba.njit(**options)(loop)  # type: ignore[no-any-return]


def _folder() -> Path | None:
    """The folder of `$NUMBA_CACHE_DIR`, else one of our own; None if it cannot be made.

    Numba would write beside this module, and an uninstall would leave those files: what
    is left of a package can still be imported. `$RETRIEVAL_ROBUST_CACHE` is not heeded,
    because others may write to such a folder, and this code is run.
    """
    chosen = numba.config.CACHE_DIR
    folder = Path(chosen) if chosen else own_cache_folder() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        # Read-only, or a user without a home.
        return None
    return folder


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Numba chooses the place when a function is decorated, not when it is compiled."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before
