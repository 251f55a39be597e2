"""Kinds that put one word in place of another, wherever the report speaks of the finding."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from .document import Document
from .rewriting import Change, replaced
from .sentence import Sentence


@dataclass(frozen=True, repr=False)
class WordAt:
    """A word of a sentence, and what takes its place."""

    word: str
    """In lower case."""
    instead: str
    start: int
    end: int

    def __repr__(self) -> str:
        return f"<WordAt {self.start}>"


@dataclass(frozen=True)
class WordSwap:
    """A kind of edits that replaces one word of a sentence by its opposite."""

    opposites: Mapping[str, str]
    """Word -> its opposite, in lower case."""
    pattern: re.Pattern[str]
    """Finds the words, each as its group 1."""
    triggers: frozenset[str]
    """A sentence without any of these words has none for the pattern."""
    conflicts: Collection[str]
    """A sentence with one of these words is left alone."""
    is_fit: Callable[[Sentence, WordAt], bool]
    """Whether the word says what this kind takes it to say."""
    action: str = "changed"
    same_place: frozenset[str] = frozenset()
    """Groups of findings that may be one shadow, if they are said to be in one place."""

    def may_be_in(self, document: Document) -> bool:
        """Whether the report has a word of this kind at all."""
        return not self.triggers.isdisjoint(document.word_set)

    def words_in(self, sentence: Sentence) -> list[WordAt]:
        """The words of this kind that a sentence has, whatever it says."""
        if self.triggers.isdisjoint(sentence.word_set):
            return []
        words = []
        for match in self.pattern.finditer(sentence.text):
            word = match[1].lower()
            place = match.span(1)
            words.append(WordAt(word, self.opposites.get(word, ""), *place))
        return words

    def swap_in(self, sentence: Sentence) -> WordAt | None:
        """The word to replace: None unless the sentence asserts one finding, and has one
        word of this kind that has an opposite.
        """
        words = self.words_in(sentence)
        if len(words) != 1 or not words[0].instead or sentence.devices:
            return None
        if not sentence.is_asserted or len(sentence.concepts) != 1:
            return None
        if sentence.has(*self.conflicts) or not self.is_fit(sentence, words[0]):
            return None
        return words[0]

    def changes(self, document: Document) -> Iterator[Change]:
        """One change per group of findings that can be changed in all its sentences."""
        if not self.may_be_in(document):
            return
        done: set[str] = set()
        for sentence in document.sentences:
            word = self.swap_in(sentence)
            if word is None:
                continue
            group = sentence.mentions[0].group
            if group in done:
                continue
            done.add(group)
            change = self._change_of(document, group, sentence, word)
            if change is not None:
                yield change

    def _change_of(
        self, document: Document, group: str, first: Sentence, word: WordAt
    ) -> Change | None:
        sentences: dict[int, str] = {}
        for number in document.about[group]:
            sentence = document.sentences[number]
            denies_it = sentence.is_denied and first.concepts & sentence.concepts
            if denies_it:
                return None
            if not self.words_in(sentence):
                continue
            swap = self.swap_in(sentence)
            # Two findings of the group, or one in doubt, or in words that are not read.
            if swap is None or swap.word != word.word:
                return None
            sentences[number] = replaced(
                sentence.text, swap.start, swap.end, swap.instead
            )
        if self.is_elsewhere(document, sentences, word.word):
            return None
        return Change(self.action, sentences)

    def is_elsewhere(
        self, document: Document, changed: Mapping[int, str], word: str
    ) -> bool:
        """Whether an unchanged sentence has the word for a finding that may be the same."""
        return any(
            number not in changed
            and not self.same_place.isdisjoint(sentence.groups)
            and any(other.word == word for other in self.words_in(sentence))
            for number, sentence in enumerate(document.sentences)
        )


def alternation(words: Collection[str]) -> str:
    """A pattern for one of `words`, the longest first."""
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


def stands_before_finding(
    sentence: Sentence, word: WordAt, most: int, stops: Collection[str]
) -> bool:
    """Whether at most `most` words, none of `stops`, are between the word and the finding
    that it describes.
    """
    start = sentence.mentions[0].start
    if start < word.end:
        return False
    between = sentence.text[word.end : start].lower()
    has_mark = any(mark in between for mark in ",:;()")
    tokens = between.replace("-", " ").split()
    return not has_mark and len(tokens) <= most and not set(tokens) & set(stops)
