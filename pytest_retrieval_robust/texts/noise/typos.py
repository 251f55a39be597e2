"""Typing errors: a letter left out, doubled, swapped with the next, or a key beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import TextNoiseEntry
from ._words import Span, replaced
from .report_noise import ReportNoise, check_share

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue

_WORD = re.compile(r"[A-Za-z]{4,}")
"""Shorter words stay: a letter of `no` would change what is said."""
_NOT_TOUCHED = frozenset({"left", "right", "without"})
"""Words that one wrong letter could turn into another statement."""
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


@dataclass(frozen=True)
class Typos(ReportNoise):
    """One typing error in each of a growing share of the words of four letters and more.

    The four errors (a letter left out, doubled, swapped with the next one, or replaced
    by a key beside it on a QWERTY keyboard) are equally frequent. The first letter stays,
    and so do section headings, `left`, `right` and `without`.

    Args:
        share: The share of those words that has an error at severity 1, in (0, 1].
    """

    family: ClassVar[str] = "typos"
    share: float = 0.3

    def __post_init__(self) -> None:
        check_share("share", self.share)

    def changed(self, text: str, severity: float, seed: int) -> str:
        words = [
            Span(*match.span())
            for match in _WORD.finditer(text)
            if not _is_kept(match.group())
        ]
        wrong = set(self.chosen(text, severity * self.share, seed, len(words)))
        places = self.words(text, seed, len(words), "place")
        kinds = self.words(text, seed, len(words), "kind")

        def with_error(number: int, word: str) -> str:
            if number not in wrong:
                return word
            return misspelt(word, places[number], kinds[number])

        return replaced(text, words, with_error)


def _is_kept(word: str) -> bool:
    # Words in capitals are headings and abbreviations.
    return word.isupper() or word.lower() in _NOT_TOUCHED


def misspelt(word: str, place: int, kind: int) -> str:
    """The word with one error; the random words `place` and `kind` choose it."""
    at = 1 + place % (len(word) - 2)
    before, letter, after = word[:at], word[at], word[at + 1 :]
    swapped = after[:1] + letter + after[1:]
    beside = _beside(letter, place) + after
    ends = (after, letter + letter + after, swapped, beside)
    end = ends[kind % len(ends)]
    # Two equal letters that are swapped are no error.
    return before + (after if end == letter + after else end)


def _beside(letter: str, place: int) -> str:
    """A key beside a letter's, in its case."""
    for row in _ROWS:
        column = row.find(letter.lower())
        if column >= 0:
            beside = row[max(column - 1, 0) : column] + row[column + 1 : column + 2]
            key = beside[place // 64 % len(beside)]
            return key.upper() if letter.isupper() else key
    return letter


def register(catalogue: Catalogue[TextNoiseEntry]) -> None:
    """Add the noise."""
    summary = "typing errors in words of four letters and more"
    catalogue.add(TextNoiseEntry("typos", summary, {"share": float}, Typos))
