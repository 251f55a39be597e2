"""A data set of real files: what a reader found, with views, texts and relevance chosen."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...core.catalogue import unknown_name
from ...core.errors import DatasetError
from .._pixels.masks import MaskFolder, open_masks
from .._pixels.stored_image import require_bits
from .places import shown_path
from .records import Found, ImageRow, Sections
from .relevance import RULES, Pairing, pair
from .tables import first_column
from .text_policy import as_compared, policy

if TYPE_CHECKING:
    from hypothesis.vendor.pretty import RepresentationPrinter
    from PIL.Image import Image

    from .._pixels.stored_image import StoredImage

VIEWS = ("all", "frontal", "lateral")
ON_ERROR = ("fail", "skip")


@dataclass(frozen=True, repr=False)
class Choice:
    """What a user chooses of a data set of files.

    Raises `DatasetError` for what is out of range.
    """

    text: str
    relevance: str = "same-text"
    view: str = "all"
    images_per_study: int | None = None
    """The first so many images of each study, in the order of the data's own table."""
    minimum_length: int = 1
    """Characters that a text must have, white space joined."""
    subset: Path | None = None
    """A table whose first column holds image ids: those, in the data's order."""
    masks: Path | None = None
    """A folder of anatomical masks, one folder a region; no part of the fingerprint."""
    on_error: str = "fail"
    """`fail`, or `skip`: broken images are counted and left out."""
    most_skipped: float = 0.05
    """The share of images that may be skipped before it is an error after all."""
    bits: int | None = None
    """How many bits white has in grey PNG and TIFF files of more than 8 bits, where
    that is less than they can hold.
    """

    def __post_init__(self) -> None:
        policy(self.text)
        for option, known in (
            ("relevance", RULES),
            ("view", VIEWS),
            ("on_error", ON_ERROR),
        ):
            if getattr(self, option) not in known:
                raise unknown_name(option, str(getattr(self, option)), known)
        if self.images_per_study is not None and self.images_per_study < 1:
            raise DatasetError(
                f"Expected at least 1, got images_per_study={self.images_per_study}."
                " Omit it to use every image."
            )
        if not 0 <= self.most_skipped <= 1:
            raise DatasetError(
                f"Expected a share from 0 to 1, got most_skipped={self.most_skipped!r}."
                " Fix it."
            )
        require_bits(self.bits)

    def __repr__(self) -> str:
        return f"<Choice text={self.text!r}, relevance={self.relevance!r}>"


