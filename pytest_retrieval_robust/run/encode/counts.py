"""What became of the batches of a part."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum


class Fate(Enum):
    """What became of a batch."""

    DONE = "done"
    """It was encoded, and the store has kept all of it."""
    FOUND = "found"
    """The store had all of it."""
    FAILED = "failed"
    """An encoder, an occluder or an image of it failed."""
    NOT_KEPT = "not kept"
    """The store does not have all of it."""


@dataclass(repr=False)
class Counts:
    """How many batches of a model and data set had which fate, and why some lack."""

    fates: Counter[Fate] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    """Each different sentence once, in the order in which they came."""
    reasons: list[str] = field(default_factory=list)
    """Why batches are not kept, each once."""

    def add(self, fate: Fate) -> None:
        self.fates[fate] += 1

    def note_error(self, sentence: str) -> None:
        if sentence not in self.errors:
            self.errors.append(sentence)

    def note_not_kept(self, reason: str) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)

    @property
    def total(self) -> int:
        """All batches."""
        return sum(self.fates.values())

    @property
    def is_whole(self) -> bool:
        """Whether nothing failed, and all is kept."""
        lacking = self.fates[Fate.FAILED] + self.fates[Fate.NOT_KEPT]
        return lacking == 0 and not self.errors and not self.reasons
