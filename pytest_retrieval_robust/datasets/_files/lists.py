"""A data set from lists in memory: images or their paths, and reports."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from ...core.errors import DatasetError
from ...core.strata import SMALLEST_GROUP
from ...core.words import counted
from .._pixels.damage import attempted, kind_of
from .._pixels.stored_image import StoredImage
from .captions import CaptionRow, gather_images
from .choice import Choice
from .choosing import choose
from .records import ImageRow, SourceData, reports_in_memory
from .report_dataset import ReportDataset
from .strata_names import strata_names
from .values import as_text, captions_of, is_missing

if TYPE_CHECKING:
    from PIL.Image import Image

_ITEM = "item {} of its lists (the first is 0)"
_STRATA = "strata "
"""In front of a stratum's name among the lists."""
_REQUIRED = ("images", "reports")
_EIGHT_BITS = (
    *("1", "L", "LA", "La", "P", "PA"),
    *("RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"),
)
"""Pillow's modes of up to 8 bits per channel."""

ListSource: TypeAlias = "Path | bytes | Image"


@dataclass(frozen=True, repr=False)
class ImageInMemory:
    """An image that is in memory, with what is asked of a `StoredImage`."""

    picture: Image
    bits: int | None = None
    """As that of `StoredImage`; a picture in memory has 8 bits."""

    def decoded(self) -> Image:
        """A copy: what a model does with it changes nobody else's."""
        return self.picture.copy()

    def content(self) -> None:
        """It has no file."""

    def digest(self) -> bytes:
        """32 bytes that follow from its pixels."""
        shape = f"{self.picture.mode}{self.picture.size}"
        digest = hashlib.blake2b(shape.encode(), digest_size=32)
        digest.update(self.picture.tobytes())
        return digest.digest()


@dataclass(frozen=True, repr=False)
class ImageLists:
    """The lists of `dataset_from_lists`: one item per image in each."""

    images: Iterable[Any]
    reports: Iterable[Any]
    ids: Iterable[Any] | None = None
    patients: Iterable[Any] | None = None
    studies: Iterable[Any] | None = None
    labels: Iterable[Any] | None = None
    strata: Mapping[str, Iterable[Any]] | None = None
    """Lists by name, each with one word or number per image."""

    def checked(self, name: str) -> dict[str, list[Any]]:
        """The lists that there are, by option; `DatasetError` for different lengths."""
        lists = {
            option: _as_list(values, option)
            for option, values in vars(self).items()
            if option != "strata" and (values is not None or option in _REQUIRED)
        }
        for stratum, values in _strata_of(self.strata).items():
            lists[f"{_STRATA}{stratum}"] = _as_list(values, f"strata[{stratum!r}]")
        count = len(lists["images"])
        for option, values in lists.items():
            if len(values) != count:
                raise DatasetError(
                    f"Expected {option} of the same length as images, got {len(values)}"
                    f" for {counted(count, 'image')} in {name}. Give one for each image, in the"
                    " same order; several captions of an image are a list in its place."
                )
        return lists


def dataset_of(
    name: str,
    lists: ImageLists,
    *,
    split: str,
    relevance: str,
    on_error: str,
    group_by: Sequence[str] = (),
    smallest_group: int = SMALLEST_GROUP,
) -> ReportDataset:
    """The data set of `api.dataset_from_lists`."""
    for option, value in (("name", name), ("split", split)):
        if not isinstance(value, str) or not value.strip():
            raise DatasetError(
                f"Expected {option} as a text, got {_kind(value)}. Choose one."
            )
    values = lists.checked(name)
    # Before any image is looked at: mistakes in a word are reported at once.
    choice = Choice(
        "full",
        relevance,
        on_error=on_error,
        strata=strata_names(group_by),
        smallest_group=smallest_group,
    )
    sources = [
        _source(image, _ITEM.format(number))
        for number, image in enumerate(values["images"])
    ]
    rows = [_row(number, values) for number in range(len(sources))]
    images = gather_images(
        rows,
        {
            "id": "ids" if "ids" in values else None,
            "group": "studies" if "studies" in values else None,
            "patient": "patients" if "patients" in values else None,
        },
    )
    source = SourceData(
        name=name,
        split=split,
        images=images.rows,
        read_reports=reports_in_memory(images.texts),
        locate=lambda row: _located(sources[int(row.location)], row),
        read_labels=(lambda: images.labels) if "labels" in values else None,
        strata=_strata_words(values),
        texts_as_published=True,
    )
    return choose(source, choice)


