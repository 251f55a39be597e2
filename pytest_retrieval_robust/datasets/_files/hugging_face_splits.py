"""A split of a Hugging Face data set: a folder, or a name of the hub."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.catalogue import unknown_name
from ...core.errors import DatasetError
from ...core.files import is_regular
from .._pixels.damage import attempted, kind_of
from .._pixels.quiet import quiet

_USUAL = "test"
"""The split that is read if the user names none."""


@dataclass(frozen=True)
class OpenedSplit:
    """The rows of a split, and what it is called."""

    rows: Any = field(repr=False)
    split: str


def open_split(path: str | None, split: str | None, name: str) -> OpenedSplit:
    """Open one split of a folder or of ORG/NAME; without `split` the usual or only one.

    Raises `DatasetError` if there is no such data, or if a split has to be named.
    """
    if path is None:
        raise DatasetError(
            f"Expected path=FOLDER or ORG/NAME of {name}, got none. Give it to"
            f" load_dataset, or under [datasets.{name}] in robust.toml."
        )
    library = attempted(_library, lambda error: _no_library(error, name))
    folder = Path(path).expanduser()
    if folder.is_dir():
        _require_files(folder, name)
        return _of_folder(library, folder, split, name)
    return _of_hub(library, str(path), split, name)


def _of_folder(library: Any, folder: Path, split: str | None, name: str) -> OpenedSplit:
    """A split of `save_to_disk`, of Parquet files, or of images with metadata."""

    def opened() -> Any:
        state_files = (folder / "dataset_dict.json", folder / "state.json")
        # Its log records quote paths.
        with quiet():
            if any(file.is_file() for file in state_files):
                return library.load_from_disk(str(folder))
            # All splits: the library prepares them together even if one is asked for.
            return library.load_dataset(str(folder))

    # The library raises a dozen kinds, from other columns to a damaged Arrow file.
    def problem(error: BaseException) -> DatasetError:
        return DatasetError(
            f"Expected a data set in the folder of {name}, got {kind_of(error)} when it"
            " was opened. Give a folder of save_to_disk, of Parquet files, or of images"
            " with metadata.csv."
        )

    dataset = attempted(opened, problem)
    if isinstance(dataset, Mapping):
        chosen = _chosen(split, dataset, name)
        return OpenedSplit(dataset[chosen], chosen)
    # A single split of `save_to_disk` may know what it is called.
    own = None if dataset.split is None else str(dataset.split)
    if own is not None:
        split = _chosen(split, [own], name)
    return OpenedSplit(dataset, split or _USUAL)


def _of_hub(library: Any, source: str, split: str | None, name: str) -> OpenedSplit:
    chosen = split
    if chosen is None:
        splits = _splits(library, source)
        chosen = _chosen(None, splits, name) if splits else _USUAL

    def problem(error: BaseException) -> DatasetError:
        splits = _splits(library, source)
        if splits and chosen not in splits:
            return _unknown_split(str(chosen), splits, name)
        return DatasetError(
            f"Expected a data set with split={chosen!r} for {name}, got"
            f" {kind_of(error)} when it was opened. Fix path, or bring the data set into"
            " the cache on a machine with a network."
        )

    opened = _opener(library, source, chosen)
    return OpenedSplit(attempted(opened, problem), chosen)


def _opener(library: Any, source: str, split: str) -> Callable[[], Any]:
    def opened() -> Any:
        with quiet():
            return library.load_dataset(source, split=split)

    return opened


def _chosen(split: str | None, splits: Collection[str], name: str) -> str:
    """The split that the user names, else the usual one, else the only one."""
    if split is not None:
        if split not in splits:
            raise _unknown_split(split, splits, name)
        return split
    if _USUAL in splits:
        return _USUAL
    if len(splits) == 1:
        return next(iter(splits))
    raise DatasetError(
        f"Expected split=NAME for {name}, which has no split called {_USUAL}, got none."
        f" Choose one of {', '.join(splits) or 'its splits'}."
    )


def _unknown_split(split: str, splits: Collection[str], name: str) -> DatasetError:
    return DatasetError(str(unknown_name(f"split of {name}", split, splits)))


def _require_files(folder: Path, name: str) -> None:
    """Refuse what is no file: the library would wait for a FIFO's writer without end."""
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
    """The splits that there are; none if that cannot be known."""
    try:
        return list(library.get_dataset_split_names(source))
    # What made it fail is reported already, or will be when the data set is opened.
    except Exception:
        return []
