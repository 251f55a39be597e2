"""What a process wrote to its standard error: its end is kept, and what may be shown of it.

Before the process has been given anything it can quote no report, so its last lines are
shown, with whole paths cut to their last part. Later only what cannot be a text of the
data is: the files and lines of a traceback of Python, and the class of its error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ....core.foreign import SHOW_VARIABLE, shows_texts

_KEPT = 2**16
"""Bytes that are kept."""
_SHOWN = 6
"""Lines that are shown."""
_LONGEST = 300
"""Characters of a line that are shown."""
_MOST_FRAMES = 3
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:/[^\s'\":,;()]*)+/([^\s/'\":,;()]+)")
_QUOTED_PATH = re.compile(
    r"""(?P<sign>['"])(?:(?!(?P=sign)).)*/(?P<last>[^/'"]*)(?P=sign)"""
)
"""Which may hold spaces."""
_FRAME = re.compile(r'^\s*File "([^"]+)", line (\d+), in (\S+)\s*$')
_ERROR = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit))\b(?::|$)")
_MODULE = re.compile(r"^ModuleNotFoundError: No module named '[\w.]+'")
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class LastWords:
    """The end of what a process wrote."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def add(self, written: bytes) -> None:
        self._kept += written
        del self._kept[:-_KEPT]

    def shown(self, *, was_given_data: bool) -> str:
        """What may be shown of it, as a sentence; empty if there is nothing."""
        text = self._kept.decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip(" \t^~")]
        if not lines:
            return ""
        if shows_texts():
            return _quoted(lines)
        if was_given_data:
            return _place_in(lines)
        return _quoted([_without_folders(line) for line in lines])


def _quoted(lines: Sequence[str]) -> str:
    clean = [_CONTROL.sub("", line)[:_LONGEST] for line in lines[-_SHOWN:]]
    return f"It wrote: {' | '.join(clean)}."


def _without_folders(line: str) -> str:
    """A line whose paths are cut to their last part: folders may tell of people."""
    line = _QUOTED_PATH.sub(r"\g<sign>\g<last>\g<sign>", line)
    return _PATH.sub(r"\1", line)


def _place_in(lines: Sequence[str]) -> str:
    """The class of the last error and its frames, as far as the lines have them."""
    frames: list[str] = []
    error = ""
    for line in lines:
        frame = _FRAME.match(line)
        found = _ERROR.match(line)
        if frame is not None:
            name = re.split(r"[/\\]", frame[1])[-1]
            frames.append(f"{name}:{frame[2]} in {frame[3]}")
        elif _MODULE.match(line):
            error = line.strip()
        elif found is not None:
            error = found[1]
    withheld = (
        "what it wrote to standard error is withheld, because it may quote a report:"
        f" {SHOW_VARIABLE}=1 shows it"
    )
    if not error:
        return f"({withheld[0].upper()}{withheld[1:]}.)"
    where = ", from ".join(frames[-_MOST_FRAMES:][::-1])
    at = f" at {where}" if where else ""
    return f"It wrote of {error}{at} ({withheld})."
