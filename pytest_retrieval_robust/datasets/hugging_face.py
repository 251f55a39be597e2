"""A Hugging Face data set: a folder of `save_to_disk`, a folder of Parquet files, or a name of the hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..catalogue import Catalogue, unknown_name
from ..errors import DatasetError, UnreadableImageError
from . import DatasetEntry
from ._entries import entry_of
from ._records import Found, ImageRow, Sections, held

if TYPE_CHECKING:
    from ._pixels import StoredImage


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
    """What the data set holds: one row an image.

    Args:
        name: What the data set is called.
        path: A folder, or ORG/NAME of the hub (from the cache with `HF_HUB_OFFLINE=1`).
        split: The split that is read.
        image, text: The columns of images and of texts.
        findings, impression: Columns of the sections, for the text policies of those names.
        id, group, patient: Columns of unique ids (by default the row's number), studies and patients.

    Needs the extra `huggingface`. Rows stay on the disk, memory-mapped; images are decoded when they are needed.
    """
    from ._tables import require_unique

    opened = _opened(path, split, name)
    given = {"findings": findings, "impression": impression, "id": id, "group": group, "patient": patient}
    wanted = {key: column for key, column in given.items() if column is not None}
    for column in (image, text, *wanted.values()):
        if column not in opened.column_names:
            raise DatasetError(str(unknown_name(f"column of {name}", column, opened.column_names)))
    rows: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    words = opened.select_columns(list(dict.fromkeys((text, *wanted.values()))))
    for number, values in enumerate(words):
        taken = {key: str(values[column] or "") for key, column in wanted.items()}
        study = taken.get("group") or f"row {number}"
        sections = Sections(taken.get("findings", ""), taken.get("impression", ""), str(values[text] or ""))
        if texts.setdefault(study, sections) != sections:
            raise DatasetError(f"Expected one text a group, got another one in row {number} of {name}.")
        rows.append(
            ImageRow(taken.get("id") or str(number), study, taken.get("patient") or study, "", str(number), number)
        )
    require_unique(((row.row, row.id) for row in rows), "id", name)
    return Found(
        name=name,
        split=split,
        images=rows,
        read_reports=held(texts),
        locate=_locator(opened, image, name, Path(str(path))),
        texts_as_published=findings is None and impression is None,
    )


def _opened(path: str | None, split: str, name: str) -> Any:
    if path is None:
        raise DatasetError(
            f"Expected path=FOLDER or ORG/NAME of {name}, got none. Give it to load_dataset, or under "
            f"[datasets.{name}] in robust.toml."
        )
    try:
        import datasets
    except ImportError as error:
        raise DatasetError(
            f"Expected the package datasets to read {name}, got none. Run `pip install "
            "pytest-retrieval-robust[huggingface]`."
        ) from error
    folder = Path(path).expanduser()
    try:
        if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
            held_sets = datasets.load_from_disk(str(folder))
            return _of_split(held_sets, split, name) if isinstance(held_sets, Mapping) else held_sets
        return datasets.load_dataset(str(folder) if folder.is_dir() else str(path), split=split)
    except DatasetError:
        raise
    except Exception as error:  # a dozen kinds, from a missing network to a damaged Arrow file
        known = str(error).splitlines()[0] if "split" in str(error).lower() else ""  # never a row's own words
        raise DatasetError(
            f"Expected a data set with split={split!r} for {name}, got {type(error).__name__} {known}. Mend path or "
            "split, or bring it where there is a network."
        ) from error


def _of_split(held_sets: Mapping[str, Any], split: str, name: str) -> Any:
    if split not in held_sets:
        raise DatasetError(str(unknown_name(f"split of {name}", split, held_sets)))
    return held_sets[split]


def _locator(opened: Any, column: str, name: str, root: Path) -> Callable[[ImageRow], StoredImage]:
    import datasets

    kind = opened.features[column]
    if not isinstance(kind, datasets.Image):
        raise DatasetError(
            f"Expected a column of images, got {column}={type(kind).__name__} in {name}. Cast it to datasets.Image()."
        )
    pictures = opened.select_columns([column]).cast_column(column, datasets.Image(decode=False))

    def locate(row: ImageRow) -> StoredImage:
        from ._pixels import StoredImage

        shown = f"row {row.row} of {name}"
        held_image = pictures[int(row.place)][column]
        if held_image is None:
            raise UnreadableImageError(f"Expected an image, got none: {shown}. Leave it out.")
        if held_image["bytes"] is not None:
            return StoredImage(held_image["bytes"], shown)
        file = Path(held_image["path"])
        if root.is_dir() and not file.resolve().is_relative_to(root.resolve()):
            raise DatasetError(f"Expected images inside {root.name}, got one outside of it: {shown}. Copy it there.")
        return StoredImage(file, shown)

    return locate


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(entry_of("hugging-face", "a Hugging Face data set of your own", find, text="full"))
