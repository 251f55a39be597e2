"""MIMIC-CXR: images of MIMIC-CXR-JPG or MIMIC-CXR, with the reports of MIMIC-CXR."""

from __future__ import annotations

from ...core.catalogue import Catalogue
from .._files.entries import Reader
from ..entry import DatasetEntry
from .reader import Options, read


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    reader = Reader(
        name="mimic-cxr",
        summary="MIMIC-CXR-JPG with MIMIC-CXR's reports",
        options=Options,
        read=read,
        text="findings+impression",
    )
    catalogue.add(reader.entry())