def _strata_of(strata: Any) -> Mapping[str, Any]:
    """The lists by name; `DatasetError` for anything else."""
    if strata is None:
        return {}
    if not isinstance(strata, Mapping):
        raise DatasetError(
            f"Expected strata as lists by name, got {_kind(strata)}. Give"
            ' strata={"sex": [...], "age": [...]}, with one word or number per image.'
        )
    for name in strata:
        if not isinstance(name, str) or not name.strip():
            raise DatasetError(
                f"Expected a text as the name of a stratum, got {_kind(name)}. Name"
                " what the list says of the images."
            )
    return strata


def _strata_words(lists: Mapping[str, list[Any]]) -> dict[str, tuple[str, ...]]:
    """The words of each stratum, one per item."""
    strata = {}
    for option, values in lists.items():
        if option.startswith(_STRATA):
            name = option.removeprefix(_STRATA)
            strata[name] = tuple(
                as_text(value, f"strata[{name!r}]", _ITEM.format(number))
                for number, value in enumerate(values)
            )
    return strata


def _as_list(values: Any, option: str) -> list[Any]:
    # A text is iterable too: its characters would be taken for items.
    is_one_value = values is None or isinstance(values, str | bytes | dict | Path)
    if is_one_value or not isinstance(values, Iterable):
        raise DatasetError(
            f"Expected {option} as a list with one item per image, got {_kind(values)}."
            " Make it a list."
        )
    return list(values)


def _row(number: int, lists: Mapping[str, list[Any]]) -> CaptionRow:
    where = _ITEM.format(number)

    def word(option: str) -> str:
        return as_text(lists[option][number], option, where) if option in lists else ""

    report = lists["reports"][number]
    # An array of texts is a list of captions, as from a column of pandas.
    texts = report.tolist() if isinstance(report, np.ndarray) else report
    image_id = word("ids")
    if "ids" in lists and not image_id.strip():
        raise DatasetError(
            f"Expected an id of each image, got none for {where}. Leave ids out, or"
            " give all of them."
        )
    row = CaptionRow(
        number=number,
        where=where,
        image=str(number),
        location=str(number),
        id=image_id,
        group=word("studies"),
        patient=word("patients"),
        captions=captions_of(texts, "reports", where),
    )
    if "labels" in lists:
        row.labels = _labels(lists["labels"][number], where)
    return row


def _labels(value: Any, where: str) -> frozenset[str]:
    """The labels of an image: a list or set of words, one word, or none."""
    if is_missing(value):
        return frozenset()
    words = [value] if isinstance(value, str) else value
    is_list = isinstance(words, Iterable)
    if not is_list or not all(isinstance(word, str) for word in words):
        raise DatasetError(
            f"Expected labels as a list of words per image, got {_kind(value)} for"
            f" {where}. Fix it."
        )
    return frozenset(words)


def _source(image: Any, where: str) -> ListSource:
    from PIL import Image as images

    if isinstance(image, images.Image):
        return _upright_copy(image, where)
    if isinstance(image, str | PathLike):
        return Path(image).expanduser()
    if isinstance(image, bytes):
        return image
    if isinstance(image, np.ndarray):
        return _from_array(image, where)
    raise DatasetError(
        "Expected images as paths, PIL images, bytes of image files or arrays, got"
        f" {_kind(image)} for {where}. Give one of these."
    )


def _upright_copy(image: Image, where: str) -> Image:
    """A copy, upright as its file would be read.

    The user may change or close the image while a run goes on.
    """
    from PIL import ImageOps

    if min(image.size) < 1 or image.mode not in _EIGHT_BITS:
        raise DatasetError(
            "Expected images of 8 bits per channel and at least 1 x 1 pixels, got"
            f" mode={image.mode!r}, size={image.size} for {where}. Scale others to"
            " 0..255, or give the path of the file."
        )
    return attempted(
        lambda: ImageOps.exif_transpose(image),
        lambda error: DatasetError(
            f"Expected an image that can be read, got {kind_of(error)} for {where}."
            " Give the path of its file."
        ),
    )


def _from_array(pixels: np.ndarray[Any, Any], where: str) -> Image:
    from PIL import Image as images

    is_grey = pixels.ndim == 2
    is_colour = pixels.ndim == 3 and pixels.shape[2] == 3
    has_shape = (is_grey or is_colour) and 0 not in pixels.shape
    if pixels.dtype != np.uint8 or not has_shape:
        raise DatasetError(
            "Expected arrays of shape (rows, columns) or (rows, columns, 3) in uint8,"
            f" got shape={pixels.shape}, dtype={pixels.dtype} for {where}. Scale them"
            " to 0..255, and put colours last."
        )
    return images.fromarray(np.ascontiguousarray(pixels))


def _located(source: ListSource, row: ImageRow) -> StoredImage:
    if isinstance(source, Path | bytes):
        return StoredImage(source, _ITEM.format(row.row))
    # It answers what is asked of a stored one.
    return cast(StoredImage, ImageInMemory(source))


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
