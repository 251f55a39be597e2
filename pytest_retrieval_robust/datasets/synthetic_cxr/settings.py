"""What a user may choose of the embedded data set.

Light: names are resolved before any data is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...core.errors import DatasetError
from ...core.names import call_name
from ...core.words import close_words, did_you_mean

FAMILY = "synthetic-cxr"
SPLITS = ("train", "test")
RELEVANCES = ("same-text", "strict-id", "same-labels")
LABELS = ("sided", "unsided")
SMALLEST = 64
LARGEST = 1024
"""Pixels of an image's side."""
MOST_PAIRS = 100_000


@dataclass(frozen=True)
class CxrSettings:
    """The choices of `SyntheticCxr`, which explains them.

    Raises `DatasetError` with the one that is out of range.

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
        if not _within(self.pairs, 1, MOST_PAIRS):
            raise _out_of_range(
                f"a number of pairs from 1 to {MOST_PAIRS}", "pairs", self.pairs
            )
        _check_size(self.size)
        _check_share(self.prevalence)
        _check_choice("split", self.split, SPLITS)
        _check_choice("relevance", self.relevance, RELEVANCES)
        _check_choice("labels", self.labels, LABELS)
        # One value, one spelling: names and fingerprints are made of them.
        if self.prevalence is not None:
            object.__setattr__(self, "prevalence", float(self.prevalence))
        if self.shape[0] == self.shape[1]:
            object.__setattr__(self, "size", self.shape[0])

    @property
    def name(self) -> str:
        """The data set's name, with the choices that are not the defaults, by alphabet."""
        sides = dict.fromkeys(self.shape)
        return call_name(FAMILY, self, size="x".join(str(side) for side in sides))

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
            f" size={text!r}. Fix the value."
        )
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def _check_size(size: object) -> None:
    # Anything but a pair is checked as one side, and refused as such.
    sides = size if isinstance(size, tuple) and len(size) == 2 else (size,)
    if not all(_within(side, SMALLEST, LARGEST) for side in sides):
        expected = (
            f"an image size from {SMALLEST} to {LARGEST} pixels, or two of them as"
            " (rows, columns)"
        )
        raise _out_of_range(expected, "size", size)


def _check_share(prevalence: float | None) -> None:
    if prevalence is None:
        return
    is_number = isinstance(prevalence, int | float) and not isinstance(prevalence, bool)
    if not is_number or not 0 <= prevalence <= 1:
        expected = "a share of abnormal studies from 0 to 1, or None"
        raise _out_of_range(expected, "prevalence", prevalence)


def _check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if value in choices:
        return
    hint = did_you_mean(close_words(str(value), choices)) or "Choose one of them."
    raise DatasetError(
        f"Expected {name} out of {', '.join(choices)}, got {name}={value!r}. {hint}"
    )


def _within(value: object, low: int, high: int) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return low <= value <= high


def _out_of_range(expected: str, name: str, value: object) -> DatasetError:
    return DatasetError(
        f"Expected {expected}, got {name}={value!r}. Change {name} to such a value."
    )
