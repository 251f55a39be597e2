"""A data set of real files: what a reader found, with views, texts and relevance chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DatasetError
from ...core.fresh import gives_new_memory
from ...core.plain_text import facts_as_html, plain
from ...core.strata import Stratification
from ...core.words import counted
from .choice import Choice
from .folder_images import FolderImages
from .mask_folder import MaskFolder
from .records import ImageRow, SourceData
from .relevance import Pairing

if TYPE_CHECKING:
    from hypothesis.vendor.pretty import RepresentationPrinter
    from PIL.Image import Image

    from .._pixels.stored_image import StoredImage


@dataclass(frozen=True, repr=False)
class ReportDataset:
    """Images with reports from files. Made by `choose`; satisfies `RetrievalDataset`.

    Its `repr` is its name: pytest and Hypothesis print the arguments of a test that fails.
    """

    source: SourceData
    choice: Choice
    rows: Sequence[ImageRow]
    """The images that are left, in the data's order."""
    texts: Sequence[tuple[str, ...]]
    """(rows,) the texts that belong to each image: one, or several captions."""
    pairing: Pairing
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was found, and what each filter left out, in order."""
    mask_folder: MaskFolder | None = None
    stratifications: Sequence[Stratification] = ()
    """The strata that were chosen, in their order: groups of images and reports."""

    def __repr__(self) -> str:
        images = counted(len(self.rows), "image")
        reports = counted(len(self.pairing.report_groups), "report")
        return f"<{plain(self.name)}: {images}, {reports}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: counts alone, no id and no text."""
        facts: dict[str, object] = {
            "split": self.split,
            "texts": self.text,
            "relevance": self.relevance,
            "images used": len(self.rows),
            "reports used": len(self.pairing.report_groups),
            "patients": len({row.patient for row in self.rows}),
            "strata": ", ".join(self.strata),
        }
        return facts_as_html(self.name, {**facts, **self.counts})

    def _repr_pretty_(
        self,
        printer: RepresentationPrinter,
        cycle: bool,  # noqa: ARG002 - Hypothesis gives it
    ) -> None:
        printer.text(repr(self))

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def split(self) -> str:
        return self.source.split

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

    @property
    def smallest_group(self) -> int:
        """The patients that a group of a stratum must have to be shown under its name."""
        return self.choice.smallest_group

    @property
    def counterfactuals(self) -> Path | str | None:
        """Where edits of the reports are from: `rules`, a table of pairs, or not said."""
        return self.choice.counterfactuals

    @cached_property
    def report_ids(self) -> tuple[str, ...]:
        """The study of each report, by which a table of edits may name it.

        A text of several studies has that of the first.
        """
        return tuple(self.rows[image].study for image in self.pairing.sources.tolist())

    @cached_property
    def image_ids(self) -> tuple[str, ...]:
        return tuple(row.id for row in self.rows)

    @cached_property
    def reports(self) -> tuple[str, ...]:
        images = self.pairing.sources.tolist()
        captions = self.pairing.captions.tolist()
        places = zip(images, captions, strict=True)
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
    def strata(self) -> Mapping[str, tuple[str, ...]]:
        """What is known of each image beside its labels, by name; empty without any.

        Words in the order of `image_ids`, "" where one is not known: `{"sex": ("F", "M")}`.
        """
        return {
            name: tuple(words[row.row] for row in self.rows)
            for name, words in self.source.strata.items()
        }

    @cached_property
    def label_names(self) -> tuple[str, ...]:
        """The columns of the label matrices; `DatasetError` if the data has no labels."""
        return tuple(sorted(frozenset().union(*self._labels)))

    @cached_property
    def label_matrix(self) -> NDArray[np.bool_]:
        """(images, labels) the labels of each image's study."""
        names = self.label_names
        rows = [[name in labels for name in names] for labels in self._labels]
        return np.array(rows, dtype=np.bool_)

    @cached_property
    def report_label_matrix(self) -> NDArray[np.bool_]:
        """(reports, labels) the labels of each report.

        A text of several studies has the labels of the first.
        """
        return self.label_matrix[self.pairing.sources]

    @cached_property
    def _labels(self) -> list[frozenset[str]]:
        labels = labels_of(self.source, self.rows)
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
        # Null bytes keep the borders: no text of a data set holds one.
        for word in (*chosen, "\0", *self.image_ids, "\0", *self.reports):
            digest.update(word.encode("utf-8", "surrogatepass") + b"\0")
        digest.update(self.image_groups.tobytes() + self.report_groups.tobytes())
        return digest.hexdigest()

    @gives_new_memory
    def image(self, index: int) -> Image:
        """Decode image `index`.

        Raises `UnreadableImageError` with a broken file's row, and `DatasetError` if the
        data set was opened without images.
        """
        return self._stored(index).decoded()

    def content(self, index: int) -> bytes | None:
        """The bytes of the file of image `index`; None for an image in memory.

        Raises as `image` does.
        """
        return self._stored(index).content()

    def content_digest(self, index: int) -> bytes:
        """32 bytes that change with the file of image `index`, read but not decoded.

        Raises as `image` does.
        """
        return self._stored(index).digest()

    def missing_images(self) -> list[int]:
        """The numbers of the images without a file inside the root; none is opened.

        Empty for images that lie in archives, or if the data set was opened without them.
        """
        locate = self.source.locate
        if not isinstance(locate, FolderImages):
            return []
        rows = enumerate(self.rows)
        return [number for number, row in rows if not locate.has_file(row)]

    def _stored(self, index: int) -> StoredImage:
        if self.source.locate is None:
            raise DatasetError(
                f"Expected images=FOLDER of {self.name}, which was opened without its"
                " images, got none. Give it."
            )
        # The reader knows nothing of `bits`, which the user chooses.
        return replace(self.source.locate(self.rows[index]), bits=self.choice.bits)

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that may have masks, in alphabetical order.

        None without `masks=FOLDER`.
        """
        return () if self.mask_folder is None else self.mask_folder.regions

    def masks(self, index: int) -> dict[str, NDArray[np.bool_]]:
        """Where the regions are in image `index`.

        (rows, columns) bool in the image's own pixels, true inside. A region without a
        file for this image is absent. Raises `DatasetError` for a file that is broken or
        does not fit the image, and if the data set was opened without masks.
        """
        if self.mask_folder is None:
            raise DatasetError(
                f"Expected masks=FOLDER of {self.name}, which was opened without masks,"
                " got none. Give it."
            )
        row = self.rows[index]
        where = f"row {row.row} of its table" if row.row else f"image {index + 1}"
        return self.mask_folder.read(row.id, lambda: self._size(index), where)

    def _size(self, index: int) -> tuple[int, int]:
        """(columns, rows): kept, because the image must be decoded to know it."""
        if index not in self._sizes:
            self._sizes[index] = self.image(index).size
        return self._sizes[index]

    @cached_property
    def _sizes(self) -> dict[int, tuple[int, int]]:
        return {}


def labels_of(
    source: SourceData, rows: Sequence[ImageRow]
) -> list[frozenset[str]] | None:
    """The label set of each row's study, or None if the data has no labels.

    Raises `DatasetError` for a study without labels in the table.
    """
    if source.read_labels is None:
        return None
    labels = source.read_labels()
    unlabelled = sum(row.study not in labels for row in rows)
    if unlabelled:
        raise DatasetError(
            f"Expected labels of every study of {source.name}, got none for {unlabelled}"
            f" of {counted(len(rows), 'image')}. Choose another relevance, or a subset that is"
            " labelled."
        )
    return [labels[row.study] for row in rows]
