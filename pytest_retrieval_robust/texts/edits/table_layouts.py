"""The layouts of tables of pairs that are read, and a row of theirs as a pair."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from ...core.counterfactual_outcomes import ALL_KINDS
from ...core.errors import DatasetError
from .table_files import Row


@dataclass(frozen=True)
class Layout:
    """The names of the columns of a table, and what its rows are."""

    name: str
    original: str
    edited: str
    kind: str | None
    """The column that says what was changed; None where all rows have `default_kind`."""
    id_columns: tuple[str, ...]
    """Columns that may hold the id of a report, tried in this order."""
    default_kind: str
    present: str | None = None
    """A column that says "1" where the row has an error; other rows are left out."""


LAYOUTS = (
    Layout(
        name="pairs",
        original="original",
        edited="edited",
        kind="kind",
        id_columns=("id", "study_id", "image_id"),
        default_kind="edit",
    ),
    Layout(
        name="ReXErr-v1, reports",
        original="original_report",
        edited="error_report",
        kind=None,
        id_columns=("study_id",),
        default_kind="several-errors",
    ),
    Layout(
        name="ReXErr-v1, sentences",
        original="original_sentence",
        edited="error_sentence",
        kind="error_type",
        id_columns=("study_id",),
        default_kind="edit",
        present="error_present",
    ),
    Layout(
        name="CXR-Align",
        original="report",
        edited="negation",
        kind=None,
        id_columns=("id",),
        default_kind="negation",
    ),
)
"""A table is of the first layout whose columns for original and edited text it has.

ReXErr-v1: the data dictionary of https://physionet.org/content/rexerr-v1/1.0.0/. CXR-Align:
`cxr-align.json` of https://physionet.org/content/cxr-align/1.0.0/, keyed by image, whose
entries have `report`, `negation` and `omitted`. `omitted` says less and nothing wrong, so
that it is no counterfactual and is not read. The reports of ReXErr-v1 hold up to three
errors each, of which `errors_sampled` names those that were asked for, not those that are
there: they are one kind here.
"""


@dataclass(frozen=True, repr=False)
class Pair:
    """A row of a table. Its repr shows no text."""

    original: str
    """As `as_compared` has it."""
    edited: str
    kind: str
    ids: tuple[str, ...]
    has_error: bool

    def __repr__(self) -> str:
        return f"<Pair {self.kind}>"


def layout_of(row: Row) -> Layout:
    """The layout of a table by its first row; `DatasetError` for one that is unknown."""
    for layout in LAYOUTS:
        if layout.original in row and layout.edited in row:
            return layout
    known = "; ".join(f"{layout.original}, {layout.edited}" for layout in LAYOUTS)
    raise DatasetError(
        f"Expected columns for original and edited text ({known}), got columns={len(row)}"
        " without such a pair in row 1. Rename yours to original, edited and kind."
    )


def pair_of(row: Row, number: int, layout: Layout) -> Pair:
    """A row as a pair; `DatasetError` with its number for one without a text, or with the
    kind `all`.
    """
    texts = [_text(row, column, number) for column in (layout.original, layout.edited)]
    kind = _kind_of(row.get(layout.kind)) if layout.kind else ""
    if kind == ALL_KINDS:
        raise DatasetError(
            f"Expected a kind of edit, got kind={ALL_KINDS!r} in row {number}, which stands"
            " for the edits of all kinds together. Give these edits another word."
        )
    present = "1" if layout.present is None else row.get(layout.present, "1")
    ids = (as_id(row.get(column)) for column in layout.id_columns)
    return Pair(
        original=as_compared(texts[0]),
        edited=texts[1].strip(),
        kind=kind or layout.default_kind,
        ids=tuple(filter(None, ids)),
        has_error=str(present).strip().removesuffix(".0") == "1",
    )


def _text(row: Row, column: str, number: int) -> str:
    value = row.get(column)
    if isinstance(value, str) and value.strip():
        return value
    got = "an empty text" if isinstance(value, str) else f"a {type(value).__name__}"
    raise DatasetError(
        f"Expected a text in column {column!r}, got {got} in row {number}. Fill it in,"
        " or leave the row out."
    )


def _kind_of(value: object) -> str:
    """The word of a row: in lower case, with hyphens; of several, all of them."""
    words = value if isinstance(value, list) else [value]
    said = " ".join(str(word) for word in words if word)
    kept = "".join(letter if letter.isalnum() else " " for letter in said.lower())
    return "-".join(kept.split())[:80]


def as_id(value: object) -> str:
    """An id as tables and data sets compare it: MIMIC-CXR's study "s50414267" is 50414267
    in ReXErr-v1.
    """
    name = "" if value is None else str(value).strip()
    return name[1:] if name[:1] == "s" and name[1:].isdecimal() else name


def as_compared(text: str) -> str:
    """A text as tables and data sets compare it: accents composed (NFC), and one space
    for any run of white space.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())
