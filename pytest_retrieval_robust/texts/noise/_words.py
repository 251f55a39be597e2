"""The words of a report, and what of it a noise may touch."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

WORD = re.compile(r"\S+")
HEADING = re.compile(r"(?<![^\s])[A-Z][A-Z ()/&-]{2,40}:")
"""A section heading: capital letters up to a colon, `FINDINGS:`."""
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9_])")
_TITLES = (
    "dr.",
    "mr.",
    "mrs.",
    "ms.",
    "prof.",
    "vs.",
    "no.",
    "e.g.",
    "i.e.",
    "approx.",
)
"""Words after whose full stop a sentence goes on."""


@dataclass(frozen=True)
class Span:
    """A part of a text that a noise may change."""

    start: int
    stop: int

    def of(self, text: str) -> str:
        return text[self.start : self.stop]


def word_spans(text: str) -> list[Span]:
    """The words of a text, without its section headings."""
    headings = [match.span() for match in HEADING.finditer(text)]
    spans = [Span(*match.span()) for match in WORD.finditer(text)]
    return [span for span in spans if not _within(span, headings)]


def _within(span: Span, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(start <= span.start < stop for start, stop in ranges)


def replaced(
    text: str, spans: Sequence[Span], change: Callable[[int, str], str]
) -> str:
    """The text with each span changed: `change(number, part)` gives what stands there.

    Spans are in order and do not overlap; the number is that of the span.
    """
    parts: list[str] = []
    end = 0
    for number, span in enumerate(spans):
        parts += [text[end : span.start], change(number, span.of(text))]
        end = span.stop
    parts.append(text[end:])
    return "".join(parts)


def sections(text: str) -> list[str]:
    """The text cut before each section heading, and after it: joined they are the text."""
    cuts = [0]
    for match in HEADING.finditer(text):
        cuts += match.span()
    cuts.append(len(text))
    return [text[start:stop] for start, stop in pairwise(cuts)]


def sentences(text: str) -> list[str]:
    """The sentences of a text without headings, each without the space around it."""
    parts: list[str] = []
    for part in SENTENCE_END.split(text.strip()):
        is_continued = parts and parts[-1].rpartition(" ")[2].lower() in _TITLES
        if is_continued:
            parts[-1] = f"{parts[-1]} {part}"
        else:
            parts.append(part)
    return [part for part in parts if part]
