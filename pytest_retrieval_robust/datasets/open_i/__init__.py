"""Open-i, the chest X-rays of Indiana University (IU X-Ray)."""

from __future__ import annotations

from ...core.catalogue import Catalogue
from .._files.entries import entry_of
from ..entry import DatasetEntry
from .reader import find


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(
        entry_of(
            "open-i",
            "Open-i / IU X-Ray: 3,955 reports with 7,470 images",
            find,
            text="findings+impression",
        )
    )
