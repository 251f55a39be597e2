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


def parsed_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        TomlError: It is no TOML; the message names line and column.
        ValueError: A number has too many digits.
        RecursionError: Tables or lists are nested too deep.
    """
    tables: dict[str, Any] = tomllib.loads(text)
    return tables
