"""A Hugging Face data set: a folder of `save_to_disk`, a folder of Parquet files, or a
name of the hub.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.catalogue import Catalogue, unknown_name
from ..core.errors import DatasetError, UnreadableImageError
from ..core.files import is_regular
from ._files.captions import Given, gathered
from ._files.damage import attempted, guarded, kind_of
from ._files.entries import entry_of
from ._files.records import Found, ImageRow, held
from .entry import DatasetEntry

if TYPE_CHECKING:
    from ._pixels.stored_image import StoredImage

_ROW = "row {} of its data set (the first is 0)"
_SECTIONS = ("findings", "impression")


def find(
    *,
    name: str = "hugging-face",
    path: str | None = None,
    split: str = "test",
    image: str = "image",
    text: str = "text",
    findings: str | None = None,
    impression: str | None = None,
    id: str | None = None,
    group: str | None = None,
    patient: str | None = None,
) -> Found:
    """What the data set holds: one row per image, or several rows with the same image
    and id and different texts.

    Args:
        name: What the data set is called. path: A folder, or ORG/NAME of the hub (from
        the cache with `HF_HUB_OFFLINE=1`). split: The split that is read. image, text:
        The columns of images and of texts. A text may be a list: several captions.
        findings, impression: Columns of the sections, for the text policies of those
        names. id, group, patient: Columns of unique ids (by default the row's number),
        studies and patients. Rows of one id
            must have the same image: their texts are its captions.

    Needs the extra `huggingface`. Rows stay on the disk, memory-mapped; images are
    decoded when they are needed.
    """
    opened = _opened(path, split, name)
    options = {
        "findings": findings,
        "impression": impression,
        "id": id,
        "group": group,
        "patient": patient,
    }
    columns = {key: column for key, column in options.items() if column is not None}
    for column in (image, text, *columns.values()):
        if column not in opened.column_names:
            raise DatasetError(
                str(unknown_name(f"column of {name}", column, opened.column_names))
            )
    pictures = _pictures(opened, image, name)
    read = _read(opened, text, columns, name)
    if id is not None:
        _tell_images_apart(read, pictures, image)
    images = gathered(read, {"id": id, "group": group, "patient": patient})
    return Found(
        name=name,
        split=split,
        images=images.rows,
        read_reports=held(images.texts),
        locate=_locator(pictures, image, Path(str(path)).expanduser()),
        counts=images.counts,
        texts_as_published=findings is None and impression is None,
    )


def _read(opened: Any, text: str, columns: Mapping[str, str], name: str) -> list[Given]:
    from ._files.values import as_text, captions_of, section_of

    words = opened.select_columns(list(dict.fromkeys((text, *columns.values()))))
    read: list[Given] = []
    for number, values in enumerate(
        guarded(words, lambda error: _damaged(error, name))
    ):
        shown = _ROW.format(number)
        sections = {
            key: section_of(values[columns[key]], columns[key], shown)
            for key in _SECTIONS
            if key in columns
        }
        taken = {
            key: as_text(values[column], column, shown)
            for key, column in columns.items()
            if key not in sections
        }
        read.append(
            Given(
                number=number,
                shown=shown,
                image=str(number),
                place=str(number),
                id=taken.get("id", ""),
                group=taken.get("group", ""),
                patient=taken.get("patient", ""),
                view="",
                captions=captions_of(values[text], text, shown),
                findings=sections.get("findings", ""),
                impression=sections.get("impression", ""),
                has_sections=bool(sections),
                source=str(number),
            )
        )
    return read


def _tell_images_apart(read: list[Given], pictures: Any, column: str) -> None:
    """Rows with the id of an earlier one are captions of its image, where they hold the
    same picture.
    """
    first: dict[str, Given] = {}
    for given in read:
        if not given.id:
            continue
        earlier = first.setdefault(given.id, given)
        if earlier is not given:
            content = [
                _content_key(pictures, column, one.number) for one in (earlier, given)
            ]
            if content[0] == content[1]:
                given.image = earlier.image


def _content_key(pictures: Any, column: str, number: int) -> object:
    stored = pictures[number][column]
    if stored is None:
        return number
    return (
        stored["path"]
        if stored["bytes"] is None
        else hashlib.blake2b(stored["bytes"]).digest()
    )


def _damaged(error: BaseException, name: str) -> DatasetError:
    return DatasetError(
        f"Expected a whole data set as {name}, got {kind_of(error)} while it was read."
        " Copy it again."
    )


def _opened(path: str | None, split: str, name: str) -> Any:
    if path is None:
        raise DatasetError(
            f"Expected path=FOLDER or ORG/NAME of {name}, got none. Give it to"
            f" load_dataset, or under [datasets.{name}] in robust.toml."
        )
    library = attempted(_library, lambda error: _no_library(error, name))
    folder = Path(path).expanduser()
    source = str(folder) if folder.is_dir() else str(path)
    _require_files(folder, name)

    def opened() -> Any:
        if (folder / "dataset_dict.json").is_file() or (
            folder / "state.json"
        ).is_file():
            return library.load_from_disk(str(folder))
        return library.load_dataset(source, split=split)

    def problem(
        error: BaseException,
    ) -> DatasetError:  # a dozen kinds, from a missing network to a damaged Arrow file
        known = _splits(library, source)
        if known and split not in known:
            return DatasetError(str(unknown_name(f"split of {name}", split, known)))
        if folder.is_dir():
            advice = (
                "Give a folder of save_to_disk, of Parquet files, or of images with"
                " metadata."
            )
        else:
            advice = (
                "Fix path, or bring the data set into the cache where there is a"
                " network."
            )
        return DatasetError(
            f"Expected a data set with split={split!r} for {name}, got {kind_of(error)}"
            f" when it was opened. {advice}"
        )

    held_sets = attempted(opened, problem)
    return (
        _of_split(held_sets, split, name)
        if isinstance(held_sets, Mapping)
        else held_sets
    )


def _require_files(folder: Path, name: str) -> None:
    """The library would wait for a FIFO's writer, or read a device without end."""
    for parent, _, files in os.walk(folder):
        for file in files:
            path = Path(parent, file)
            if path.exists() and not is_regular(path):
                raise DatasetError(
                    f"Expected files and folders alone in the folder of {name}, got a"
                    " FIFO, a device or a socket. Take it out of the folder."
                )


def _library() -> Any:
    import datasets

    return datasets


def _no_library(error: BaseException, name: str) -> DatasetError:
    got = "none" if isinstance(error, ImportError) else kind_of(error)
    return DatasetError(
        f"Expected the package datasets to read {name}, got {got}. Run `pip install "
        "pytest-retrieval-robust[huggingface]`."
    )


def _splits(library: Any, source: str) -> list[str]:
    """The splits that there are; none where that cannot be known."""
    try:
        return list(library.get_dataset_split_names(source))
    except Exception:  # whatever made it fail is said already
        return []


def _of_split(held_sets: Mapping[str, Any], split: str, name: str) -> Any:
    if split not in held_sets:
        raise DatasetError(str(unknown_name(f"split of {name}", split, held_sets)))
    return held_sets[split]


def _pictures(opened: Any, column: str, name: str) -> Any:
    """The column of images, not decoded."""
    import datasets

    kind = opened.features[column]
    if not isinstance(kind, datasets.Image):
        raise DatasetError(
            f"Expected a column of images, got {column}={type(kind).__name__} in"
            f" {name}. Cast it to datasets.Image()."
        )
    return opened.select_columns([column]).cast_column(
        column, datasets.Image(decode=False)
    )


def _locator(
    pictures: Any, column: str, root: Path
) -> Callable[[ImageRow], StoredImage]:
    def locate(row: ImageRow) -> StoredImage:
        from ._pixels.stored_image import StoredImage

        shown = _ROW.format(row.row)
        stored = attempted(
            lambda: pictures[int(row.place)][column],
            lambda error: UnreadableImageError(
                f"Expected a readable row, got {kind_of(error)}: {shown}. Copy the data"
                " set again."
            ),
        )
        if stored is None:
            raise UnreadableImageError(
                f"Expected an image, got none: {shown}. Leave it out."
            )
        if stored["bytes"] is not None:
            return StoredImage(stored["bytes"], shown)
        file = Path(stored["path"])
        if root.is_dir() and not file.resolve().is_relative_to(root.resolve()):
            raise DatasetError(
                f"Expected images inside path={root.name!r}, got one outside of it:"
                f" {shown}. Copy it there."
            )
        return StoredImage(file, shown)

    return locate


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(
        entry_of(
            "hugging-face", "a Hugging Face data set of your own", find, text="full"
        )
    )
