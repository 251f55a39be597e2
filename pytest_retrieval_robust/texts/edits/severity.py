"""How severe or large a finding is, swapped for the opposite."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .document import Document
from .rewriting import Change
from .sentence import Sentence
from .word_swaps import WordAt, WordSwap, alternation, stands_before_finding

_OPPOSITES = {
    "small": "large",
    "large": "small",
    "tiny": "large",
    "trace": "large",
    "mild": "severe",
    "severe": "mild",
    "minimal": "severe",
    "moderate": "minimal",
    "mildly": "severely",
    "severely": "mildly",
    "minimally": "severely",
    "moderately": "minimally",
    "slight": "marked",
    "marked": "slight",
    "slightly": "markedly",
    "markedly": "slightly",
}
_WITHOUT_OPPOSITE = (
    *("extensive", "massive", "huge", "gross", "significant", "significantly"),
    *("moderate-sized", "small-moderate", "mild-to-moderate", "moderate-to-severe"),
    *("mild-moderate", "moderate-large", "subtle", "faint", "advanced", "prominent"),
    *("few", "scattered", "multiple", "numerous", "diffuse", "subsegmental", "bulky"),
)
"""They say how much, but have no opposite that keeps the rest of the sentence true."""
_STOPS = (
    "to",
    "sized",
    "and",
    "of",
    "in",
    "at",
    "with",
    "on",
    "or",
    "the",
    "is",
    "are",
)


def _describes_finding(sentence: Sentence, word: WordAt) -> bool:
    if sentence.text[word.end : word.end + 1] == "-":
        return False
    if sentence.text[: word.start].lower().rstrip().endswith((" to", "-", " and")):
        return False
    return stands_before_finding(sentence, word, 4, _STOPS)


_SEVERITIES = WordSwap(
    opposites=_OPPOSITES,
    pattern=re.compile(
        rf"(?<![\w-])({alternation((*_OPPOSITES, *_WITHOUT_OPPOSITE))})\b",
        re.IGNORECASE,
    ),
    triggers=frozenset((*_OPPOSITES, *_WITHOUT_OPPOSITE)),
    conflicts=("mm", "cm", "punctate", "linear", "bandlike", "platelike", "discoid"),
    is_fit=_describes_finding,
)


def severity_changes(document: Document) -> Iterator[Change]:
    """The severity of each finding whose every mention has the same or none."""
    return _SEVERITIES.changes(document)
