"""Open-i, the chest X-rays of Indiana University (IU X-Ray)."""

from __future__ import annotations

from ...core.catalogue import Catalogue
from .._files.entries import Reader
from ..entry import DatasetEntry
from .reader import Options, read


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    reader = Reader(
        name="open-i",
        summary="Open-i / IU X-Ray: 3,955 reports with 7,470 images",
        options=Options,
        read=read,
        text="findings+impression",
    )
    catalogue.add(reader.entry())
