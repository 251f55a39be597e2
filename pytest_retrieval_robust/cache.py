"""Where this package keeps what it may make or fetch again."""

from __future__ import annotations

import os
from pathlib import Path

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
