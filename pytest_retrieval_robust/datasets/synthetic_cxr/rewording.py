"""The new phrases of a study's edits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from .composition import Phrase
from .device_phrases import Wordings
from .facts import DENIED_ALONE, Fact
from .normal_phrases import NEGATIVES
from .phrases import wordings
from .streams import uniforms
from .studies import POSITION, SLOTS, Study

_UNITS = 4
_ORDER, _SENTENCE, _LABEL, _DENIAL = range(_UNITS)
"""What each of a slot's units decides."""
Item = TypeVar("Item")


def denied_by(phrase: Phrase) -> list[tuple[str, ...]]:
    """The slots of each finding that a phrase denies with a "no". Empty where it denies
    anything that cannot be denied alone.
    """
    if not _is_negated(phrase.text):
        return []
    findings = [slots for slots in DENIED_ALONE if {*slots} <= {*phrase.denied}]
    alone = {slot for slots in findings for slot in slots}
    return findings if alone == {*phrase.denied} else []


class Rewording:
    """Which wording a new phrase of a study has: it follows from the study and the slot,
    unless there is an old phrase whose choice is kept.
    """

    def __init__(self, study: Study) -> None:
        count = len(SLOTS)
        drawn = uniforms("edits", study.seed, study.index, _UNITS * count + 1)
        self._units = drawn[:-1].reshape(count, _UNITS).tolist()
        self._remark_unit = float(drawn[-1])

    def sentence(self, fact: Fact, choice: int | None = None) -> Phrase:
        """A sentence that states a fact."""
        words = wordings(fact.slot, fact.state, fact.size)[0]
        return self._phrase(fact, words, choice, _SENTENCE)

    def label(
        self, fact: Fact, choice: int | None = None, may_have_comma: bool = True
    ) -> Phrase:
        """A label of an impression; one in a sentence with another has no comma."""
        words = wordings(fact.slot, fact.state, fact.size)[1]
        phrase = self._phrase(fact, words, choice, _LABEL)
        if may_have_comma or "," not in phrase.text:
            return phrase
        number, text = next(each for each in enumerate(words) if "," not in each[1])
        return Phrase(text, fact.slot, number)

    def denial(self, slots: tuple[str, ...]) -> Phrase:
        """A sentence with a "no" that denies one of `DENIED_ALONE`."""
        negated = _denials(slots)
        choice = self._drawn(slots[0], _DENIAL, len(negated))
        return Phrase(negated[choice], denied=slots)

    def denial_like(self, slots: tuple[str, ...], old: Phrase) -> Phrase:
        """The same in as many words as possible of an old sentence that denied it."""
        old_words = {*old.text.split()}

        def likeness(text: str) -> tuple[float, int]:
            words = text.split()
            kept = sum(word in old_words for word in words)
            return kept / len(words), kept

        return Phrase(max(_denials(slots), key=likeness), denied=slots)

    def remark(self, choices: Wordings) -> Phrase:
        """One of these remarks of an impression."""
        return Phrase(choices[int(self._remark_unit * len(choices))])

    def in_order(self, items: Sequence[Item], slot: str) -> list[Item]:
        """The items from a drawn one on, and those before it after the last."""
        if not items:
            return []
        first = self._drawn(slot, _ORDER, len(items))
        return [*items[first:], *items[:first]]

    def _phrase(
        self, fact: Fact, words: Wordings, choice: int | None, unit: int
    ) -> Phrase:
        if choice is None:
            choice = self._drawn(fact.slot, unit, len(words))
        # Not every state has as many wordings.
        choice %= len(words)
        return Phrase(words[choice], fact.slot, choice)

    def _drawn(self, slot: str, unit: int, count: int) -> int:
        return int(self._units[POSITION[slot]][unit] * count)


def _denials(slots: tuple[str, ...]) -> list[str]:
    words = next(choices for denied, choices in NEGATIVES if denied == slots)
    return [text for text in words if _is_negated(text)]


def _is_negated(text: str) -> bool:
    return re.search(r"\bno\b", text) is not None
