"""Sentences in another order, as another reader would have dictated them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import TextNoiseEntry
from ._words import sections, sentences
from .report_noise import ReportNoise

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue


@dataclass(frozen=True)
class SentenceOrder(ReportNoise):
    """Shuffles a share of the sentences, each within its own section: the severity.

    A sentence that is loose at one severity is loose at every higher one. Loose
    sentences change places among themselves; all others stay where they are.
    """

    family: ClassVar[str] = "sentence-order"

    def changed(self, text: str, severity: float, seed: int) -> str:
        parts = sections(text)
        # A heading counts as a section of one sentence, which has no other place.
        count = sum(len(sentences(part)) for part in parts)
        loose = set(self.chosen(text, severity, seed, count))
        # Other words than those that `chosen` sorts by.
        keys = self.words(text, seed, 2 * count)[count:]
        shuffled: list[str] = []
        first = 0
        for part in parts:
            numbers = range(first, first + len(sentences(part)))
            own_loose = [number - first for number in numbers if number in loose]
            own_keys = [keys[number] for number in numbers]
            shuffled.append(_shuffled(part, own_loose, own_keys))
            first = numbers.stop
        return "".join(shuffled)


def _shuffled(part: str, loose: Sequence[int], keys: Sequence[int]) -> str:
    """A section with its loose sentences in the order of their keys."""
    order = sorted(loose, key=lambda number: keys[number])
    if order == list(loose):
        return part
    own = sentences(part)
    result = list(own)
    for place, number in zip(loose, order, strict=True):
        result[place] = own[number]
    before = part[: len(part) - len(part.lstrip())]
    after = part[len(part.rstrip()) :]
    return f"{before}{' '.join(result)}{after}"


def register(catalogue: Catalogue[TextNoiseEntry]) -> None:
    """Add the noise."""
    summary = "sentences in another order within their sections"
    catalogue.add(TextNoiseEntry("sentence-order", summary, {}, SentenceOrder))
