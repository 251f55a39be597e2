"""How many millimetres or centimetres a finding measures: doubled, or halved if large."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .document import Document
from .rewriting import Change
from .sentence import Sentence
from .word_swaps import WordAt, WordSwap

_LARGE_MM = 50
"""From here on a size is halved: twice as much may be more than a lung holds."""
_MEASURE = re.compile(
    r"(?<![\w.,/-])(\d{1,3}(?:\.\d{1,2})?)(?=[ \t-]?(mm|cm|millimeters?|centimeters?)\b)",
    re.IGNORECASE,
)
_ANY_NUMBER_OF_UNITS = re.compile(
    r"\d[ \t-]?(?:mm|cm|millimeters?|centimeters?)\b", re.I
)
_UNIT_LETTERS = re.compile(r"\d[ \t-]?[mcMC]")
_CONFLICTS = (
    *("x", "by", "to", "less", "greater", "more", "up", "about", "above", "below"),
    *("from", "away", "between", "distance", "previously", "prior", "previous"),
    *("compared", "was", "were", "now", "than", "subcentimeter", "every", "level"),
)
_MEASURED = (
    *("nodule", "mass", "granuloma", "opacity", "pneumothorax", "effusion"),
    "consolidation",
)


def resized(number: str, unit: str) -> str:
    """Twice the number, or half of it if it is large; twice has as many decimals.

    >>> resized("1.5", "cm"), resized("7.5", "cm")
    ('3.0', '3.75')
    """
    value = float(number)
    is_large = value * (10 if unit.lower().startswith("c") else 1) > _LARGE_MM
    if is_large:
        return f"{value / 2:.4g}"
    decimals = len(number.partition(".")[2])
    return f"{value * 2:.{decimals}f}"


class _Sizes(WordSwap):
    """Sizes as words whose opposite is computed."""

    def may_be_in(self, document: Document) -> bool:
        return _UNIT_LETTERS.search(document.text) is not None

    def words_in(self, sentence: Sentence) -> list[WordAt]:
        if _UNIT_LETTERS.search(sentence.text) is None:
            return []
        count = len(_ANY_NUMBER_OF_UNITS.findall(sentence.text))
        words = []
        for match in self.pattern.finditer(sentence.text):
            instead = resized(match[1], match[2]) if float(match[1]) else ""
            size = f"{match[1]} {match[2].lower()}"
            words.append(WordAt(size, instead, *match.span(1)))
        # A size that is written in another way counts, so that it is left alone.
        unread = [WordAt("", "", 0, 0)] * max(0, count - len(words))
        return words + unread

    def is_elsewhere(
        self, document: Document, changed: Mapping[int, str], word: str
    ) -> bool:
        """Whether another sentence has the same size, or a size of it does not say what:
        "This measures 8 mm".
        """
        for number, sentence in enumerate(document.sentences):
            words = [] if number in changed else self.words_in(sentence)
            says_of_what = sentence.mentions or sentence.devices
            if any(other.word == word or not says_of_what for other in words):
                return True
        return False


def _is_of_finding(sentence: Sentence, word: WordAt) -> bool:
    del word
    return sentence.mentions[0].concept in _MEASURED


_SIZES = _Sizes(
    opposites={},
    pattern=_MEASURE,
    triggers=frozenset(),
    conflicts=_CONFLICTS,
    is_fit=_is_of_finding,
)


def size_changes(document: Document) -> Iterator[Change]:
    """The size of each finding that is measured once, or in the same words each time."""
    return _SIZES.changes(document)
