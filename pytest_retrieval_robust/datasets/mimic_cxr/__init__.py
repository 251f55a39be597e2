"""MIMIC-CXR: the images of MIMIC-CXR-JPG or MIMIC-CXR with the reports of MIMIC-CXR."""

from __future__ import annotations

from ...core.catalogue import Catalogue
from .._files.entries import entry_of
from ..entry import DatasetEntry
from .reader import find


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(
        entry_of(
            "mimic-cxr",
            "MIMIC-CXR-JPG with MIMIC-CXR's reports",
            find,
            text="findings+impression",
        )
    )
