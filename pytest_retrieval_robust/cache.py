"""Where this package keeps what it may make or fetch again, and how a file comes to be there whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART = ".part"
"""How the name of a file ends that is not whole yet."""
CACHE_VARIABLE = "RETRIEVAL_ROBUST_CACHE"
_APPLICATION = "pytest-retrieval-robust"


def cache_folder(given: Path | None = None) -> Path:
    """The folder given, else `$RETRIEVAL_ROBUST_CACHE`, else the platform's."""
    if given is not None:
        return given
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / _APPLICATION


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what shall stand at `path`: it appears there whole, or not at all and nothing is left of it.

    Several processes may do so at once; the last one's stays.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PART}")
    try:
        yield part
        part.replace(path)
    except BaseException:  # an interrupt too: what is half-written may hold patients' images
        with suppress(OSError):
            part.unlink()
        raise
