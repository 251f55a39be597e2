"""From rows to images: rows that name the same image are its captions, and all that
they say of it must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...core.errors import DatasetError
from .records import ImageRow, Sections, alone, patient_or_study, sections_of_captions
from .values import same_numbers


@dataclass(repr=False, slots=True)
class Given:
    """A row as a reader found it. "" stands for what the data does not say."""

    number: int
    shown: str
    """How messages name the row."""
    image: str
    """The same for rows of the same image, and different for others."""
    place: str
    """The image's path, as it is written; its id where the data gives it none."""
    id: str
    group: str
    patient: str
    view: str
    captions: tuple[str, ...]
    findings: str = ""
    impression: str = ""
    has_sections: bool = False
    labels: frozenset[str] = frozenset()
    source: str = ""
    """Where the image lies, where that is not `place`."""


@dataclass(frozen=True, repr=False)
class Images:
    """The images of a table, each with its texts and labels by study."""

    rows: Sequence[ImageRow]
    texts: Mapping[str, Sections]
    labels: Mapping[str, frozenset[str]]
    counts: Mapping[str, int] = field(default_factory=dict)


def gathered(read: Sequence[Given], columns: Mapping[str, str | None]) -> Images:
    """The images of the rows, in the order of their first rows.

    `columns` names those that hold `id`, `group` and `patient`, None where there is
    none. Raises `DatasetError` for rows of one image that disagree, for an id that two
    images have, and for images of one group with different texts.
    """
    for key in ("id", "group", "patient"):
        column = columns.get(key)
        if column is not None:
            numbers = same_numbers(
                [getattr(one, key) for one in read], column, [one.shown for one in read]
            )
            for one, number in zip(read, numbers, strict=True):
                setattr(one, key, number)
    of_image: dict[str, list[Given]] = {}
    for one in read:
        of_image.setdefault(one.image, []).append(one)
    rows: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    labels: dict[str, frozenset[str]] = {}
    for its_rows in of_image.values():
        first = its_rows[0]
        _require_same(its_rows, columns)
        study = (
            first.group
            if columns.get("group") is not None and first.group
            else alone(first.number)
        )
        sections = _sections(its_rows)
        if texts.setdefault(study, sections) != sections:
            raise DatasetError(
                "Expected one report per group, got another one for the same"
                f" {columns['group']} in {first.shown}. Give each report its own group;"
                " several captions of an image must be the same for all its group's"
                " images."
            )
        labels[study] = labels.get(study, frozenset()).union(
            *(one.labels for one in its_rows)
        )
        patient = (
            study
            if columns.get("patient") is None
            else patient_or_study(first.patient, study)
        )
        rows.append(
            ImageRow(
                first.id or first.place,
                study,
                patient,
                first.view,
                first.source or first.place,
                first.number,
            )
        )
    _require_unique([its_rows[0] for its_rows in of_image.values()], rows)
    repeated = len(read) - len(rows)
    counts = {"rows that add a text to an image": repeated} if repeated else {}
    return Images(rows, texts, labels, counts)


def _require_unique(images: Sequence[Given], rows: Sequence[ImageRow]) -> None:
    """`DatasetError` with the rows of two images of one id."""
    first: dict[str, Given] = {}
    for given, row in zip(images, rows, strict=True):
        earlier = first.setdefault(row.id, given)
        if earlier is not given:
            raise DatasetError(
                f"Expected each id once, got that of {earlier.shown} again in"
                f" {given.shown}, for another image. Give each image its own id, or"
                " leave ids out."
            )


def _sections(its_rows: Sequence[Given]) -> Sections:
    first = its_rows[0]
    if first.has_sections:
        full = first.captions[0] if first.captions else ""
        return Sections(first.findings, first.impression, full)
    return sections_of_captions(
        [text for one in its_rows for text in one.captions if text.strip()]
    )


def _require_same(its_rows: Sequence[Given], columns: Mapping[str, str | None]) -> None:
    """Rows of one image are its captions: all else that they say must be the same."""
    first = its_rows[0]
    for other in its_rows[1:]:
        for key in ("id", "group", "patient", "view"):
            if getattr(first, key) != getattr(other, key):
                advice = (
                    "Leave `id` out, so that its rows are captions of one image."
                    if key == "id"
                    else "Fix it."
                )
                raise DatasetError(
                    f"Expected one {columns.get(key) or key} per image, got another one"
                    f" for the image of row {first.number} in {other.shown}. {advice}"
                )
        if first.has_sections:
            raise DatasetError(
                "Expected one report per image where it has sections, got the image of"
                f" row {first.number} again in {other.shown}. Leave findings and"
                " impression out, or leave one of the rows out."
            )
    if first.has_sections and len(first.captions) > 1:
        raise DatasetError(
            "Expected one report per image where it has sections, got a list of"
            f" {len(first.captions)} in {first.shown}. Leave findings and impression"
            " out."
        )
