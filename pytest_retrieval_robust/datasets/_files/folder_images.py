"""Images of a flat or nested folder by their names: the tree is listed once, at the first image."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

from ...core.errors import UnreadableImageError
from .._pixels.stored_image import StoredImage
from .places import inside
from .records import ImageRow

ITS_TABLE = "row {} of its table"
"""How messages name an image: files and folders may be named after patients."""
_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".tif", ".tiff", ".webp")


class FolderImages:
    """Finds the images of a root by relative path, or by name in any folder below it."""

    def __init__(
        self,
        root: Path,
        key: Callable[[str], str] | None = None,
        also: Callable[[str], Iterable[str]] | None = None,
        shown: str = ITS_TABLE,
    ) -> None:
        """What the places of rows mean.

        Args:
            root: The folder, resolved.
            key: Makes a row's place of a file's name, if tables name files without
                folders. Without it a place is a relative path.
            also: Gives the other paths that a path may be written as.
            shown: How messages name an image by its row's number.
        """
        self._root = root
        self._key = key
        self._also = also
        self._shown = shown

    def __call__(self, row: ImageRow) -> StoredImage:
        """The image of a row; `UnreadableImageError` if no file has its name."""
        shown = self._shown.format(row.row)
        if self._key is None:
            return StoredImage(self._existing(row.place, shown), shown)
        place = self._place_by_key.get(row.place)
        if place is None:
            raise UnreadableImageError(
                f"Expected an image, got no such file below images={self._root.name!r}:"
                f" {shown}. Copy it there, or choose on_error='skip'."
            )
        return StoredImage(inside(self._root, place, shown), shown)

    def _existing(self, place: str, shown: str) -> Path:
        """The path as it is written, or the first other one that exists."""
        written = inside(self._root, place, shown)
        if os.path.exists(written):
            return written
        for spelling in self._other_spellings(place):
            path = inside(self._root, spelling, shown)
            if os.path.exists(path):
                return path
        return written

    def _other_spellings(self, place: str) -> Iterator[str]:
        """What else a file may be called: Windows and macOS write names their own way."""
        if self._also is not None:
            yield from self._also(place)
        for form in ("NFC", "NFD"):
            normalized = unicodedata.normalize(form, place)
            if normalized != place:
                yield normalized
        if "\\" in place:
            yield place.replace("\\", "/")

    @cached_property
    def _place_by_key(self) -> dict[str, str]:
        assert self._key is not None
        places: dict[str, str] = {}
        for folder, _, files in os.walk(self._root):
            # A .png comes after a .dcm of the same key, and wins: it is faster to read.
            for file in sorted(files):
                if file.lower().endswith(_SUFFIXES):
                    path = os.path.join(folder, file)
                    places[self._key(file)] = os.path.relpath(path, self._root)
        return places
