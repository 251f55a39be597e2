"""What a user may choose of the embedded data set.

Light: names are resolved before any data is drawn.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_retrieval_robust.core.errors import DatasetError
from pytest_retrieval_robust.core.names import call_name

FAMILY = "synthetic-cxr"
SPLITS = ("train", "test")
RELEVANCES = ("same-text", "strict-id", "same-labels")
LABELS = ("sided", "unsided")
SMALLEST, LARGEST = 64, 1024
MOST_PAIRS = 100_000


@dataclass(frozen=True)
class CxrSettings:
    """The choices of `SyntheticCxr`, which explains them; `DatasetError` names the one
    that is out of range.

    >>> CxrSettings().name, CxrSettings(relevance="same-labels", prevalence=0.650).name
    ('synthetic-cxr', 'synthetic-cxr(prevalence=0.65,relevance=same-labels)')
    """

    pairs: int = 500
    size: int | tuple[int, int] = 224
    split: str = "test"
    prevalence: float | None = None
    relevance: str = "same-text"
    labels: str = "sided"

    def __post_init__(self) -> None:
        _expect(
            f"a number of pairs from 1 to {MOST_PAIRS}",
            _within(self.pairs, 1, MOST_PAIRS),
            "pairs",
            self.pairs,
        )
        _check_size(self.size)
        _check_share(self.prevalence)
        for name, known in (
            ("split", SPLITS),
            ("relevance", RELEVANCES),
            ("labels", LABELS),
        ):
            _check_choice(name, getattr(self, name), known)
        # One value, one spelling: names and fingerprints are made of them.
        if self.prevalence is not None:
            object.__setattr__(self, "prevalence", float(self.prevalence))
        if self.shape[0] == self.shape[1]:
            object.__setattr__(self, "size", self.shape[0])

    @property
    def name(self) -> str:
        """The data set's name, with the choices that are not the defaults in alphabetical order."""
        return call_name(
            FAMILY, self, size="x".join(str(side) for side in dict.fromkeys(self.shape))
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of each image."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)


def read_size(text: str) -> int | tuple[int, int]:
    """`224`, or `320x256` for 320 rows and 256 columns."""
    numbers = [int(part) for part in text.split("x") if part.isdecimal()]
    if text.count("x") + 1 != len(numbers) or len(numbers) > 2:
        raise DatasetError(
            "Expected a size such as 224 or 320x256 (rows x columns), got"
            f" size={text!r}; mend the value."
        )
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def _check_size(size: object) -> None:
    sides = size if isinstance(size, tuple) and len(size) == 2 else (size,)
    what = (
        f"an image size from {SMALLEST} to {LARGEST} pixels, or two of them as (rows,"
        " columns)"
    )
    _expect(what, all(_within(side, SMALLEST, LARGEST) for side in sides), "size", size)


def _check_share(prevalence: float | None) -> None:
    number = isinstance(prevalence, int | float) and not isinstance(prevalence, bool)
    holds = prevalence is None or (number and 0 <= prevalence <= 1)
    _expect(
        "a share of abnormal studies from 0 to 1, or None",
        holds,
        "prevalence",
        prevalence,
    )


def _check_choice(name: str, value: object, known: Sequence[str]) -> None:
    close = difflib.get_close_matches(str(value), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"change {name} to one of them."
    if value not in known:
        raise DatasetError(
            f"Expected {name} out of {', '.join(known)}, got {name}={value!r}; {hint}"
        )


def _within(value: object, low: int, high: int) -> bool:
    return (
        isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    )


def _expect(what: str, holds: bool, name: str, value: object) -> None:
    if not holds:
        raise DatasetError(
            f"Expected {what}, got {name}={value!r}; change {name} to such a value."
        )
