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
_CALLED = {"strata": "word of each stratum"}
"""What messages call a field that no single column holds."""


@dataclass(repr=False, slots=True)
class CaptionRow:
    """A row as a reader found it. "" stands for what the data does not say."""

    number: int
    where: str
    """How messages name the row."""
    image: str
    """The same for rows of the same image, and different for others."""
    location: str
    """Where the image lies, as the reader's `locate` understands it."""
    id: str
    """By default its location."""
    group: str
    patient: str
    captions: tuple[str, ...]
    view: str = ""
    findings: str = ""
    impression: str = ""
    has_sections: bool = False
    labels: frozenset[str] = frozenset()
    strata: tuple[str, ...] = ()
    """A word of each stratum."""


@dataclass(frozen=True, repr=False)
class GatheredImages:
    """The images of a table, each with its texts and labels by study."""

    rows: Sequence[ImageRow]
    texts: Mapping[str, Sections]
    labels: Mapping[str, frozenset[str]]
    words: Mapping[int, tuple[str, ...]]
    """`ImageRow.row` -> the image's word of each stratum."""
    counts: Mapping[str, int] = field(default_factory=dict)


def gather_images(rows: Sequence[CaptionRow], columns: IdColumns) -> GatheredImages:
    """The images of the rows, in the order of their first rows.

    Raises `DatasetError` for rows of one image that disagree, for an id that two images
    have, and for images of one group with different texts.
    """
    # Before rows are compared: one column may hold `7.0` where another file has `7`.
    _drop_decimals(rows, columns)
    rows_of_image: dict[str, list[CaptionRow]] = {}
    for row in rows:
        rows_of_image.setdefault(row.image, []).append(row)

    images: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    labels: dict[str, frozenset[str]] = {}
    for image_rows in rows_of_image.values():
        # First that its rows agree, so that any of them may speak for the image.
        _require_agreement(image_rows, columns)
        image = _image_of(image_rows[0], columns)
        sections = _sections(image_rows)
        # A study's images share one report: the first image has said which.
        if texts.setdefault(image.study, sections) != sections:
            raise DatasetError(
                "Expected one report per group, got another one for the same"
                f" {columns['group']} in {image_rows[0].where}. Give each report its own"
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
    words = {row.number: row.strata for row in first_rows}
    return GatheredImages(images, texts, labels, words, counts)


def _drop_decimals(rows: Sequence[CaptionRow], columns: IdColumns) -> None:
    """Write whole numbers in columns of ids alike, whatever type the column has."""
    row_names = [row.where for row in rows]
    for key in ("id", "group", "patient"):
        column = columns.get(key)
        if column is None:
            continue
        written = [getattr(row, key) for row in rows]
        numbers = same_numbers(written, column, row_names)
        for row, number in zip(rows, numbers, strict=True):
            setattr(row, key, number)


def _image_of(first: CaptionRow, columns: IdColumns) -> ImageRow:
    """The image that begins with this row."""
    has_groups = columns.get("group") is not None
    # A blank group joins nothing: the image is a study of its own.
    study = first.group if has_groups and first.group else own_study(first.number)
    patient = study
    if columns.get("patient") is not None:
        patient = patient_or_study(first.patient, study)
    return ImageRow(
        id=first.id or first.location,
        study=study,
        patient=patient,
        view=first.view,
        location=first.location,
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
                f"Expected each id once, got that of {earlier.where} again in"
                f" {row.where}, for another image. Give each image its own id, or"
                " leave ids out."
            )


def _sections(image_rows: Sequence[CaptionRow]) -> Sections:
    first = image_rows[0]
    if first.has_sections:
        full = first.captions[0] if first.captions else ""
        return Sections(first.findings, first.impression, full)
    captions: list[str] = []
    for row in image_rows:
        # A blank caption is no text, but does not make the row wrong.
        captions += [caption for caption in row.captions if caption.strip()]
    return sections_of_captions(captions)


def _require_agreement(image_rows: Sequence[CaptionRow], columns: IdColumns) -> None:
    """Refuse rows of one image that differ in more than their captions."""
    first = image_rows[0]
    for row in image_rows[1:]:
        _require_same_words(first, row, columns)
        if first.has_sections:
            raise DatasetError(
                "Expected one report per image if it has sections, got the image of"
                f" row {first.number} again in {row.where}. Leave findings and"
                " impression out, or leave one of the rows out."
            )
    if first.has_sections and len(first.captions) > 1:
        raise DatasetError(
            "Expected one report per image if it has sections, got a list of"
            f" {len(first.captions)} in {first.where}. Leave findings and impression"
            " out."
        )


def _require_same_words(first: CaptionRow, row: CaptionRow, columns: IdColumns) -> None:
    for key in ("id", "group", "patient", "view", "strata"):
        if getattr(first, key) == getattr(row, key):
            continue
        advice = "Fix it."
        if key == "id":
            advice = "Leave `id` out, so that its rows are captions of one image."
        called = columns.get(key) or _CALLED.get(key, key)
        raise DatasetError(
            f"Expected one {called} per image, got another one for the"
            f" image of row {first.number} in {row.where}. {advice}"
        )
