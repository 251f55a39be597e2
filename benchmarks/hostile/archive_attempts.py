"""What an attempt with an archive or a table is, and the pictures that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .image_files import encoded
from .toy import picture

PAIRS = 6
EITHER = "either"
REFUSED = "refused"
READ = "read"
Members = Sequence[tuple[str, bytes]]
Write = Callable[[Path], object]
"""Makes the file or folder at a path."""


@dataclass(frozen=True)
class Attempt:
    """A file or folder that `write` makes, read by a loader; `expected` says how it must end."""

    name: str
    loader: str
    file: str
    write: Write
    expected: str = REFUSED
    options: Mapping[str, Any] | None = None


def png_of(number: int) -> bytes:
    return encoded(picture(number), "PNG")


def write_images(folder: Path) -> None:
    """The pictures that tables name."""
    for number in range(PAIRS):
        (folder / f"{number}.png").write_bytes(png_of(number))


def writes(make: Callable[[], bytes]) -> Write:
    return lambda file: file.write_bytes(make())


def links_to(target: str) -> Write:
    return lambda file: file.symlink_to(target)
