"""Harvard-FairVLMed: fundus pictures (SLO) with clinical notes, for glaucoma.

The layout is that of the data set's card (Harvard-Ophthalmology-AI-Lab, FairCLIP) and of
the code that its authors read it with: `data_summary.csv` has filename, age, gender,
race, ethnicity, language, maritalstatus, note, gpt4_summary, glaucoma (yes or no) and use
(training, validation or test). `Training/`, `Validation/` and `Test/` (in an older copy
`Testing/`) hold `data_00001.npz`, whose array `slo_fundus` is the picture, 664 x 512.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..core.catalogue import Catalogue, unknown_name
from ..core.errors import DatasetError
from ._files.entries import Reader
from ._files.records import ImageRow, Sections, SourceData, reports_in_memory
from .entry import DatasetEntry

_TABLE = "data_summary.csv"
_ARRAY = "slo_fundus"
_FOLDERS = {
    "training": ("Training",),
    "validation": ("Validation",),
    "test": ("Test", "Testing"),
}
"""Word of the column `use` -> the folders that its files may be in."""
_NOTES = ("note", "gpt4_summary")
_STRATA = ("age", "gender", "race", "ethnicity", "language", "maritalstatus")


@dataclass(frozen=True, repr=False)
class Options:
    """Where FairVLMed lies, and which part of it is read."""

    root: str | Path | None = None
    """The folder with `data_summary.csv`, `Training/`, `Validation/` and `Test/`."""
    split: str = "test"
    """`test`, `validation`, `training` or `all`."""
    note: str = "note"
    """The column of texts: `note`, as the clinician wrote it, or `gpt4_summary`, which
    fits into the contexts of most encoders.
    """


def read(options: Options, name: str) -> SourceData:
    """The pictures of a split with their notes: one per patient.

    Its one label is glaucoma; strata are the columns of the patients.
    """
    from ._files.folder_images import FolderImages
    from ._files.paths import checked_path, require_root
    from ._files.strata import StrataOfRows
    from ._files.tables import read_columns
    from ._files.values import positive_labels, require_unique

    if options.split not in (*_FOLDERS, "all"):
        raise unknown_name("split", options.split, (*_FOLDERS, "all"))
    if options.note not in _NOTES:
        raise unknown_name("note", options.note, _NOTES)
    root = require_root(options.root, "root", name, _TABLE)
    table = root / _TABLE
    if not table.is_file():
        raise DatasetError(
            f"Expected {_TABLE} of {name} in root={root.name!r}, got none. Copy it there."
        )
    rows: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    labels: dict[str, frozenset[str]] = {}
    strata = StrataOfRows(_STRATA)
    columns = ("filename", "use", options.note, "glaucoma")
    for number, values in read_columns(table, columns, _STRATA):
        file, use, note, glaucoma, *words = values
        where = f"row {number} of its table"
        split = use.strip().lower()
        if split not in _FOLDERS:
            raise _unknown_split(where)
        if options.split not in ("all", split):
            continue
        checked_path(file, where)
        # The publication has one picture of each of its 10,000 patients.
        rows.append(
            ImageRow(
                id=file,
                study=file,
                patient=file,
                view="",
                location=f"{_FOLDERS[split][0]}/{file}",
                row=number,
            )
        )
        strata.add(number, words)
        texts[file] = Sections(full=note.strip())
        labels[file] = positive_labels({"glaucoma": glaucoma}, where)
    require_unique(((row.row, row.id) for row in rows), "filename")
    return SourceData(
        name=name,
        split=options.split,
        images=rows,
        read_reports=reports_in_memory(texts),
        locate=FolderImages(root, also=_other_folders, array=_ARRAY),
        read_labels=lambda: labels,
        strata=strata.by_name(),
        texts_as_published=True,
    )


def _unknown_split(where: str) -> DatasetError:
    words = ", ".join(_FOLDERS)
    return DatasetError(
        f"Expected one of {words} as use, got another word in {where}. Copy the table"
        " again."
    )


def _other_folders(path: str) -> Iterable[str]:
    """Where other copies of the data have a file."""
    folder, _, file = path.partition("/")
    for folders in _FOLDERS.values():
        if folder in folders:
            yield from (f"{other}/{file}" for other in folders)
    yield f"data/{file}"


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    reader = Reader(
        name="fairvlmed",
        summary="Harvard-FairVLMed: fundus pictures with clinical notes",
        options=Options,
        read=read,
        text="full",
    )
    catalogue.add(reader.entry())
