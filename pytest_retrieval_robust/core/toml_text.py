"""TOML's parser, on every Python that the package takes."""

from __future__ import annotations

import sys
from typing import Any

# It can go with Python 3.10, the last whose standard library reads no TOML.
if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TomlError: type[ValueError] = tomllib.TOMLDecodeError

_OF_PLACES = "/\\@"


def parsed_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        TomlError: It is no TOML; the message names line and column.
        ValueError: A number has too many digits.
        RecursionError: Tables or lists are nested too deep.
    """
    tables: dict[str, Any] = tomllib.loads(text)
    return tables


def shown_value(value: object) -> str:
    """A value of a TOML file as a message may show it.

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
