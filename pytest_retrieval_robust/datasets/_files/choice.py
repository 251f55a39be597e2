"""What a user chooses of a data set of files: texts, relevance, views, masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...core.catalogue import unknown_name
from ...core.errors import DatasetError
from ...core.strata import SMALLEST_GROUP
from .._pixels.stored_image import require_bits
from .relevance import RULES
from .text_policy import policy

VIEWS = ("all", "frontal", "lateral")
ON_ERROR = ("fail", "skip")


@dataclass(frozen=True, repr=False)
class Choice:
    """What a user chooses of a data set of files.

    Raises `DatasetError` for what is out of range.
    """

    text: str
    relevance: str = "same-text"
    view: str = "all"
    images_per_study: int | None = None
    """The first so many images of each study, in the order of the data's own table."""
    minimum_length: int = 1
    """Characters that a text must have, white space joined."""
    subset: Path | None = None
    """A table whose first column holds image ids: those, in the data's order."""
    masks: Path | None = None
    """A folder of anatomical masks, one folder per region; no part of the fingerprint."""
    on_error: str = "fail"
    """`fail`, or `skip`: broken images are counted and left out."""
    most_skipped: float = 0.05
    """The share of images that may be skipped before it is an error after all."""
    counterfactuals: Path | str | None = None
    """Where edits of the reports are from: the word `rules`, or a table of pairs; no part
    of the fingerprint.
    """
    bits: int | None = None
    """How many bits white has in grey PNG and TIFF files of more than 8 bits, if that is
    less than they can hold.
    """

    strata: tuple[str, ...] = ()
    """What groups of images and reports are told apart by; no part of the fingerprint."""
    smallest_group: int = SMALLEST_GROUP
    """Patients that a group must have to be shown under its name."""

    def __post_init__(self) -> None:
        # Raises for an unknown word.
        policy(self.text)
        _require_word("relevance", self.relevance, RULES)
        _require_word("view", self.view, VIEWS)
        _require_word("on_error", self.on_error, ON_ERROR)
        if self.images_per_study is not None and self.images_per_study < 1:
            raise DatasetError(
                "Expected images_per_study of at least 1, got"
                f" images_per_study={self.images_per_study}. Omit it to use every image."
            )
        # NaN fails this comparison, as it should.
        if not 0 <= self.most_skipped <= 1:
            raise DatasetError(
                f"Expected a share from 0 to 1, got most_skipped={self.most_skipped!r}."
                " Fix it."
            )
        require_bits(self.bits)
        is_whole = type(self.smallest_group) is int
        if not is_whole or self.smallest_group < 1:
            raise DatasetError(
                "Expected smallest_group as a whole number of at least 1, got"
                f" smallest_group={self.smallest_group!r}. Omit it for {SMALLEST_GROUP}."
            )

    def __repr__(self) -> str:
        return f"<Choice text={self.text!r}, relevance={self.relevance!r}>"


def _require_word(option: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise unknown_name(option, str(word), words)
