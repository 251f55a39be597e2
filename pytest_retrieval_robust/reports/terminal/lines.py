"""Lines of text in pieces of one colour: what the terminal's summary is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TypeAlias

_WIDTH = 80
_LONGEST_LIST = 20
"""Sentences under one title. A run with a thousand failures would scroll all else away."""


@dataclass(frozen=True)
class Span:
    """A piece of a line, with its colour ("" for none)."""

    text: str
    colour: str = ""


Line: TypeAlias = list[Span]


def wrapped(text: str, indent: str = "  ") -> list[str]:
    """The lines of a text, those after the first indented."""
    # Names and options are copied from here: they are never broken.
    return wrap(
        text,
        _WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def sentence_lines(
    title: str, sentences: Sequence[str], colour: str = ""
) -> Iterator[Line]:
    """Each sentence once, wrapped, after a coloured title; the first of them if they are many."""
    distinct = list(dict.fromkeys(sentences))
    for sentence in distinct[:_LONGEST_LIST]:
        first, *rest = wrapped(f"{title} {sentence}")
        yield [Span(title, colour), Span(first.removeprefix(title))]
        for line in rest:
            yield [Span(line)]
    left_out = len(distinct) - _LONGEST_LIST
    if left_out > 0:
        yield [Span(title, colour), Span(f" ... and {left_out} more (see run.json)")]
