"""Lines of text in pieces of one colour: what the terminal's summary is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Span:
    """A piece of a line, with its colour ("" for none)."""

    text: str
    colour: str = ""


Line: TypeAlias = list[Span]
