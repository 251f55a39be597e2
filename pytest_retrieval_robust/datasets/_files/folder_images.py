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


class FolderImages:
    """Finds the images of a root by relative path; where tables name files without
    folders, by name.
    """

    def __init__(
        self,
        root: Path,
        key: Callable[[str], str] | None = None,
        also: Callable[[str], Iterable[str]] | None = None,
        named: str = ITS_TABLE,
    ) -> None:
        """`key` maps a file's name to a row's place; without it a place is a path, and
        `also` gives what it may be called otherwise. `named` is how messages name an
        image by its row's number.
        """
        self._root, self._key, self._also, self._named = root, key, also, named

    def __call__(self, row: ImageRow) -> StoredImage:
        """The image of a row; `UnreadableImageError` where none has its name."""
        shown = self._named.format(row.row)
        if self._key is None:
            return StoredImage(self._existing(row.place, shown), shown)
        place = self._by_name.get(row.place)
        if place is None:
            raise UnreadableImageError(
                f"Expected an image, got no such file below images={self._root.name!r}:"
                f" {shown}. Copy it there, or choose on_error='skip'."
            )
        return StoredImage(inside(self._root, place, shown), shown)

    def _existing(self, place: str, shown: str) -> Path:
        first = inside(self._root, place, shown)
        if os.path.exists(first):
            return first
        others = (inside(self._root, other, shown) for other in self._otherwise(place))
        return next((other for other in others if os.path.exists(other)), first)

    def _otherwise(self, place: str) -> Iterator[str]:
        """What a file that is not there may be called: tables of Windows and macOS
        write names in ways of their own.
        """
        yield from () if self._also is None else self._also(place)
        for form in ("NFC", "NFD"):
            other = unicodedata.normalize(form, place)
            if other != place:
                yield other
        if "\\" in place:
            yield place.replace("\\", "/")

    @cached_property
    def _by_name(self) -> dict[str, str]:
        assert self._key is not None
        found: dict[str, str] = {}
        for folder, _, files in os.walk(self._root):
            for file in sorted(files):  # .png after .dcm: it wins, being read faster
                if file.lower().endswith(
                    (".png", ".jpg", ".jpeg", ".dcm", ".tif", ".tiff", ".webp")
                ):
                    found[self._key(file)] = os.path.relpath(
                        os.path.join(folder, file), self._root
                    )
        return found
