"""Small rewritings of English: articles, capitals, one word in place of another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ARTICLE_BEFORE = re.compile(r"\b(an?)([ \t\n]+)$", re.IGNORECASE)


@dataclass(frozen=True, repr=False)
class Change:
    """One edit as what becomes of some sentences. Its repr shows no text."""

    action: str
    """As that of `ReportEdit`."""
    sentences: Mapping[int, str]
    """Number of the sentence -> what it reads now."""

    def __repr__(self) -> str:
        return f"<Change {self.action} of {len(self.sentences)} sentences>"


def article(words: str) -> str:
    """The article in front of `words`, by the sound that they begin with.

    >>> article("effusion"), article("pleural effusion"), article("8"), article("16")
    ('an', 'a', 'an', 'a')
    """
    first = words.split(maxsplit=1)[0] if words.strip() else ""
    has_vowel = first[:1].lower() in (*"aeiou", "8") or first in ("11", "18")
    return "an" if has_vowel else "a"


def like(word: str, model: str) -> str:
    """`word` in the capitals of `model`.

    >>> like("right", "Left"), like("right", "LEFT")
    ('Right', 'RIGHT')
    """
    if len(model) > 1 and model.isupper():
        return word.upper()
    return capitalised(word) if model[:1].isupper() else word


def capitalised(words: str) -> str:
    """`words` with a capital in front, and the rest as it is."""
    return words[:1].upper() + words[1:]


def uncapitalised(words: str) -> str:
    """`words` without a capital in front, unless the first word has more capitals."""
    first = words.split(maxsplit=1)[:1]
    if first and sum(letter.isupper() for letter in first[0]) > 1:
        return words
    return words[:1].lower() + words[1:]


def replaced(text: str, start: int, end: int, word: str) -> str:
    """`text` with `word` in place of what stands at `start`; the article before it and
    the capitals follow.
    """
    word = like(word, text[start:end])
    before = text[:start]
    match = _ARTICLE_BEFORE.search(before[-8:])
    if match is not None:
        kept = before[: len(before) - len(match[0])]
        before = kept + like(article(word), match[1]) + match[2]
    return before + word + text[end:]
