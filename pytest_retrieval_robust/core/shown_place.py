"""Places on the user's machine, as a log may show them: folders may tell of people."""

from __future__ import annotations

import os
from pathlib import Path


def shown_place(path: Path) -> str:
    """A path from the current folder on, or its last part if it lies elsewhere.

    A path in the account's own cache is shown from `~` on.
    """
    here = Path.cwd()
    for spelling in (path, Path(os.path.realpath(path))):
        if spelling.is_relative_to(here):
            return str(spelling.relative_to(here))
    caches = Path("~/.cache").expanduser()
    if path.is_relative_to(caches):
        return str("~/.cache" / path.relative_to(caches))
    return path.name if path.is_absolute() else str(path)
