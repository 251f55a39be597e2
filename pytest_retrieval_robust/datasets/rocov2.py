"""ROCOv2: figures of open-access papers with their captions and UMLS concepts."""

from __future__ import annotations

from pathlib import Path

from ..core.catalogue import Catalogue, unknown_name
from ..core.errors import DatasetError
from ._files.entries import entry_of
from ._files.records import Found, ImageRow, Sections, held
from .entry import DatasetEntry

_SPLITS = ("train", "valid", "test")


def find(
    *, name: str = "rocov2", root: str | Path | None = None, split: str = "test"
) -> Found:
    """What lies on the disk.

    Args:
        name: What the data set is called. root: The folder with `test_captions.csv`,
        `test_concepts.csv` and `test_images/test/` (or `test/`). split: `train`,
        `valid` or `test`.

    Each image is a study and a patient of its own. Labels are its concepts (CUIs).
    """
    from ._files.folder_images import FolderImages
    from ._files.places import require_root
    from ._files.tables import read_columns
    from ._files.values import require_unique

    if split not in _SPLITS:
        raise unknown_name("split", split, _SPLITS)
    folder = require_root(root, "root", name, "test_captions.csv and test_images/")
    captions = folder / f"{split}_captions.csv"
    if not captions.is_file():
        raise DatasetError(
            f"Expected {captions.name} of {name} in root={folder.name!r}, got none."
            " Copy it there."
        )
    read = list(read_columns(captions, ["ID", "Caption"]))
    require_unique(((number, values[0]) for number, values in read), "ID")
    rows = [
        ImageRow(image, image, image, "", image, number) for number, (image, _) in read
    ]
    tables = [folder / f"{split}_concepts.csv", folder / f"{split}_concepts_manual.csv"]
    concepts = next((table for table in tables if table.is_file()), None)
    return Found(
        name=name,
        split=split,
        images=rows,
        read_reports=held(
            {image: Sections("", "", caption.strip()) for _, (image, caption) in read}
        ),
        locate=FolderImages(folder, lambda file: file.rpartition(".")[0]),
        read_labels=None if concepts is None else lambda: _concepts(concepts),
        texts_as_published=True,
    )


def _concepts(table: Path) -> dict[str, frozenset[str]]:
    from ._files.tables import read_columns

    read = read_columns(table, ["ID", "CUIs"], shown="the table of concepts")
    return {
        image: frozenset(cui.strip() for cui in cuis.split(";") if cui.strip())
        for _, (image, cuis) in read
    }


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(
        entry_of(
            "rocov2", "ROCOv2: radiological figures with captions", find, text="full"
        )
    )