@dataclass(frozen=True, repr=False)
class ReportDataset:
    """Images with reports from files. Made by `choose`; satisfies `RetrievalDataset`.

    Its `repr` is its name: pytest and Hypothesis print the arguments of a test that fails.
    """

    found: Found
    choice: Choice
    rows: Sequence[ImageRow]
    """The images that are left, in the data's order."""
    texts: Sequence[tuple[str, ...]]
    """(rows,) the texts that belong to each image: one, or several captions."""
    pairing: Pairing
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was found, and what each filter left out, in order."""
    mask_folder: MaskFolder | None = None

    def __repr__(self) -> str:
        return (
            f"<{self.name}: {len(self.rows)} images, {len(self.pairing.report_groups)}"
            " reports>"
        )

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:  # noqa: ARG002 - Hypothesis gives it
        printer.text(repr(self))

    @property
    def name(self) -> str:
        return self.found.name

    @property
    def split(self) -> str:
        return self.found.split

    @property
    def text(self) -> str:
        """The text policy."""
        return self.choice.text

    @property
    def relevance(self) -> str:
        return self.choice.relevance

    @property
    def skips_unreadable(self) -> bool:
        """Whether a broken image is left out of a run instead of ending it."""
        return self.choice.on_error == "skip"

    @property
    def most_skipped(self) -> float:
        """The share of images that may be left out."""
        return self.choice.most_skipped

    @cached_property
    def image_ids(self) -> tuple[str, ...]:
        return tuple(row.id for row in self.rows)

    @cached_property
    def reports(self) -> tuple[str, ...]:
        places = zip(
            self.pairing.sources.tolist(), self.pairing.captions.tolist(), strict=True
        )
        return tuple(self.texts[image][caption] for image, caption in places)

    @property
    def image_groups(self) -> NDArray[np.int64]:
        return self.pairing.image_groups

    @property
    def report_groups(self) -> NDArray[np.int64]:
        return self.pairing.report_groups

    @cached_property
    def patients(self) -> tuple[str, ...]:
        return tuple(row.patient for row in self.rows)

    @cached_property
    def label_names(self) -> tuple[str, ...]:
        """The columns of the label matrices; `DatasetError` where the data has no labels."""
        return tuple(sorted(frozenset().union(*self._labels)))

    @cached_property
    def label_matrix(self) -> NDArray[np.bool_]:
        """(images, labels) the labels of each image's study."""
        return np.array(
            [[name in labels for name in self.label_names] for labels in self._labels],
            dtype=np.bool_,
        )

    @property
    def report_label_matrix(self) -> NDArray[np.bool_]:
        """(reports, labels) the labels of each report; of a text that several studies
        have, those of the first.
        """
        return self.label_matrix[self.pairing.sources]

    @cached_property
    def _labels(self) -> list[frozenset[str]]:
        labels = labels_of(self.found, self.rows)
        if labels is None:
            raise DatasetError(
                f"Expected a label table of {self.name}, got none. Give one to"
                " load_dataset."
            )
        return labels

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over ids, texts, groups, split and choices."""
        digest = hashlib.sha256()
        chosen = (self.name, self.split, self.text, self.relevance, self.choice.view)
        for word in (*chosen, "\0", *self.image_ids, "\0", *self.reports):
            digest.update(word.encode("utf-8", "surrogatepass") + b"\0")
        digest.update(self.image_groups.tobytes() + self.report_groups.tobytes())
        return digest.hexdigest()

    def image(self, index: int) -> Image:
        """Decode image `index`; `UnreadableImageError` names a broken file's row,
        `DatasetError` an absent root.
        """
        return self._stored(index).decoded()

    def content_digest(self, index: int) -> bytes:
        """32 bytes that change with the file of image `index`, read but not decoded;
        errors as for `image`.
        """
        return self._stored(index).digest()

    def _stored(self, index: int) -> StoredImage:
        if self.found.locate is None:
            raise DatasetError(
                f"Expected images=FOLDER of {self.name}, which was opened without its"
                " images, got none. Give it."
            )
        return replace(self.found.locate(self.rows[index]), bits=self.choice.bits)

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions of which there may be masks, in alphabetical order; none without
        `masks=FOLDER`.
        """
        return () if self.mask_folder is None else self.mask_folder.regions

    def masks(self, index: int) -> dict[str, NDArray[np.bool_]]:
        """Where the regions are in image `index`: (rows, columns) bool in the image's
        own pixels, true inside.

        A region without a file for this image is absent. Raises `DatasetError` for a
        file that is broken or does not fit the image, and where the data set was opened
        without masks.
        """
        if self.mask_folder is None:
            raise DatasetError(
                f"Expected masks=FOLDER of {self.name}, which was opened without masks,"
                " got none. Give it."
            )
        row = self.rows[index]
        shown = f"row {row.row} of its table" if row.row else f"image {index + 1}"
        return self.mask_folder.read(row.id, lambda: self._size(index), shown)

    def _size(self, index: int) -> tuple[int, int]:
        """(columns, rows): kept, since the image must be decoded to know it."""
        if index not in self._sizes:
            self._sizes[index] = self.image(index).size
        return self._sizes[index]

    @cached_property
    def _sizes(self) -> dict[int, tuple[int, int]]:
        return {}


def choose(found: Found, choice: Choice) -> ReportDataset:
    """Apply the filters, take the texts and pair them; every image that is left out is
    counted by its reason.
    """
    counts = dict(found.counts)
    rows = list(found.images)
    counts["images"] = len(rows)
    rows = _of_view(rows, choice, counts)
    rows = _of_subset(rows, choice, found.name, counts)
    rows = _first_of_study(rows, choice, counts)
    reports = found.read_reports(dict.fromkeys(row.study for row in rows))
    counts.update(found.counts)
    if found.texts_as_published and choice.text != "full":
        raise DatasetError(
            f"Expected text='full' for {found.name}, whose texts have no sections, got"
            f" text={choice.text!r}. Leave it out."
        )
    rows, texts = _with_text(rows, reports, choice, counts)
    if not rows:
        raise DatasetError(
            f"Expected images with reports in {found.name}, got none:"
            f" {_listed(counts)}. Check split={found.split!r}, view={choice.view!r},"
            f" text={choice.text!r} and the paths."
        )
    labels = labels_of(found, rows) if choice.relevance == "same-labels" else None
    pairing = pair(
        choice.relevance, texts, [row.study for row in rows], labels, name=found.name
    )
    if pairing.joined:
        counts["images that share some of their texts with images of other texts"] = (
            pairing.joined
        )
    masks = (
        None
        if choice.masks is None
        else open_masks(choice.masks, (row.id for row in rows), name=found.name)
    )
    return ReportDataset(found, choice, rows, texts, pairing, counts, masks)


