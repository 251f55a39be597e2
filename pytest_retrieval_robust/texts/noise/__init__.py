"""Noise of reports, which changes how a report is written: the protocol and what a
catalogue entry is.

One file of this folder is one entry: it defines `register(catalogue)`. Their base is in
`report_noise`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable
class TextNoise(Protocol):
    """Changes the wording of each report: not at all at severity 0, and never less at a
    higher one.

    What is changed depends only on the seed, the text and the severity. A text is never
    left empty.
    """

    @property
    def name(self) -> str:
        """The canonical name, with the parameters that are not the defaults."""

    def apply(self, texts: Sequence[str], severity: float, seed: int) -> list[str]:
        """The texts as they are at `severity`, in the same order."""


@dataclass(frozen=True)
class TextNoiseEntry:
    """A noise of the catalogue: a name, one line about it, its parameters with their
    types, and how to build it.
    """

    name: str
    summary: str
    parameters: Mapping[str, type]
    """What may stand in parentheses after the name: `{"tokens": int}`."""
    build: Callable[..., TextNoise]
    """Takes the parameters by keyword; those that are omitted have their defaults."""
