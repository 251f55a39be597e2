"""Images of a flat or nested folder by their names: the tree is listed once, at the first image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from ..errors import UnreadableImageError
from ._pixels import StoredImage
from ._places import inside
from ._records import ImageRow


class FolderImages:
    """Finds the images of a root by relative path; where tables name files without folders, by name."""

    def __init__(
        self,
        root: Path,
        key: Callable[[str], str] | None = None,
        also: Callable[[str], Iterable[str]] | None = None,
    ) -> None:
        """`key` maps a file's name to a row's place; without it a place is a path, and `also` gives what it may be
        called otherwise."""
        self._root, self._key, self._also = root, key, also

    def __call__(self, row: ImageRow) -> StoredImage:
        """The image of a row; `UnreadableImageError` where none has its name."""
        shown = Path(row.place).name + (f" (row {row.row} of its table)" if row.row else "")
        if self._key is None:
            return StoredImage(self._existing(row.place, shown), shown)
        place = self._by_name.get(row.place)
        if place is None:
            raise UnreadableImageError(
                f"Expected an image, got no such file below images={self._root.name!r}: {shown}. Copy it there, or "
                "choose on_error='skip'."
            )
        return StoredImage(inside(self._root, place, shown), shown)

    def _existing(self, place: str, shown: str) -> Path:
        first = inside(self._root, place, shown)
        if self._also is None or first.exists():
            return first
        others = (inside(self._root, other, shown) for other in self._also(place))
        return next((other for other in others if other.exists()), first)

    @cached_property
    def _by_name(self) -> dict[str, str]:
        assert self._key is not None
        found: dict[str, str] = {}
        for folder, _, files in os.walk(self._root):
            for file in sorted(files):  # .png after .dcm: it wins, being read faster
                if file.lower().endswith((".png", ".jpg", ".jpeg", ".dcm", ".tif", ".tiff", ".webp")):
                    found[self._key(file)] = os.path.relpath(os.path.join(folder, file), self._root)
        return found
