"""Images of a flat or nested folder by their names: the tree is listed once, at the first image."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

from ...core.errors import DatasetError, UnreadableImageError
from .._pixels.stored_image import StoredImage
from .paths import inside
from .records import ImageRow

ITS_TABLE = "row {} of its table"
"""How messages name an image: files and folders may be named after patients."""
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".tif", ".tiff", ".webp")


class FolderImages:
    """Finds the images of a root by relative path, or by name in any folder below it."""

    def __init__(
        self,
        root: Path,
        key: Callable[[str], str] | None = None,
        also: Callable[[str], Iterable[str]] | None = None,
        row_name: str = ITS_TABLE,
        array: str | None = None,
    ) -> None:
        """What the places of rows mean.

        Args:
            root: The folder, resolved.
            key: Makes a row's location of a file's name, if tables name files without
                folders. Without it a location is a relative path.
            also: Gives the other paths that a path may be written as.
            row_name: How messages name an image by its row's number.
            array: The array that is the picture, in files that are .npz.
        """
        self._root = root
        self._key = key
        self._also = also
        self._row_name = row_name
        self._array = array

    def __call__(self, row: ImageRow) -> StoredImage:
        """The image of a row; `UnreadableImageError` if no file has its name."""
        where = self._row_name.format(row.row)
        if self._key is None:
            path = self._existing(row.location, where)
            return StoredImage(path, where, array=self._array)
        listed = self._path_by_key.get(row.location)
        if listed is None:
            raise UnreadableImageError(
                f"Expected an image, got no such file below images={self._root.name!r}:"
                f" {where}. Copy it there (folders that are links are not searched), or"
                " choose on_error='skip'."
            )
        return StoredImage(inside(self._root, listed, where), where, array=self._array)

    def has_file(self, row: ImageRow) -> bool:
        """Whether a file of the root has the place of a row; nothing is opened."""
        if self._key is not None:
            return row.location in self._path_by_key
        try:
            path = self._existing(row.location, "a row")
        except DatasetError:
            return False
        return os.path.isfile(path)

    def _existing(self, written: str, where: str) -> Path:
        """The path as it is written, or the first other one that exists."""
        path = inside(self._root, written, where)
        if os.path.exists(path):
            return path
        for spelling in self._other_spellings(written):
            other_path = inside(self._root, spelling, where)
            if os.path.exists(other_path):
                return other_path
        return path

    def _other_spellings(self, path: str) -> Iterator[str]:
        """What else a file may be called: Windows and macOS write names their own way."""
        if self._also is not None:
            yield from self._also(path)
        for form in ("NFC", "NFD"):
            normalized = unicodedata.normalize(form, path)
            if normalized != path:
                yield normalized
        if "\\" in path:
            yield path.replace("\\", "/")

    @cached_property
    def _path_by_key(self) -> dict[str, str]:
        assert self._key is not None
        paths: dict[str, str] = {}
        # Once for all images: a search per image would list the tree every time.
        for folder, _, files in os.walk(self._root):
            # A .png comes after a .dcm of the same key, and wins: it is faster to read.
            for file in sorted(files):
                if file.lower().endswith(IMAGE_SUFFIXES):
                    absolute = os.path.join(folder, file)
                    paths[self._key(file)] = os.path.relpath(absolute, self._root)
        return paths
