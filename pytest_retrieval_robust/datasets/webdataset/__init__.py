"""WebDataset tar shards of your own."""

from __future__ import annotations

from ...core.catalogue import Catalogue
from .._files.entries import Reader
from ..entry import DatasetEntry
from .reader import Options, read


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    reader = Reader(
        name="webdataset",
        summary="WebDataset tar shards of your own",
        options=Options,
        read=read,
        text="full",
    )
    catalogue.add(reader.entry())
