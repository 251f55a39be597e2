"""Punctuation lost, as in dictated and in exported reports."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import TextNoiseEntry
from ._words import Span, replaced
from .report_noise import ReportNoise

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue

# A point or comma within a number belongs to it: 1.5 cm is not 15 cm.
_MARKS = re.compile(r"[;:!?()\"]|[.,](?!\d)")


@dataclass(frozen=True)
class Punctuation(ReportNoise):
    """Removes a share of the punctuation marks: the severity. Numbers keep theirs."""

    family: ClassVar[str] = "punctuation"

    def changed(self, text: str, severity: float, seed: int) -> str:
        marks = [Span(*match.span()) for match in _MARKS.finditer(text)]
        lost = set(self.chosen(text, severity, seed, len(marks)))
        # A space stays where two words would become one.
        return replaced(
            text,
            marks,
            lambda number, mark: _gap(text, marks[number]) if number in lost else mark,
        )


def _gap(text: str, mark: Span) -> str:
    before = text[mark.start - 1 : mark.start]
    after = text[mark.stop : mark.stop + 1]
    return " " if before.isalnum() and after.isalnum() else ""


def register(catalogue: Catalogue[TextNoiseEntry]) -> None:
    """Add the noise."""
    summary = "full stops, commas and colons lost, but not those of numbers"
    catalogue.add(TextNoiseEntry("punctuation", summary, {}, Punctuation))
