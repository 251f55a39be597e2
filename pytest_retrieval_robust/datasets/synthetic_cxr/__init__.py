"""The embedded data set: procedural frontal chest radiographs with free-text reports, drawn when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pytest_retrieval_robust.datasets import DatasetEntry

if TYPE_CHECKING:
    from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr


class _Catalogue(Protocol):
    def add(self, entry: DatasetEntry, /) -> object: ...


def load() -> SyntheticCxr:
    """The default test split: 500 pairs with 500 different reports, each image 224 x 224 in greyscale."""
    from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr

    return SyntheticCxr()


def register(catalogue: _Catalogue) -> None:
    """Add this data set to `catalogue`."""
    catalogue.add(
        DatasetEntry("synthetic-cxr", "500 procedural chest radiographs with reports, drawn on the fly", load)
    )
