"""What a search for the smallest breaking occlusion found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

from .cases import BREAKING, Case
from .codec import NOT_EMPTY, Count, Written
from .words import counted

_Row: TypeAlias = Annotated[tuple[float, ...], NOT_EMPTY]


@dataclass(frozen=True, repr=False)
class HeatMap(Written):
    """A number for each cell of a grid over the image, averaged over `images` images.

    Rows are from the top.
    """

    images: Count
    rows: Annotated[tuple[_Row, ...], NOT_EMPTY]

    def __repr__(self) -> str:
        images = counted(self.images, "image")
        return f"<HeatMap of {images}, {counted(len(self.rows), 'row')}>"

    def minus(self, other: HeatMap) -> HeatMap:
        """The difference, cell by cell; it counts the images of this one."""
        pairs = zip(self.rows, other.rows, strict=True)
        return HeatMap(self.images, tuple(_differences(*rows) for rows in pairs))

    @property
    def peak(self) -> tuple[int, int]:
        """(row, column) of the greatest number."""
        row = max(range(len(self.rows)), key=lambda row: max(self.rows[row]))
        return row, self.rows[row].index(max(self.rows[row]))


@dataclass(frozen=True, repr=False)
class BreakingOutcome(Written):
    """The smallest occlusions that were found to break a model on a data set.

    Its sensitivity maps come with them.
    """

    model: str
    dataset: str
    k: int
    grid: int
    fill: str
    budget: int
    images: int
    """How many were searched."""
    shares: tuple[float, ...]
    """Rising: the breaking share of each image whose right report is in the top k with
    nothing hidden.
    """
    unbroken: int
    """Images that nothing that was tried broke; their share is 1."""
    one_minimal: int
    """Images of which no hidden cell can be given back."""
    encodings: float
    """Encodings per image, mean."""
    sensitivity: HeatMap
    """Mean fall of the right report's score when a cell alone is hidden."""
    by_label: Mapping[str, HeatMap] = field(default_factory=dict)
    arrays_key: str | None = None
    """Where the run's temporary store holds the masks."""

    def __repr__(self) -> str:
        median = self.quantile(0.5)
        share = "no image broken" if median is None else f"median share {median:.4f}"
        return (
            f"<BreakingOutcome {self.model} on {self.dataset}, top {self.k}:"
            f" {counted(self.images, 'image')}, {share}>"
        )

    @property
    def case(self) -> Case:
        """The case that its verdicts speak of."""
        return Case(self.model, self.dataset, BREAKING, 0.0, 0)

    def quantile(self, share: float) -> float | None:
        """The least breaking share that at least this share of the images reaches or
        stays below; None without any.
        """
        if not self.shares:
            return None
        # A rounding of the product must not count one image more.
        images = math.ceil(share * len(self.shares) - 1e-9)
        return self.shares[max(images, 1) - 1]


def _differences(row: _Row, other: _Row) -> _Row:
    return tuple(number - less for number, less in zip(row, other, strict=True))