def labels_of(found: Found, rows: Sequence[ImageRow]) -> list[frozenset[str]] | None:
    """The label set of each row's study, or None; `DatasetError` where a study has none
    in the table.
    """
    if found.read_labels is None:
        return None
    labels = found.read_labels()
    without = next((row for row in rows if row.study not in labels), None)
    if without is not None:
        count = sum(row.study not in labels for row in rows)
        raise DatasetError(
            f"Expected labels of every study of {found.name}, got none for {count} of"
            f" {len(rows)} images. Choose another relevance, or a subset that is"
            " labelled."
        )
    return [labels[row.study] for row in rows]


def _of_view(
    rows: list[ImageRow], choice: Choice, counts: dict[str, int]
) -> list[ImageRow]:
    for view, count in sorted(Counter(row.view or "unknown" for row in rows).items()):
        counts[f"view {view}"] = count
    if choice.view == "all":
        return rows
    kept = [row for row in rows if row.view == choice.view]
    counts["left out: other view"] = len(rows) - len(kept)
    return kept


def _of_subset(
    rows: list[ImageRow], choice: Choice, name: str, counts: dict[str, int]
) -> list[ImageRow]:
    if choice.subset is None:
        return rows
    if not choice.subset.is_file():
        raise DatasetError(
            "Expected a table of image ids, got no file at"
            f" subset={shown_path(choice.subset)!r}. Fix the path."
        )
    wanted = set(first_column(choice.subset, "the subset's table"))
    kept = [row for row in rows if row.id in wanted]
    if len(kept) < len(wanted):
        raise DatasetError(
            f"Expected every id of the subset's table among the images of {name} (its"
            f" split and view), got {len(wanted) - len(kept)} of {len(wanted)} that are"
            " not. Write the list again with the same choices."
        )
    counts["left out: not in the subset"] = len(rows) - len(kept)
    return kept


def _first_of_study(
    rows: list[ImageRow], choice: Choice, counts: dict[str, int]
) -> list[ImageRow]:
    if choice.images_per_study is None:
        return rows
    taken: Counter[str] = Counter()
    kept = []
    for row in rows:
        taken[row.study] += 1
        if taken[row.study] <= choice.images_per_study:
            kept.append(row)
    counts["left out: further images of a study"] = len(rows) - len(kept)
    return kept


def _with_text(
    rows: list[ImageRow],
    reports: Mapping[str, Sections],
    choice: Choice,
    counts: dict[str, int],
) -> tuple[list[ImageRow], list[tuple[str, ...]]]:
    texts_of = {
        study: _texts_of(sections, choice.text) for study, sections in reports.items()
    }
    shortest = max(1, choice.minimum_length)
    long_of = {
        study: tuple(text for text in texts if len(text) >= shortest)
        for study, texts in texts_of.items()
    }
    kept = [row for row in rows if long_of.get(row.study)]
    without = sum(row.study not in texts_of for row in rows)
    empty = sum(texts_of.get(row.study) == () for row in rows)
    counts["left out: no report"] = without
    counts[f"left out: empty {choice.text}"] = empty
    if choice.minimum_length > 1:
        counts["left out: short text"] = len(rows) - len(kept) - without - empty
    counts["studies"] = len({row.study for row in kept})
    captions = sum(len(long_of[row.study]) for row in kept)
    if captions > len(kept):
        counts["captions"] = captions
    return kept, [long_of[row.study] for row in kept]


def _texts_of(sections: Sections, text: str) -> tuple[str, ...]:
    """The texts of a report as they are compared, without blank ones."""
    read = (
        sections.captions
        if text == "full" and sections.captions
        else (policy(text)(sections),)
    )
    compared = (as_compared(one) for one in read)
    return tuple(one for one in compared if one)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{key}={value}" for key, value in counts.items())
