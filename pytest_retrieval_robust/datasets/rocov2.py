"""ROCOv2: figures of open-access papers with their captions and UMLS concepts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core.catalogue import Catalogue, unknown_name
from ..core.errors import DatasetError
from ._files.entries import Reader
from ._files.records import ImageRow, Sections, SourceData, reports_in_memory
from .entry import DatasetEntry

_SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, repr=False)
class Options:
    """Where ROCOv2 lies, and which part of it is read."""

    root: str | Path | None = None
    """The folder with `test_captions.csv`, `test_concepts.csv` and `test_images/test/`
    (or `test/`).
    """
    split: str = "test"
    """`train`, `valid` or `test`."""


def read(options: Options, name: str) -> SourceData:
    """The figures of a split. Each is a study and a patient of its own.

    Labels are its concepts (CUIs).
    """
    from ._files.folder_images import FolderImages
    from ._files.paths import require_root
    from ._files.tables import read_columns
    from ._files.values import require_unique

    split = options.split
    if split not in _SPLITS:
        raise unknown_name("split", split, _SPLITS)
    root = require_root(
        options.root, "root", name, "test_captions.csv and test_images/"
    )
    captions = root / f"{split}_captions.csv"
    if not captions.is_file():
        raise DatasetError(
            f"Expected {captions.name} of {name} in root={root.name!r}, got none."
            " Copy it there."
        )
    rows: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    for number, (image, caption) in read_columns(captions, ["ID", "Caption"]):
        # Figures come from papers: nothing says which are of one patient.
        rows.append(
            ImageRow(
                id=image,
                study=image,
                patient=image,
                view="",
                location=image,
                row=number,
            )
        )
        texts[image] = Sections(full=caption.strip())
    require_unique(((row.row, row.id) for row in rows), "ID")

    # The concepts as published, or else those that were made by hand.
    tables = (root / f"{split}_concepts.csv", root / f"{split}_concepts_manual.csv")
    concepts = next((table for table in tables if table.is_file()), None)
    return SourceData(
        name=name,
        split=split,
        images=rows,
        read_reports=reports_in_memory(texts),
        locate=FolderImages(root, _without_suffix),
        read_labels=None if concepts is None else lambda: _concepts(concepts),
        texts_as_published=True,
    )


def _without_suffix(file: str) -> str:
    return file.rpartition(".")[0]


def _concepts(table: Path) -> dict[str, frozenset[str]]:
    from ._files.tables import read_columns
    from ._files.values import words_of

    rows = read_columns(table, ["ID", "CUIs"], title="the table of concepts")
    return {image: words_of(concepts) for _, (image, concepts) in rows}


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    reader = Reader(
        name="rocov2",
        summary="ROCOv2: radiological figures with captions",
        options=Options,
        read=read,
        text="full",
    )
    catalogue.add(reader.entry())
