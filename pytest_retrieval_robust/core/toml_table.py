"""One table of `robust.toml`, with what messages about it need."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .catalogue import unknown_name
from .errors import ConfigError
from .shown_values import shown_value

TIMEOUT = "timeout"
LONGEST_SECONDS = 1e8
"""Of a time-out: three years. Clocks of the system take no more."""


@dataclass(frozen=True, repr=False)
class TomlTable:
    """A table of the file, with what messages about it need."""

    path: Path
    text: str
    header: str
    """The table's name in square brackets, as it opens in the file."""
    content: Any

    def place(self, key: str | None = None) -> str:
        """`robust.toml, line 3`: where the table, or a key of it, stands."""
        return place(self.path, self.text, self.header, 0, key)

    def places(self) -> dict[str, str]:
        """Where each key stands, and "" the table."""
        return {"": self.place(), **{key: self.place(key) for key in self.content}}

    def require_table(self) -> None:
        if not isinstance(self.content, dict):
            got = shown_value(self.content)
            raise ConfigError(
                f"{self.place()}: expected a table {self.header}, got {got}."
            )

    def check_keys(self, known: Collection[str], kind: str) -> None:
        for key in self.content:
            if key not in known:
                raise ConfigError(
                    f"{self.place(key)}: {unknown_name(kind, key, known)}"
                )


def place(
    path: Path, text: str, header: str | None, index: int = 0, key: str | None = None
) -> str:
    """`FILE, line N` of the `index`-th table that opens with `header`, or of `key` in it.

    A table may be written in other ways than with its header: then it is the file's
    first line, or the first one after it that holds the key.
    """
    lines = text.splitlines()
    starts = [
        number
        for number, line in enumerate(lines)
        if header is not None and line.strip().startswith(header)
    ]
    start = 0
    if starts:
        start = starts[min(index, len(starts) - 1)]
    if key is not None:
        start = _line_of_key(lines, start, key)
    return f"{path.name}, line {start + 1}"


def _line_of_key(lines: Sequence[str], start: int, key: str) -> int:
    """The first line from `start` on that sets `key`; `start` where none does."""
    # What follows an equals sign is a value.
    word = re.compile(rf'(^|(?<!=)[\s,{{\[.])"?{re.escape(key)}"?\s*([=\].]|$)')
    for number in range(start, len(lines)):
        if word.search(lines[number]):
            return number
    return start


def seconds_of(where: str, key: str, value: object) -> float:
    """A time-out that was written under a key."""
    # To Python true is a number, and TOML has inf and nan.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 < value < LONGEST_SECONDS:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    raise ConfigError(
        f"{where}: expected seconds, a number above 0, got {key}={shown_value(value)}. Leave it"
        " out for the default."
    )
