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
    """The patient, for clustered statistics; the study where the data does not say."""
    view: str
    """`frontal`, `lateral`, or "" where the data does not say."""
    place: str
    """Where the image lies, as the reader's `locate` understands it; not a promise that
    it exists.
    """
    row: int
    """The row of the table that names it (the first one below the header is 1), for
    messages; 0 for none.
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
    """Where several texts describe an image, all of them; the first one is `full` too."""

    def __repr__(self) -> str:
        return "<Sections>"


def sections_of_captions(captions: Sequence[str]) -> Sections:
    """The sections of an image with none, one or several texts."""
    first = captions[0] if captions else ""
    return Sections("", "", first, tuple(captions) if len(captions) > 1 else ())


def alone(row: int) -> str:
    """The study of an image whose table names none: one of its own, which no name in a
    table can be.
    """
    return f"\0row {row}"


def patient_or_study(patient: str, study: str) -> str:
    """The patient of an image; where the table leaves it blank, one for each study,
    which no table can name.
    """
    return patient or f"\0study {study}"


@dataclass(frozen=True, repr=False)
class Found:
    """What a reader found, before views, texts and relevance are chosen."""

    name: str
    split: str
    """The split that was read, `all` where the data has none."""
    images: Sequence[ImageRow]
    read_reports: Callable[[Iterable[str]], Mapping[str, Sections]]
    """Study ids -> their reports. A study without one is absent from the mapping."""
    locate: Callable[[ImageRow], StoredImage] | None
    """Where the bytes of one image are; None where the data set was opened without
    images. Safe in several threads.
    """
    read_labels: Callable[[], Mapping[str, frozenset[str]]] | None = None
    """Study id -> its labels, read when they are needed; None where the data has none."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What the reader counted, for `inspect`: named numbers. It may grow while reports are read."""
    texts_as_published: bool = False
    """The data has one text per study without sections: every text policy but `full` is refused."""


def held(
    texts: Mapping[str, Sections],
) -> Callable[[Iterable[str]], Mapping[str, Sections]]:
    """A `read_reports` of reports that are in memory already."""

    def read(studies: Iterable[str]) -> Mapping[str, Sections]:
        return {study: texts[study] for study in studies if study in texts}

    return read
