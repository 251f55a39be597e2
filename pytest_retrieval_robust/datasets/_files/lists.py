"""A data set of one's own from lists in memory: images or their paths, and reports."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...core.errors import DatasetError
from .._pixels.stored_image import StoredImage
from .captions import Given, gathered
from .collection import Choice, ReportDataset, choose
from .damage import attempted, kind_of
from .records import Found, ImageRow, held
from .values import as_text, captions_of, is_missing

if TYPE_CHECKING:
    from PIL.Image import Image

_SHOWN = "item {} of its lists (the first is 0)"


@dataclass(frozen=True, repr=False)
class HeldImage:
    """An image that is in memory, as a file of it would be."""

    picture: Image
    bits: int | None = None
    """As that of `StoredImage`; a picture in memory has 8 bits."""

    def decoded(self) -> Image:
        """A copy: what a model does with it changes nobody else's."""
        return self.picture.copy()

    def digest(self) -> bytes:
        """32 bytes that follow from its pixels."""
        digest = hashlib.blake2b(
            f"{self.picture.mode}{self.picture.size}".encode(), digest_size=32
        )
        digest.update(self.picture.tobytes())
        return digest.digest()


def dataset_of(
    name: str,
    images: Iterable[Any],
    reports: Iterable[Any],
    *,
    ids: Iterable[Any] | None,
    patients: Iterable[Any] | None,
    studies: Iterable[Any] | None,
    labels: Iterable[Any] | None,
    split: str,
    relevance: str,
    on_error: str,
) -> ReportDataset:
    """The data set of `api.dataset_from_lists`."""
    for option, value in (("name", name), ("split", split)):
        if not isinstance(value, str) or not value.strip():
            raise DatasetError(
                f"Expected {option} as a text, got {_kind(value)}. Choose one."
            )
    given = {"images": images, "reports": reports, "ids": ids, "patients": patients}
    given |= {"studies": studies, "labels": labels}
    lists = {
        key: _as_list(value, key)
        for key, value in given.items()
        if value is not None or key in _NEEDED
    }
    count = len(lists["images"])
    for key, values in lists.items():
        if len(values) != count:
            raise DatasetError(
                f"Expected {key} of the same length as images, got {len(values)} for"
                f" {count} images in {name}. Give one for each image, in the same"
                " order; several captions of an image are a list in its place."
            )
    choice = Choice("full", relevance, on_error=on_error)
    sources = [
        _source(image, _SHOWN.format(number))
        for number, image in enumerate(lists["images"])
    ]
    read = [_given(number, lists) for number in range(count)]
    columns = {"id": "ids", "group": "studies", "patient": "patients"}
    columns_given = {
        key: column if column in lists else None for key, column in columns.items()
    }
    found = gathered(read, columns_given)
    return choose(
        Found(
            name=name,
            split=split,
            images=found.rows,
            read_reports=held(found.texts),
            locate=lambda row: _located(sources[int(row.place)], row),
            read_labels=(lambda: found.labels) if labels is not None else None,
            texts_as_published=True,
        ),
        choice,
    )


_NEEDED = ("images", "reports")


def _as_list(values: Any, option: str) -> list[Any]:
    if (
        values is None
        or isinstance(values, str | bytes | dict | Path)
        or not isinstance(values, Iterable)
    ):
        raise DatasetError(
            f"Expected {option} as a list with one item per image, got {_kind(values)}."
            " Make it a list."
        )
    return list(values)


def _given(number: int, lists: dict[str, list[Any]]) -> Given:
    shown = _SHOWN.format(number)

    def word(option: str) -> str:
        return as_text(lists[option][number], option, shown) if option in lists else ""

    report = lists["reports"][number]
    texts = report.tolist() if isinstance(report, np.ndarray) else report
    its_id = word("ids")
    if "ids" in lists and not its_id.strip():
        raise DatasetError(
            f"Expected an id of each image, got none for {shown}. Leave ids out, or"
            " give all of them."
        )
    return Given(
        number=number,
        shown=shown,
        image=str(number),
        place=str(number),
        id=its_id,
        group=word("studies"),
        patient=word("patients"),
        view="",
        captions=captions_of(texts, "reports", shown),
        labels=(
            _labels(lists["labels"][number], shown)
            if "labels" in lists
            else frozenset()
        ),
    )


def _labels(value: Any, shown: str) -> frozenset[str]:
    """The labels of an image: a list or set of words, one word, or none."""
    if is_missing(value):
        return frozenset()
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, Iterable) or not all(
        isinstance(word, str) for word in words
    ):
        raise DatasetError(
            f"Expected labels as a list of words per image, got {_kind(value)} for"
            f" {shown}. Fix it."
        )
    return frozenset(words)


def _source(image: Any, shown: str) -> Path | bytes | Image:
    from PIL import Image as images

    if isinstance(image, images.Image):
        return _own(image, shown)
    if isinstance(image, str | PathLike):
        return Path(image).expanduser()
    if isinstance(image, bytes):
        return image
    if isinstance(image, np.ndarray):
        return _from_array(image, shown)
    raise DatasetError(
        "Expected images as paths, PIL images, bytes of image files or arrays, got"
        f" {_kind(image)} for {shown}. Give one of these."
    )


def _own(image: Image, shown: str) -> Image:
    """A copy, upright as its file would be read: the user's image may be changed, or
    closed, while a run goes on.
    """
    from PIL import ImageOps

    if min(image.size) < 1 or image.mode not in _EIGHT_BITS:
        raise DatasetError(
            "Expected images of 8 bits per channel and at least 1 x 1 pixels, got"
            f" mode={image.mode!r}, size={image.size} for {shown}. Scale others to"
            " 0..255, or give the path of the file."
        )
    return attempted(
        lambda: ImageOps.exif_transpose(image),
        lambda error: DatasetError(
            f"Expected an image that can be read, got {kind_of(error)} for {shown}."
            " Give the path of its file."
        ),
    )


_EIGHT_BITS = (
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
)


def _from_array(pixels: np.ndarray[Any, Any], shown: str) -> Image:
    from PIL import Image as images

    is_grey = pixels.ndim == 2
    is_colour = pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.dtype != np.uint8 or not (is_grey or is_colour) or 0 in pixels.shape:
        raise DatasetError(
            "Expected arrays of shape (rows, columns) or (rows, columns, 3) in uint8,"
            f" got shape={pixels.shape}, dtype={pixels.dtype} for {shown}. Scale them"
            " to 0..255, and put colours last."
        )
    return images.fromarray(np.ascontiguousarray(pixels))


def _located(source: Path | bytes | Image, row: ImageRow) -> StoredImage:
    if isinstance(source, Path | bytes):
        return StoredImage(source, _SHOWN.format(row.row))
    return cast(
        StoredImage, HeldImage(source)
    )  # it answers what is asked of a stored one


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
