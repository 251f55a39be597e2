"""Errors of text recognition and of speech recognition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...core.errors import CorruptionError
from . import TextNoiseEntry
from ._words import replaced, word_spans
from .report_noise import ReportNoise, check_share

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue

OF_SCANS: Mapping[str, str] = {
    "rn": "m",
    "cl": "d",
    "vv": "w",
    "ri": "n",
    "ti": "h",
    "fi": "h",
    "m": "rn",
    "d": "cl",
    "w": "vv",
    "l": "1",
    "i": "l",
    "o": "0",
    "e": "c",
    "c": "e",
    "s": "5",
    "g": "q",
    "b": "6",
    "B": "8",
    "S": "5",
    "O": "0",
    "I": "l",
    "1": "l",
    "0": "O",
    "5": "S",
}
"""Shapes that recognition of scanned pages confuses."""
OF_SPEECH: Mapping[str, str] = {
    "there": "their",
    "to": "too",
    "for": "four",
    "pleural": "plural",
    "hilar": "higher",
    "hila": "highly",
    "effusion": "a fusion",
    "effusions": "a fusions",
    "opacity": "a pasty",
    "lobe": "low",
    "apical": "a pickle",
    "chest": "chess",
    "heart": "hard",
    "bases": "basis",
    "base": "bays",
    "sternal": "external",
    "aorta": "a order",
    "aortic": "a optic",
    "vascular": "vesicular",
    "tube": "two",
    "line": "lying",
    "lung": "long",
    "lungs": "longs",
    "seen": "scene",
    "size": "sighs",
    "pulmonary": "pull monary",
    "congestion": "can gestion",
    "oedema": "a demon",
    "edema": "a demon",
    "silhouette": "silver wet",
    "thoracic": "the racic",
    "diaphragm": "dye a fram",
}
"""Words that speech recognition hears as others. None of them denies or names a side."""
_LETTERS = re.compile(r"[A-Za-z]+")
_KINDS = ("scan", "speech")


@dataclass(frozen=True)
class Recognition(ReportNoise):
    """Recognition errors in a growing share of the words that can be taken for others.

    Args:
        of: `scan` (shapes of a printed page: `rn` for `m`, `1` for `l`) or `speech`
            (words that sound alike).
        share: The share of those words that has an error at severity 1, in (0, 1].
    """

    family: ClassVar[str] = "recognition"
    of: str = "scan"
    share: float = 0.3

    def __post_init__(self) -> None:
        check_share("share", self.share)
        if self.of not in _KINDS:
            raise CorruptionError(
                f"Expected of out of 'scan', 'speech', got of={self.of!r}. Choose one."
            )

    def changed(self, text: str, severity: float, seed: int) -> str:
        misread = _misheard if self.of == "speech" else _misseen
        words = [
            word
            for word in word_spans(text)
            if misread(word.of(text), 0) != word.of(text)
        ]
        wrong = set(self.chosen(text, severity * self.share, seed, len(words)))
        places = self.words(text, seed, len(words), "at")
        return replaced(
            text,
            words,
            lambda number, word: (
                misread(word, places[number]) if number in wrong else word
            ),
        )


def _misseen(word: str, place: int) -> str:
    """The word with one shape taken for another; a word without such shapes stays."""
    places = [
        (start, shape)
        for shape in OF_SCANS
        for start in range(len(word))
        if word.startswith(shape, start)
    ]
    if not places:
        return word
    start, shape = sorted(places)[place % len(places)]
    return word[:start] + OF_SCANS[shape] + word[start + len(shape) :]


def _misheard(word: str, _: int) -> str:
    """The word as another that sounds like it; a word that the table lacks stays."""
    match = _LETTERS.search(word)
    heard = OF_SPEECH.get(match.group().lower()) if match else None
    if match is None or heard is None:
        return word
    if match.group()[0].isupper():
        heard = heard[0].upper() + heard[1:]
    return word[: match.start()] + heard + word[match.end() :]


def register(catalogue: Catalogue[TextNoiseEntry]) -> None:
    """Add the noise."""
    summary = "errors of recognising scanned pages or speech"
    parameters = {"of": str, "share": float}
    catalogue.add(TextNoiseEntry("recognition", summary, parameters, Recognition))
