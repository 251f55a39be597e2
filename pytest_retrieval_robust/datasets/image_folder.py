"""A folder of images with texts beside them: `a.png` and `a.txt`, also in folders of patients."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..core.catalogue import Catalogue
from ..core.errors import DatasetError
from ..core.files import open_regular
from ._files.captions import CaptionRow, gather_images
from ._files.entries import Reader
from ._files.records import SourceData, reports_in_memory
from ._files.text_policy import decoded
from ._pixels.damage import attempted, kind_of
from .entry import DatasetEntry

_WHERE = "image {} of its folder (in the order of names)"
_LINES = "txt-lines"
_MOST_TEXT = 5_000_000
"""Bytes of a text."""


@dataclass(frozen=True, repr=False)
class Options:
    """Where the folder lies, and what its folders stand for."""

    path: str | Path | None = None
    """The folder. Folders below it are read too."""
    text: str = "txt"
    """`txt`: `a.txt` is the text of `a.png`. `txt-lines`: each of its lines is a caption.
    Any other word is the suffix of texts: `caption` for `a.caption`.
    """
    patient_level: int = 0
    """Which folder is the patient's: 1 for the first below `path`; 0 if none is."""
    study_level: int = 0
    """Which folder is the study's. An image without a text of its own then has that of
    its study: `STUDY.txt` beside the folder, or the only text in it.
    """

    @property
    def suffix(self) -> str:
        return ".txt" if self.text == _LINES else f".{self.text.removeprefix('.')}"


@dataclass(frozen=True, repr=False)
class _Listing:
    """The files of a folder, relative to it, in the order of their names."""

    images: Sequence[PurePosixPath]
    texts: frozenset[PurePosixPath]
    texts_in: Mapping[PurePosixPath, Sequence[PurePosixPath]]
    """Folder -> the texts that lie in it."""


def read(options: Options, name: str) -> SourceData:
    """One image per file. Its id is its path below the folder.

    Images without a text, and texts without an image, are counted and left out; so are
    hidden files. Raises `DatasetError` with the image by its number.
    """
    from ._files.folder_images import FolderImages
    from ._files.paths import require_root

    root = require_root(options.path, "path", name, "images with texts beside them")
    listing = _listing(root, options.suffix)
    if not listing.images:
        raise DatasetError(
            f"Expected images in the folder of {name}, got none at path={root.name!r}."
            " Fix the path."
        )
    rows: list[CaptionRow] = []
    used: set[PurePosixPath] = set()
    for number, image in enumerate(listing.images, 1):
        text = _text_of(image, listing, options)
        if text is not None:
            used.add(text)
        rows.append(_row(root, image, text, options, number))
    _require_one_image(rows, options)
    images = gather_images(
        rows,
        {
            "id": None,
            "group": "study_level" if options.study_level else None,
            "patient": "patient_level" if options.patient_level else None,
        },
    )
    return SourceData(
        name=name,
        split="all",
        images=images.rows,
        read_reports=reports_in_memory(images.texts),
        locate=FolderImages(root, row_name=_WHERE),
        counts={**images.counts, "texts without an image": len(listing.texts - used)},
        texts_as_published=True,
    )


def _listing(root: Path, suffix: str) -> _Listing:
    from ._files.folder_images import IMAGE_SUFFIXES

    images: list[PurePosixPath] = []
    texts_in: dict[PurePosixPath, list[PurePosixPath]] = {}
    for file in _files(root):
        # Texts first: a suffix of images may have been named as that of texts.
        if file.name.lower().endswith(suffix.lower()):
            texts_in.setdefault(file.parent, []).append(file)
        elif file.suffix.lower() in IMAGE_SUFFIXES:
            images.append(file)
    texts = frozenset(text for group in texts_in.values() for text in group)
    return _Listing(images, texts, texts_in)


def _files(root: Path) -> Iterator[PurePosixPath]:
    """The files below a folder that are not hidden, by folder and name."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(inner for inner in folders if not inner.startswith("."))
        below = PurePosixPath(Path(folder).relative_to(root).as_posix())
        for file in sorted(files):
            if not file.startswith("."):
                yield below / file


def _text_of(
    image: PurePosixPath, listing: _Listing, options: Options
) -> PurePosixPath | None:
    """The file of an image's text, or of its study's; None if there is none."""
    own = image.parent / f"{image.stem}{options.suffix}"
    if own in listing.texts:
        return own
    study = _folder_at(image, options.study_level)
    if study is None:
        return None
    beside = study.parent / f"{study.name}{options.suffix}"
    if beside in listing.texts:
        return beside
    inside = listing.texts_in.get(study, ())
    return inside[0] if len(inside) == 1 else None


def _folder_at(image: PurePosixPath, level: int) -> PurePosixPath | None:
    """The folder of an image that many levels below the root; None for level 0."""
    folders = image.parts[:-1]
    if level == 0:
        return None
    return PurePosixPath(*folders[:level]) if 0 < level <= len(folders) else None


def _row(
    root: Path,
    image: PurePosixPath,
    text: PurePosixPath | None,
    options: Options,
    number: int,
) -> CaptionRow:
    where = _WHERE.format(number)
    captions: tuple[str, ...] = ()
    if text is not None:
        content = _content(root, text, where).strip()
        has_lines = options.text == _LINES
        captions = tuple(content.splitlines()) if has_lines else (content,)
    return CaptionRow(
        number=number,
        where=where,
        image=image.as_posix(),
        location=image.as_posix(),
        id=image.as_posix(),
        group=_named_folder(image, options.study_level, "study_level", where),
        patient=_named_folder(image, options.patient_level, "patient_level", where),
        captions=captions,
    )


def _named_folder(image: PurePosixPath, level: int, option: str, where: str) -> str:
    if level == 0:
        return ""
    folder = _folder_at(image, level)
    if folder is None:
        raise DatasetError(
            f"Expected {option} to count folders between path and each image, got"
            f" {option}={level} and an image {len(image.parts) - 1} folders below path:"
            f" {where}. Fix it, or give the folder above as path."
        )
    return folder.as_posix()


def _content(root: Path, text: PurePosixPath, where: str) -> str:
    from ._files.paths import inside

    file = inside(root, text.as_posix(), f"the text of {where}")

    def read_bytes() -> bytes:
        with open_regular(file) as stream:
            return stream.read(_MOST_TEXT + 1)

    content = attempted(
        read_bytes,
        lambda error: DatasetError(
            f"Expected a readable text, got {kind_of(error)}: the text of {where}."
            " Check its permissions and its disk."
        ),
    )
    if len(content) > _MOST_TEXT:
        raise DatasetError(
            f"Expected a text of at most {_MOST_TEXT} bytes, got more: the text of"
            f" {where}. Leave it out."
        )
    return decoded(content, f"the text of {where}")


def _require_one_image(rows: Sequence[CaptionRow], options: Options) -> None:
    """Refuse two images of one name with the same text: nobody can know which one is meant."""
    if options.study_level:
        return
    first_of: dict[PurePosixPath, CaptionRow] = {}
    for row in rows:
        if not row.captions:
            continue
        earlier = first_of.setdefault(PurePosixPath(row.image).with_suffix(""), row)
        if earlier is not row:
            raise DatasetError(
                f"Expected one image beside each text, got two of one name: {row.where}"
                f" and image {earlier.number}. Leave one out."
            )


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    reader = Reader(
        name="image-folder",
        summary="a folder of images with texts beside them",
        options=Options,
        read=read,
        text="full",
    )
    catalogue.add(reader.entry())
