"""One sentence of a report: what it names, and whether it asserts, denies or doubts it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from .cues import DENIALS, DOUBTS
from .denied_lists import DeniedList, read_denied_list
from .devices import DeviceMention, devices_in
from .phrases import Word, words_of
from .vocabulary import Mention, mentions_in

_WITHIN_NORMAL = re.compile(
    r"\bwithin (?:normal|the normal|upper|limits)", re.IGNORECASE
)
_SLASH = re.compile(r"[A-Za-z]/[A-Za-z]")


@dataclass(frozen=True, repr=False)
class Sentence:
    """One sentence of a section that may be edited, without the mark that ends it.

    Reports share the sentences that they have in common. Its repr shows no text.
    """

    text: str

    def __repr__(self) -> str:
        return f"<Sentence of {len(self.text)} characters>"

    @cached_property
    def placed_words(self) -> tuple[Word, ...]:
        return words_of(self.text)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Words and marks, in lower case."""
        return tuple(word.text for word in self.placed_words)

    @cached_property
    def word_set(self) -> frozenset[str]:
        """The words, and the parts of those with hyphens."""
        if "-" not in self.text:
            return frozenset(self.words)
        parts = (part for word in self.words for part in word.split("-"))
        return frozenset((*self.words, *parts))

    @cached_property
    def mentions(self) -> tuple[Mention, ...]:
        return tuple(mentions_in(self.placed_words))

    @cached_property
    def concepts(self) -> frozenset[str]:
        return frozenset(mention.concept for mention in self.mentions)

    @cached_property
    def groups(self) -> frozenset[str]:
        return frozenset(mention.group for mention in self.mentions)

    @cached_property
    def devices(self) -> tuple[DeviceMention, ...]:
        return tuple(devices_in(self.placed_words))

    @cached_property
    def denied_list(self) -> DeniedList | None:
        """The list of findings that it denies, and nothing else but words around it."""
        return read_denied_list(self.text)

    @cached_property
    def is_denied(self) -> bool:
        """Whether any word of it denies, of whatever."""
        found = DENIALS.intersection(self.words)
        if found == {"within"}:
            return _WITHIN_NORMAL.search(self.text) is not None
        return bool(found)

    @cached_property
    def is_doubtful(self) -> bool:
        """Whether any word of it leaves something open."""
        has_doubt = not DOUBTS.isdisjoint(self.words) or "?" in self.words
        return has_doubt or _SLASH.search(self.text) is not None

    @cached_property
    def is_plainly_denied(self) -> bool:
        """Whether it denies, and leaves nothing open but by the "or" of a list."""
        has_doubt = bool(DOUBTS.intersection(self.words) - {"or"})
        return self.is_denied and not has_doubt and _SLASH.search(self.text) is None

    @property
    def is_asserted(self) -> bool:
        """Whether all of it is said without denial and without doubt."""
        return not self.is_denied and not self.is_doubtful

    def has(self, *words: str) -> bool:
        """Whether one of `words` (lower case) is a word of it."""
        return not set(words).isdisjoint(self.words)
