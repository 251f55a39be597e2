"""What a trial and a row of trials are, and the ground that they are made on."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Check: TypeAlias = Callable[[], str | None]
"""Makes one attempt. Returns what did not hold, or None; an exception did not hold either."""


@dataclass(frozen=True)
class Trial:
    """One attempt: what was tried, and what did not hold."""

    name: str
    problem: str | None = None

    @property
    def held(self) -> bool:
        return self.problem is None


@dataclass(frozen=True)
class Ground:
    """Where a row makes its trials: a scratch folder, a seed, and whether to be quick."""

    folder: Path
    seed: int
    quick: bool

    def random(self, *words: object) -> random.Random:
        """A generator that depends on the seed and on `words` alone."""
        return random.Random(" ".join(map(str, (self.seed, *words))))

    def count(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def some(self, attempts: Iterable[T], quick: int) -> Sequence[T]:
        """Every attempt; of a quick run only a few, spread evenly."""
        every = list(attempts)
        if not self.quick or len(every) <= quick:
            return every
        return [every[number * len(every) // quick] for number in range(quick)]

    def place(self, name: str) -> Path:
        """A new folder of the scratch folder."""
        number = sum(1 for _ in self.folder.iterdir())
        words = "".join(letter if letter.isalnum() else "-" for letter in name)[:40]
        folder = self.folder / f"{number:05d}-{words}"
        folder.mkdir()
        return folder


@dataclass(frozen=True)
class Row:
    """A row of the table: its short name for `--only`, what is promised, and the trials."""

    name: str
    promise: str
    trials: Callable[[Ground], Iterator[Trial]]


def tried(name: str, check: Check) -> Trial:
    """Make one attempt in this process."""
    try:
        return Trial(name, check())
    except Exception as error:
        return Trial(name, what_went_wrong(error))


def what_went_wrong(error: BaseException) -> str:
    """The class and text of an error that no check expected, and where it arose."""
    frames = traceback.extract_tb(error.__traceback__)
    origin = ""
    if frames:
        last = frames[-1]
        origin = f" at {Path(last.filename).name}:{last.lineno}"
    return f"{type(error).__name__}{origin}: {error}"
