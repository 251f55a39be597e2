"""Who the patients of MIMIC-CXR are: sexes and ages, from a table of MIMIC-IV.

MIMIC-CXR's own tables say neither. Its subject ids are those of MIMIC-IV, whose table
`hosp/patients.csv.gz` has subject_id, gender, anchor_age and anchor_year. Dates of both
are shifted by the same time per patient, so that the age in a study is anchor_age + (year
of the study - anchor_year), as the documentation of MIMIC-IV says (mimic.mit.edu/docs/iv,
patients). Ages above 89 are written as 91 there. Of patients who were never admitted
MIMIC-IV says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...core.errors import DatasetError
from .._files.paths import require_file, require_root
from .._files.records import ImageRow
from .._files.tables import read_columns

PROJECTION = "projection"
_COLUMNS = ("subject_id", "gender", "anchor_age", "anchor_year")
_FILES = (
    "patients.csv.gz",
    "patients.csv",
    "hosp/patients.csv.gz",
    "hosp/patients.csv",
)
_TITLE = "the table of patients"


def patient_table(patients: str | Path | None, name: str) -> Path | None:
    """MIMIC-IV's table of patients: a file, or in the folder of MIMIC-IV; None without."""
    if patients is None:
        return None
    if Path(patients).expanduser().is_dir():
        folder = require_root(patients, "patients", name, _FILES[0])
        for file in _FILES:
            if (folder / file).is_file():
                return folder / file
        raise DatasetError(
            f"Expected patients.csv.gz of MIMIC-IV for {name} in"
            f" patients={folder.name!r}, got none. Copy it there, or give its path."
        )
    return require_file(patients, "patients", name, ", ".join(_COLUMNS))


def strata_of_tables(
    rows: Sequence[ImageRow], metadata: Path, patients: Path | None
) -> Mapping[str, Sequence[str]]:
    """Projection, and with a table of patients sex and age, by `ImageRow.row`."""
    last = max((row.row for row in rows), default=0)
    projections = [""] * (last + 1)
    years = [""] * (last + 1)
    place_of = {row.id: row.row for row in rows}
    columns = ("dicom_id", "ViewPosition")
    table = read_columns(metadata, columns, ["StudyDate"], title="the metadata table")
    for _, (image, position, date) in table:
        place = place_of.get(image)
        if place is not None:
            projections[place] = position
            years[place] = date[:4]
    strata = {PROJECTION: projections}
    if patients is None:
        return strata
    facts_of = {
        subject: facts
        for _, (subject, *facts) in read_columns(patients, _COLUMNS, title=_TITLE)
    }
    sexes = [""] * (last + 1)
    ages = [""] * (last + 1)
    for row in rows:
        if row.patient in facts_of:
            gender, anchor_age, anchor_year = facts_of[row.patient]
            sexes[row.row] = gender
            ages[row.row] = _age(anchor_age, anchor_year, years[row.row])
    return {**strata, "sex": sexes, "age": ages}


def _age(anchor_age: str, anchor_year: str, year: str) -> str:
    """The age in a year; "" if one of them is missing."""
    numbers = (anchor_age.strip(), anchor_year.strip(), year.strip())
    if not all(number.isascii() and number.isdigit() for number in numbers):
        return ""
    age, anchor, examined = map(int, numbers)
    return str(max(0, age + examined - anchor))
