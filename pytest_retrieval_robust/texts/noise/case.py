"""`case`: words of a report in the other case."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import TextNoiseEntry
from .report_noise import ReportNoise

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class CaseNoise(ReportNoise):
    """A share of the words equal to the severity in capitals, or in small letters where
    the word has no small letter.

    >>> CaseNoise().apply(["Clear lungs. No PTX."], severity=1, seed=0)
    ['CLEAR LUNGS. NO ptx.']
    """

    family: ClassVar[str] = "case"

    def changed(self, text: str, severity: float, seed: int) -> str:
        words = list(_WORD.finditer(text))
        chosen = set(self.chosen(text, severity, seed, len(words)))
        numbers = iter(range(len(words)))

        def written(word: re.Match[str]) -> str:
            is_chosen = next(numbers) in chosen
            return _in_the_other_case(word.group()) if is_chosen else word.group()

        return _WORD.sub(written, text)


def _in_the_other_case(word: str) -> str:
    capitals = word.upper()
    return word.lower() if word == capitals else capitals


def register(catalogue: Catalogue[TextNoiseEntry]) -> None:
    """Add the noise."""
    catalogue.add(TextNoiseEntry("case", "words in the other case", {}, CaseNoise))
