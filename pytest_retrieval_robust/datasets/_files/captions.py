"""From rows to images: rows that name the same image are its captions.

All else that they say of the image must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...core.errors import DatasetError
from .records import (
    ImageRow,
    Sections,
    own_study,
    patient_or_study,
    sections_of_captions,
)
from .values import same_numbers

IdColumns = Mapping[str, str | None]
"""`id`, `group` and `patient` -> the column that holds it, None if there is none."""


@dataclass(repr=False, slots=True)
class CaptionRow:
    """A row as a reader found it. "" stands for what the data does not say."""

    number: int
    shown: str
    """How messages name the row."""
    image: str
    """The same for rows of the same image, and different for others."""
    place: str
    """The image's path, as it is written; its id if the data has no paths."""
    id: str
    group: str
    patient: str
    captions: tuple[str, ...]
    view: str = ""
    findings: str = ""
    impression: str = ""
    has_sections: bool = False
    labels: frozenset[str] = frozenset()
    source: str = ""
    """Where the image lies, if that is not `place`."""


@dataclass(frozen=True, repr=False)
class GatheredImages:
    """The images of a table, each with its texts and labels by study."""

    rows: Sequence[ImageRow]
    texts: Mapping[str, Sections]
    labels: Mapping[str, frozenset[str]]
    counts: Mapping[str, int] = field(default_factory=dict)


def gather_images(rows: Sequence[CaptionRow], columns: IdColumns) -> GatheredImages:
    """The images of the rows, in the order of their first rows.

    Raises `DatasetError` for rows of one image that disagree, for an id that two images
    have, and for images of one group with different texts.
    """
    _drop_decimals(rows, columns)
    rows_of_image: dict[str, list[CaptionRow]] = {}
    for row in rows:
        rows_of_image.setdefault(row.image, []).append(row)

    images: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    labels: dict[str, frozenset[str]] = {}
    for image_rows in rows_of_image.values():
        _require_agreement(image_rows, columns)
        image = _image_of(image_rows[0], columns)
        sections = _sections(image_rows)
        if texts.setdefault(image.study, sections) != sections:
            raise DatasetError(
                "Expected one report per group, got another one for the same"
                f" {columns['group']} in {image_rows[0].shown}. Give each report its own"
                " group; several captions of an image must be the same for all its"
                " group's images."
            )
        study_labels = labels.get(image.study, frozenset())
        labels[image.study] = study_labels.union(*(row.labels for row in image_rows))
        images.append(image)

    first_rows = [image_rows[0] for image_rows in rows_of_image.values()]
    _require_distinct_ids(first_rows, images)
    repeated = len(rows) - len(images)
    counts = {"rows that add a text to an image": repeated} if repeated else {}
    return GatheredImages(images, texts, labels, counts)


def _drop_decimals(rows: Sequence[CaptionRow], columns: IdColumns) -> None:
    """Write whole numbers in columns of ids alike, whatever type the column has."""
    shown = [row.shown for row in rows]
    for key in ("id", "group", "patient"):
        column = columns.get(key)
        if column is None:
            continue
        written = [getattr(row, key) for row in rows]
        numbers = same_numbers(written, column, shown)
        for row, number in zip(rows, numbers, strict=True):
            setattr(row, key, number)


def _image_of(first: CaptionRow, columns: IdColumns) -> ImageRow:
    """The image that begins with this row."""
    has_groups = columns.get("group") is not None
    study = first.group if has_groups and first.group else own_study(first.number)
    patient = study
    if columns.get("patient") is not None:
        patient = patient_or_study(first.patient, study)
    return ImageRow(
        id=first.id or first.place,
        study=study,
        patient=patient,
        view=first.view,
        place=first.source or first.place,
        row=first.number,
    )


def _require_distinct_ids(
    first_rows: Sequence[CaptionRow], images: Sequence[ImageRow]
) -> None:
    """Raise `DatasetError` with the rows of two images of one id."""
    row_of_id: dict[str, CaptionRow] = {}
    for row, image in zip(first_rows, images, strict=True):
        earlier = row_of_id.setdefault(image.id, row)
        if earlier is not row:
            raise DatasetError(
                f"Expected each id once, got that of {earlier.shown} again in"
                f" {row.shown}, for another image. Give each image its own id, or"
                " leave ids out."
            )


def _sections(image_rows: Sequence[CaptionRow]) -> Sections:
    first = image_rows[0]
    if first.has_sections:
        full = first.captions[0] if first.captions else ""
        return Sections(first.findings, first.impression, full)
    captions: list[str] = []
    for row in image_rows:
        captions += [caption for caption in row.captions if caption.strip()]
    return sections_of_captions(captions)


def _require_agreement(image_rows: Sequence[CaptionRow], columns: IdColumns) -> None:
    """Refuse rows of one image that differ in more than their captions."""
    first = image_rows[0]
    for other in image_rows[1:]:
        _require_same_words(first, other, columns)
        if first.has_sections:
            raise DatasetError(
                "Expected one report per image if it has sections, got the image of"
                f" row {first.number} again in {other.shown}. Leave findings and"
                " impression out, or leave one of the rows out."
            )
    if first.has_sections and len(first.captions) > 1:
        raise DatasetError(
            "Expected one report per image if it has sections, got a list of"
            f" {len(first.captions)} in {first.shown}. Leave findings and impression"
            " out."
        )


def _require_same_words(
    first: CaptionRow, other: CaptionRow, columns: IdColumns
) -> None:
    for key in ("id", "group", "patient", "view"):
        if getattr(first, key) == getattr(other, key):
            continue
        advice = "Fix it."
        if key == "id":
            advice = "Leave `id` out, so that its rows are captions of one image."
        raise DatasetError(
            f"Expected one {columns.get(key) or key} per image, got another one for the"
            f" image of row {first.number} in {other.shown}. {advice}"
        )
