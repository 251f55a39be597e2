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
    texts: Mapping[PurePosixPath, Sequence[PurePosixPath]]
    """Path without its suffix -> the texts of it: one, unless their suffixes are
    spelled in several ways.
    """
    texts_in: Mapping[PurePosixPath, Sequence[PurePosixPath]]
    """Folder -> the texts that lie in it."""
    links: int
    """Folders that are links. What they hold is not listed."""

    @property
    def number_of_texts(self) -> int:
        return sum(len(group) for group in self.texts.values())

    def text_at(self, stem: PurePosixPath, number: int) -> PurePosixPath | None:
        """The text of a path without its suffix, which image `number` asks for."""
        group = self.texts.get(stem, ())
        if len(group) > 1:
            raise DatasetError(
                f"Expected one text beside each image, got {len(group)} whose suffixes"
                f" differ in upper and lower case: {_WHERE.format(number)}. Leave one"
                " out."
            )
        return group[0] if group else None


def read(options: Options, name: str) -> SourceData:
    """One image per file. Its id is its path below the folder.

    Images without a text, texts without an image and folders that are links are counted
    and left out. Hidden files are left out. Suffixes may be upper-case. Raises
    `DatasetError` with the image by its number.
    """
    from ._files.folder_images import FolderImages
    from ._files.paths import require_root

    root = require_root(options.path, "path", name, "images with texts beside them")
    listing = _listing(root, options.suffix)
    if not listing.images:
        advice = "Fix the path."
        if listing.links:
            advice = "Folders in it that are links are not followed: copy them into it."
        raise DatasetError(
            f"Expected images in the folder of {name}, got none at path={root.name!r}."
            f" {advice}"
        )
    rows: list[CaptionRow] = []
    used: set[PurePosixPath] = set()
    for number, image in enumerate(listing.images, 1):
        text = _text_of(image, listing, options, number)
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
    # An image without a text file has no report; a blank text would be an empty one.
    texts = {}
    for image_row, row in zip(images.rows, rows, strict=True):
        if row.captions:
            texts[image_row.study] = images.texts[image_row.study]
    counts = dict(images.counts)
    counts["texts without an image"] = listing.number_of_texts - len(used)
    if listing.links:
        counts["left out: folders that are links"] = listing.links
    return SourceData(
        name=name,
        split="all",
        images=images.rows,
        read_reports=reports_in_memory(texts),
        locate=FolderImages(root, row_name=_WHERE),
        counts=counts,
        texts_as_published=True,
    )


def _listing(root: Path, suffix: str) -> _Listing:
    from ._files.folder_images import IMAGE_SUFFIXES

    images: list[PurePosixPath] = []
    texts: dict[PurePosixPath, list[PurePosixPath]] = {}
    texts_in: dict[PurePosixPath, list[PurePosixPath]] = {}
    links = 0
    for folder in _folders(root):
        links += folder.links
        for file in folder.files:
            # Texts first: a suffix of images may have been named as that of texts.
            if file.name.lower().endswith(suffix.lower()):
                stem = file.parent / file.name[: -len(suffix)]
                texts.setdefault(stem, []).append(file)
                texts_in.setdefault(file.parent, []).append(file)
            elif file.suffix.lower() in IMAGE_SUFFIXES:
                images.append(file)
    return _Listing(images, texts, texts_in, links)


@dataclass(frozen=True, repr=False)
class _Folder:
    files: Sequence[PurePosixPath]
    """Relative to the root, by name, without the hidden ones."""
    links: int
    """Folders in it that are links."""


def _folders(root: Path) -> Iterator[_Folder]:
    """A folder and those below it, by name; links and hidden folders are not followed."""
    for path, folders, files in os.walk(root):
        shown = sorted(inner for inner in folders if not inner.startswith("."))
        # Links may lead in circles, or out of the root.
        folders[:] = [name for name in shown if not Path(path, name).is_symlink()]
        below = PurePosixPath(Path(path).relative_to(root).as_posix())
        listed = [below / file for file in sorted(files) if not file.startswith(".")]
        yield _Folder(listed, links=len(shown) - len(folders))


def _text_of(
    image: PurePosixPath, listing: _Listing, options: Options, number: int
) -> PurePosixPath | None:
    """The file of an image's text, or of its study's; None if there is none."""
    own = listing.text_at(image.parent / image.stem, number)
    if own is not None:
        return own
    study = _folder_at(image, options.study_level)
    if study is None:
        return None
    beside = listing.text_at(study, number)
    if beside is not None:
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
        # A blank text has one blank caption: none would mean that there is no text.
        captions = tuple(content.splitlines() or [""]) if has_lines else (content,)
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
