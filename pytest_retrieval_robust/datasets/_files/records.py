"""What a reader found on a disk: image rows, and reports by study. Nothing here opens an image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .._pixels.stored_image import StoredImage

# Pytest prints the reprs of local variables (-vv, --showlocals): those of records show
# numbers alone.


class ImageRow(NamedTuple):
    """One image as a table or a folder names it."""

    id: str
    """Unique in its data set."""
    study: str
    """The study whose report belongs to it."""
    patient: str
    """The patient, for clustered statistics; the study if the data does not say."""
    view: str
    """`frontal`, `lateral`, or "" if the data does not say."""
    location: str
    """Where the image lies, as the reader's `locate` understands it.

    Not a promise that it exists.
    """
    row: int
    """The row of the table that names it, for messages; 0 for none.

    The first row below the header is 1.
    """

    def __repr__(self) -> str:
        return f"<ImageRow {self.row}>"


class Sections(NamedTuple):
    """The parts of a report, as published; "" for an absent one."""

    findings: str = ""
    impression: str = ""
    full: str = ""
    """The whole report."""
    captions: tuple[str, ...] = ()
    """If several texts describe an image, all of them; the first one is `full` too."""

    def __repr__(self) -> str:
        return "<Sections>"


ReadReports = Callable[[Iterable[str]], Mapping[str, Sections]]
"""Study ids -> their reports. A study without one is absent from the mapping."""
Locate = Callable[["ImageRow"], "StoredImage"]
"""Where the bytes of one image are. Safe in several threads."""


def sections_of_captions(captions: Sequence[str]) -> Sections:
    """The sections of an image with none, one or several texts."""
    first = captions[0] if captions else ""
    several = tuple(captions) if len(captions) > 1 else ()
    return Sections(full=first, captions=several)


# A null byte cannot be in a table's ids: the names below are no other study's or patient's.


def own_study(row: int) -> str:
    """The study of an image whose table names none: one of its own."""
    return f"\0row {row}"


def patient_or_study(patient: str, study: str) -> str:
    """The patient of an image; one per study if the table leaves it blank."""
    return patient or f"\0study {study}"


@dataclass(frozen=True, repr=False)
class SourceData:
    """What a reader found, before views, texts and relevance are chosen."""

    name: str
    split: str
    """The split that was read, `all` if the data has none."""
    images: Sequence[ImageRow]
    read_reports: ReadReports
    locate: Locate | None
    """None if the data set was opened without images."""
    read_labels: Callable[[], Mapping[str, frozenset[str]]] | None = None
    """Study id -> its labels, read when they are needed; None if the data has none."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What the reader counted, for `inspect`: named numbers. It may grow while reports are read."""
    strata: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By name a word for each row, found by `ImageRow.row`; "" where it is not known."""
    texts_as_published: bool = False
    """The data has one text per study, without sections: `full` is the only text policy."""


def reports_in_memory(texts: Mapping[str, Sections]) -> ReadReports:
    """A `read_reports` of reports that are in memory already."""

    def read(studies: Iterable[str]) -> Mapping[str, Sections]:
        return {study: texts[study] for study in studies if study in texts}

    return read


def several_texts(count: int, holders: str = "studies") -> dict[str, int]:
    """What `inspect` counts if some studies or images have several texts."""
    if not count:
        return {}
    return {f"{holders} with several texts, of which the first is taken": count}
