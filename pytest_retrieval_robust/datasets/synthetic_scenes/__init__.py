"""Coloured shapes with captions, nothing like a radiograph.

The embedded general encoder was trained on such pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..entry import DatasetEntry

if TYPE_CHECKING:
    from .dataset import (
        SyntheticScenes,
    )


class _Catalogue(Protocol):
    def add(self, entry: DatasetEntry, /) -> object: ...


def load() -> SyntheticScenes:
    """The default test split: 500 pairs with different captions, 224 x 224 in colour."""
    from .dataset import (
        SyntheticScenes,
    )

    return SyntheticScenes()


def register(catalogue: _Catalogue) -> None:
    """Add this data set to `catalogue`."""
    catalogue.add(
        DatasetEntry(
            "synthetic-scenes", "500 pictures of coloured shapes with captions", load
        )
    )
