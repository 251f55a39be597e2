"""The embedded data set: procedural chest radiographs with reports, drawn on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ..entry import DatasetEntry

if TYPE_CHECKING:
    from .dataset import SyntheticCxr


class _Catalogue(Protocol):
    def add(self, entry: DatasetEntry, /) -> object: ...


def load(**options: Any) -> SyntheticCxr:
    """By default the test split: 500 pairs with different reports, 224 x 224 in greyscale."""
    from .dataset import SyntheticCxr

    return SyntheticCxr(**options)


def canonical_name(**options: Any) -> str:
    """The name of the data set with these options; `DatasetError` for one out of range."""
    from .._files.strata_names import strata_names
    from .settings import CxrSettings
    from .strata import require_strata

    # What is grouped is the same data: strata are no part of its name.
    require_strata(strata_names(options.pop("strata", ())))
    options.pop("smallest_group", None)
    return CxrSettings(**options).name


def _size(text: str) -> int | tuple[int, int]:
    from .settings import read_size

    return read_size(text)


def _strata(text: str) -> tuple[str, ...]:
    from .._files.strata_names import strata_names

    return strata_names(text)


def register(catalogue: _Catalogue) -> None:
    """Add this data set to `catalogue`."""
    catalogue.add(
        DatasetEntry(
            "synthetic-cxr",
            "500 procedural chest radiographs with reports, drawn on the fly",
            load,
            parameters={
                "pairs": int,
                "size": _size,
                "split": str,
                "prevalence": float,
                "relevance": str,
                "labels": str,
                "strata": _strata,
                "smallest_group": int,
            },
            canonical_name=canonical_name,
        )
    )
