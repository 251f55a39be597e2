"""A report as its sentences: where they stand, and which of them speak of one thing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from .cues import FURTHER, PRONOUNS
from .sentence import Sentence

_HEADING = re.compile(
    r"(?:^|(?<=[\n.;:!?\s]))"
    r"(?P<name>[A-Z][A-Z()/&,-]*(?:[ \t]+[A-Z()/&,-]+){0,7}"
    # Prepared texts have no capitals.
    r"|(?i:findings|impression|conclusions?|indications?|techniques?|comparisons?|history"
    r"|examination|exam|recommendations?|clinical (?:history|information)"
    r"|procedure|addendum|notification))"
    r"[ \t]*:"
)
_NOT_EDITED = re.compile(
    r"histor|indication|techni|compar|reason|exam|proced|notif|recommend|clinic|inform"
    r"|date|study|wet read|addend|attest|electron|sign|dictat|transcri|physician|doctor"
    r"|protocol|contrast|dose|code|request|diagnos|question|limit",
    re.IGNORECASE,
)
_ABBREVIATIONS = frozenset(
    (
        *("dr", "mr", "mrs", "ms", "prof", "st", "e.g", "i.e", "vs", "approx", "ca"),
        *("etc", "fig", "a.m", "p.m", "resp", "incl", "m.d", "ed", "al"),
    )
)
_END = re.compile(r"(?<![.!?;])[.!?;]+(?=\s|$)|\n[ \t]*\n\s*|\n[ \t]*(?=[-*•]\s)")
_LIST_MARK = re.compile(r"[\s.,;:)*•-]*(?:\(?\d{1,2}[.)](?=\s|$))?[\s.,;:)*•-]*")


@dataclass(frozen=True, repr=False)
class Document:
    """A report as its sentences that may be edited. Its repr shows no text."""

    text: str
    sentences: Sequence[Sentence]
    places: Sequence[tuple[int, int]]
    """Where each sentence starts and ends in the report, in characters."""
    findings_end: int
    """The number of the last sentence before the impression; -1 without sentences."""

    def __repr__(self) -> str:
        return f"<Document of {len(self.sentences)} sentences>"

    @cached_property
    def is_lower(self) -> bool:
        """Whether it has no capitals, as texts that were prepared for training."""
        return self.text == self.text.lower()

    @cached_property
    def is_upper(self) -> bool:
        return self.text == self.text.upper()

    @cached_property
    def full_stop(self) -> str:
        """Between two sentences: some prepared texts have a space in front of it."""
        return " ." if " ." in self.text and self.is_lower else "."

    @cached_property
    def word_set(self) -> frozenset[str]:
        """The words of all sentences, and the parts of those with hyphens."""
        sets = (sentence.word_set for sentence in self.sentences)
        return frozenset().union(*sets)

    @cached_property
    def about(self) -> Mapping[str, Sequence[int]]:
        """Group of findings -> the numbers of the sentences that name it."""
        numbers: dict[str, list[int]] = {}
        for number, sentence in enumerate(self.sentences):
            for group in sentence.groups:
                numbers.setdefault(group, []).append(number)
        return numbers

    @property
    def outside(self) -> str:
        """What stands around the sentences: headings, and sections that are not edited."""
        return self.changed(dict.fromkeys(range(len(self.sentences)), ""))

    @cached_property
    def with_devices(self) -> frozenset[int]:
        """The sentences that name a device, or a part of one."""
        return frozenset(
            number for number, sentence in enumerate(self.sentences) if sentence.devices
        )

    @cached_property
    def _going_on(self) -> frozenset[int]:
        """The sentences whose words go back to a finding of another sentence."""
        return frozenset(
            number
            for number, sentence in enumerate(self.sentences)
            if not FURTHER.isdisjoint(sentence.words)
        )

    def goes_on_after(self, number: int) -> bool:
        """Whether another sentence goes back to what this one says: the next one by a
        pronoun, or any one by a recommendation or by "otherwise".
        """
        following = self.sentences[number + 1 : number + 2]
        if any(
            sentence.words[:1] and sentence.words[0] in PRONOUNS
            for sentence in following
        ):
            return True
        return len(self._going_on) > (number in self._going_on)

    def followed_by(self, number: int, added: str) -> str:
        """The text of a sentence with another sentence after it."""
        return f"{self.sentences[number].text}{self.full_stop} {added}"

    def styled_like(self, number: int, sentence: str) -> str:
        """A rewritten sentence in the capitals of this report."""
        if self.sentences[number].text[:1].islower():
            sentence = sentence[:1].lower() + sentence[1:]
        return self.styled(sentence)

    def styled(self, sentence: str) -> str:
        """A sentence of ours in the capitals of this report."""
        if self.is_lower:
            return sentence.lower()
        return sentence.upper() if self.is_upper else sentence

    def changed(self, changes: Mapping[int, str]) -> str:
        """The whole report with other texts of some sentences, by their numbers."""
        parts: list[str] = []
        position = 0
        for number in sorted(changes):
            start, end = self.places[number]
            parts += [self.text[position:start], changes[number]]
            position = end
        return "".join([*parts, self.text[position:]])


def read_document(text: str, known: dict[str, Sentence] | None = None) -> Document:
    """The sentences of a report, of the sections that may be edited: those of findings and
    impression, and what stands under no heading. Linear in the length of the text.

    `known` keeps the sentences of several reports, so that each is looked at once.
    """
    known = {} if known is None else known
    is_lower = text == text.lower()
    places: list[tuple[int, int]] = []
    findings_end: int | None = None
    for start, end, name in _sections(text):
        if _NOT_EDITED.search(name) is not None:
            continue
        is_impression = name.lower().startswith(("impression", "conclusion"))
        if is_impression and findings_end is None and places:
            findings_end = len(places) - 1
        places += _places(text, start, end, is_lower)
    sentences: list[Sentence] = []
    for start, end in places:
        words = text[start:end]
        sentences.append(known.setdefault(words, Sentence(words)))
    last = len(places) - 1
    return Document(
        text, sentences, places, last if findings_end is None else findings_end
    )


def _sections(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, heading) of each section; the heading is no part of it."""
    start, name = 0, ""
    for match in _HEADING.finditer(text):
        yield start, match.start(), name
        # A heading within the findings ("HEART:") goes on with what the section is.
        start, name = match.end(), match["name"]
    yield start, len(text), name


def _places(
    text: str, start: int, end: int, is_lower: bool
) -> Iterator[tuple[int, int]]:
    """Where the sentences of a section stand."""
    first = start
    for match in _END.finditer(text, start, end):
        if _goes_on(text, first, match, is_lower):
            continue
        yield from _trimmed(text, first, match.start())
        first = match.end()
    yield from _trimmed(text, first, end)


def _goes_on(text: str, first: int, match: re.Match[str], is_lower: bool) -> bool:
    """Whether a full stop belongs to an abbreviation or a number in front of a word."""
    if match[0] != ".":
        return False
    before = text[max(first, match.start() - 8) : match.start()].split()
    last = before[-1].lower().lstrip("(") if before else ""
    if last in _ABBREVIATIONS:
        return True
    following = text[match.end() : match.end() + 80].lstrip()[:1]
    # Reports that are in lower case throughout say nothing by it.
    return following.islower() and not is_lower


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentence without spaces around it and without the number of a list."""
    mark = _LIST_MARK.match(text, start, end)
    if mark is not None:
        start = mark.end()
    content = text[start:end].rstrip()
    if content:
        yield start, start + len(content)
