"""Section headings lost, as where sections were cut out of reports."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import TextNoiseEntry
from ._words import HEADING, Span, replaced
from .report_noise import ReportNoise

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue

_HEADING = re.compile(HEADING.pattern + r"\s*")


@dataclass(frozen=True)
class Headings(ReportNoise):
    """Removes a share of the headings such as `FINDINGS:`; all of them at severity 1.

    A heading is capital letters up to a colon.
    """

    family: ClassVar[str] = "headings"

    def changed(self, text: str, severity: float, seed: int) -> str:
        # With the white space that follows it, so that nothing else is touched.
        headings = [Span(*match.span()) for match in _HEADING.finditer(text)]
        lost = set(self.chosen(text, severity, seed, len(headings)))
        return replaced(
            text,
            headings,
            lambda number, heading: "" if number in lost else heading,
        )


def register(catalogue: Catalogue[TextNoiseEntry]) -> None:
    """Add the noise."""
    summary = "section headings such as FINDINGS: lost"
    catalogue.add(TextNoiseEntry("headings", summary, {}, Headings))
