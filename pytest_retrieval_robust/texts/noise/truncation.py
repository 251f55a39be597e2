"""The end of a report cut off, as by a short context or a field of a data base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...core.errors import CorruptionError
from . import TextNoiseEntry
from ._words import WORD
from .report_noise import ReportNoise

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue


@dataclass(frozen=True)
class Truncation(ReportNoise):
    """Keeps the first words of a report: `tokens` of them at severity 1.

    Between severity 0 and 1 the number of words that are lost rises linearly. A report of
    no more than `tokens` words stays whole. Words are what white space separates: the
    tokens of a model are shorter, and differ between models.

    Args:
        tokens: From 1.
    """

    family: ClassVar[str] = "truncation"
    tokens: int = 8

    def __post_init__(self) -> None:
        is_int = isinstance(self.tokens, int) and not isinstance(self.tokens, bool)
        if not is_int or self.tokens < 1:
            raise CorruptionError(
                f"Expected tokens of at least 1, got tokens={self.tokens!r}. A report"
                " must keep a word."
            )

    def changed(self, text: str, severity: float, seed: int) -> str:  # noqa: ARG002
        ends = [match.end() for match in WORD.finditer(text)]
        lost = round(severity * max(len(ends) - self.tokens, 0))
        return text[: ends[len(ends) - lost - 1]] if lost else text


def register(catalogue: Catalogue[TextNoiseEntry]) -> None:
    """Add the noise."""
    summary = "the end cut off; severity 1 keeps the first `tokens` words"
    catalogue.add(TextNoiseEntry("truncation", summary, {"tokens": int}, Truncation))
