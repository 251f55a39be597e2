"""A Hugging Face data set: a folder of `save_to_disk` or of Parquet files, or a name of the hub."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.catalogue import Catalogue, unknown_name
from ..core.errors import DatasetError, UnreadableImageError
from ._files.captions import CaptionRow, gather_images
from ._files.columns import Columns
from ._files.entries import Reader
from ._files.hugging_face_splits import open_split
from ._files.records import ImageRow, SourceData, reports_in_memory
from ._files.strata import strata_of_words
from ._files.strata_names import columns_read
from ._pixels.damage import attempted, guarded, kind_of
from .entry import DatasetEntry

if TYPE_CHECKING:
    from ._pixels.stored_image import StoredImage

_ROW = "row {} of its data set (the first is 0)"


@dataclass(frozen=True, repr=False)
class Options:
    """Where the data set lies, and what its columns are called."""

    path: str | None = None
    """A folder, or ORG/NAME of the hub (from the cache with `HF_HUB_OFFLINE=1`)."""
    split: str | None = None
    """The split that is read; by default `test`, or the only one that there is."""
    image: str = "image"
    """The column of images."""
    text: str = "text"
    """The column of texts. A text may be a list: several captions."""
    findings: str | None = None
    """The column of findings, for the text policies that take sections."""
    impression: str | None = None
    """The column of impressions."""
    id: str | None = None
    """The column of ids; by default the row's number.

    Rows of one id must have the same image: their texts are its captions.
    """
    group: str | None = None
    """The column of studies."""
    patient: str | None = None
    """The column of patients."""
    strata: tuple[str, ...] = ()
    """Columns that images are grouped by, beside the strata that every data set has."""

    def columns(self, strata: Sequence[str]) -> Columns:
        """The columns of what is read; `strata` are those of strata."""
        return Columns(
            text=self.text,
            findings=self.findings,
            impression=self.impression,
            id=self.id,
            group=self.group,
            patient=self.patient,
            strata=tuple(strata),
        )


def read(options: Options, name: str) -> SourceData:
    """One row per image, or several rows with the same image and id and different texts.

    Needs the extra `huggingface`. Rows stay on the disk, memory-mapped; images are
    decoded when they are needed.
    """
    opened = open_split(options.path, options.split, name)
    dataset = opened.rows
    strata = columns_read(options.strata, dataset.column_names, name)
    columns = options.columns(strata)
    for column in (options.image, *columns.names()):
        if column not in dataset.column_names:
            names = dataset.column_names
            raise DatasetError(str(unknown_name(f"column of {name}", column, names)))
    pictures = _undecoded(dataset, options.image, name)
    rows = _read_rows(dataset, columns, name)
    if options.id is not None:
        _join_captions(rows, pictures, options.image)
    images = gather_images(rows, columns.id_columns)
    return SourceData(
        name=name,
        split=opened.split,
        images=images.rows,
        read_reports=reports_in_memory(images.texts),
        locate=_locator(pictures, options.image, Path(str(options.path)).expanduser()),
        counts=images.counts,
        strata=strata_of_words(strata, images.words),
        texts_as_published=not columns.has_sections,
    )


def _read_rows(dataset: Any, columns: Columns, name: str) -> list[CaptionRow]:
    def damaged(error: BaseException) -> DatasetError:
        return DatasetError(
            f"Expected a whole data set as {name}, got {kind_of(error)} while it was"
            " read. Copy it again."
        )

    # Without the column of images, which would be decoded.
    words = dataset.select_columns(columns.names())
    return [
        columns.row_of(values, number, _ROW.format(number))
        for number, values in enumerate(guarded(words, damaged))
    ]


def _join_captions(rows: Sequence[CaptionRow], pictures: Any, column: str) -> None:
    """Make rows of one id captions of one image, if they hold the same picture."""
    first_of_id: dict[str, CaptionRow] = {}
    for row in rows:
        if not row.id:
            continue
        # Pictures are compared only for ids that repeat: each is read from the disk.
        earlier = first_of_id.setdefault(row.id, row)
        if earlier is row:
            continue
        content = _content_key(pictures, column, row.number)
        if content == _content_key(pictures, column, earlier.number):
            row.image = earlier.image


def _content_key(pictures: Any, column: str, number: int) -> object:
    stored = pictures[number][column]
    if stored is None:
        return number
    if stored["bytes"] is None:
        return stored["path"]
    return hashlib.blake2b(stored["bytes"]).digest()


def _undecoded(dataset: Any, column: str, name: str) -> Any:
    """The column of images, not decoded."""
    import datasets

    kind = dataset.features[column]
    if not isinstance(kind, datasets.Image):
        raise DatasetError(
            f"Expected a column of images, got {column}={type(kind).__name__} in"
            f" {name}. Cast it to datasets.Image()."
        )
    # Decoded by us when it is needed, with our limits, not by the library.
    undecoded = datasets.Image(decode=False)
    return dataset.select_columns([column]).cast_column(column, undecoded)


def _locator(
    pictures: Any, column: str, root: Path
) -> Callable[[ImageRow], StoredImage]:
    def locate(row: ImageRow) -> StoredImage:
        from ._pixels.stored_image import StoredImage

        where = _ROW.format(row.row)
        stored = attempted(
            lambda: pictures[int(row.location)][column],
            lambda error: UnreadableImageError(
                f"Expected a readable row, got {kind_of(error)}: {where}. Copy the data"
                " set again."
            ),
        )
        if stored is None:
            raise UnreadableImageError(
                f"Expected an image, got none: {where}. Leave it out."
            )
        if stored["bytes"] is not None:
            return StoredImage(stored["bytes"], where)
        file = Path(stored["path"])
        if root.is_dir() and not file.resolve().is_relative_to(root.resolve()):
            raise DatasetError(
                f"Expected images inside path={root.name!r}, got one outside of it:"
                f" {where}. Copy it there."
            )
        return StoredImage(file, where)

    return locate


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    reader = Reader(
        name="hugging-face",
        summary="a Hugging Face data set of your own",
        options=Options,
        read=read,
        text="full",
    )
    catalogue.add(reader.entry())
