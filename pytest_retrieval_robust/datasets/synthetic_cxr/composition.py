"""A report before it is text: which phrase speaks of what, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Phrase:
    """A sentence of the findings, or a label or remark of the impression."""

    text: str
    """Without its capital and full stop."""
    slot: str = ""
    """The slot whose abnormal state it words; empty for what is normal."""
    choice: int = 0
    """Which wording of the slot's state it is."""
    denied: tuple[str, ...] = ()
    """The slots that it says are normal."""


@dataclass(frozen=True)
class Impression:
    """The phrases of an impression: what it names, and that all, or all else, is normal."""

    labels: tuple[Phrase, ...]
    most_labels: int
    remark: Phrase | None = None
    joined: int | None = None
    """The label that stands in one sentence with the next one; None where each has its
    own.
    """

    @property
    def texts(self) -> list[str]:
        """Its sentences, without capitals and full stops."""
        labels = texts_of(self.labels)
        if self.joined is not None:
            pair = slice(self.joined, self.joined + 2)
            labels[pair] = [" and ".join(labels[pair])]
        return labels if self.remark is None else [*labels, self.remark.text]


@dataclass(frozen=True)
class Composition:
    """The phrases of a report."""

    findings: tuple[Phrase, ...]
    """What is found, then what is normal."""
    devices: tuple[Phrase, ...]
    are_devices_first: bool
    impression: Impression

    @property
    def body(self) -> tuple[Phrase, ...]:
        """The sentences of the findings in the order in which they are written."""
        if self.are_devices_first:
            return (*self.devices, *self.findings)
        return (*self.findings, *self.devices)

    @property
    def text(self) -> str:
        """`FINDINGS: ... IMPRESSION: ...`."""
        findings = _sentences(texts_of(self.body))
        return f"FINDINGS: {findings} IMPRESSION: {_sentences(self.impression.texts)}"


def texts_of(phrases: Sequence[Phrase]) -> list[str]:
    return [phrase.text for phrase in phrases]


def _sentences(parts: Sequence[str]) -> str:
    return " ".join(part[0].upper() + part[1:] + "." for part in parts)
