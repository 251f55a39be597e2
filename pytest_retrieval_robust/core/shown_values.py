"""Places and values of the user's, as messages and logs may show them.

Folders may tell of people, and an address may hold a password.
"""

from __future__ import annotations

import os
from pathlib import Path

_OF_PLACES = "/\\@"


def shown_place(path: Path) -> str:
    """A path from the current folder on, or its last part if it lies elsewhere.

    A path in the account's own cache is shown from `~` on.
    """
    here = current_folder()
    if here is not None:
        for spelling in (path, Path(os.path.realpath(path))):
            if spelling.is_relative_to(here):
                return str(spelling.relative_to(here))
    # It stays as it is for an account without a home.
    caches = Path(os.path.expanduser("~/.cache"))
    if path.is_relative_to(caches):
        return str("~/.cache" / path.relative_to(caches))
    return path.name if path.is_absolute() else str(path)


def current_folder() -> Path | None:
    """None where it was deleted, or may not be read."""
    try:
        return Path.cwd()
    except OSError:
        return None


def shown_value(value: object) -> str:
    """A value of an option or of `robust.toml` as a message may show it.

    Numbers and plain words are shown. A text with a path or an address may tell of a
    person or hold a password, and so may lists and tables: of these the kind is shown.
    """
    if isinstance(value, str):
        if any(sign in value for sign in _OF_PLACES):
            return "a path or an address"
        return repr(value) if value else "an empty text"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    return f"a value of type {type(value).__name__}"
