"""Words blacked out by de-identification, as `___` in MIMIC-CXR."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import TextNoiseEntry
from ._words import Span, replaced, word_spans
from .report_noise import ReportNoise, check_share

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue

MASK = "___"
_NUMBER = re.compile(r"\d")
_CORE = re.compile(r"[A-Za-z0-9].*[A-Za-z0-9]|[A-Za-z0-9]", re.DOTALL)
"""A word without the punctuation around it."""


@dataclass(frozen=True)
class Deidentification(ReportNoise):
    """Replaces words by `___`: first those with a digit (dates, ages, sizes), then others.

    MIMIC-CXR writes three underscores for whatever was removed as protected health
    information (Johnson et al., Scientific Data 2019).

    Args:
        share: The share of a report's words that is lost at severity 1, in (0, 1].
    """

    family: ClassVar[str] = "deidentification"
    share: float = 0.3

    def __post_init__(self) -> None:
        check_share("share", self.share)

    def changed(self, text: str, severity: float, seed: int) -> str:
        words = [word for word in word_spans(text) if _CORE.search(word.of(text))]
        draws = self.words(text, seed, len(words))
        # What is most often taken for an identifier goes first.
        turn = sorted(
            range(len(words)),
            key=lambda number: (not _has_digit(text, words[number]), draws[number]),
        )
        lost = set(turn[: round(severity * self.share * len(words))])
        return replaced(
            text,
            words,
            lambda number, word: (
                _CORE.sub(MASK, word, count=1) if number in lost else word
            ),
        )


def _has_digit(text: str, word: Span) -> bool:
    return _NUMBER.search(word.of(text)) is not None


def register(catalogue: Catalogue[TextNoiseEntry]) -> None:
    """Add the noise."""
    summary = "words replaced by ___, those with digits first"
    catalogue.add(
        TextNoiseEntry("deidentification", summary, {"share": float}, Deidentification)
    )
