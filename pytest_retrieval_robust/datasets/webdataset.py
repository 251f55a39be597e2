"""WebDataset tar shards: indexed by one pass over their headers, images read where they
lie; nothing is unpacked.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from ..core.catalogue import Catalogue
from ..core.errors import DatasetError, UnreadableImageError
from ..core.files import open_regular
from ._files.captions import Given, gathered
from ._files.damage import attempted, guarded, kind_of
from ._files.entries import entry_of
from ._files.records import Found, ImageRow, held
from ._files.text_policy import decoded
from ._files.values import as_text, captions_of
from .entry import DatasetEntry

if TYPE_CHECKING:
    from ._pixels.stored_image import StoredImage

_IMAGES = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "dcm")
_MOST_TEXT = 5_000_000
_MOST_IMAGE = 500_000_000
_MOST_SHARDS = 100_000
_NUMBERED = re.compile(r"[a-z_-]*\d+\.txt")
_WHOLE, _LINES = "txt", "txt-lines"


class _Member(NamedTuple):
    """A member by name, and where its content lies in the shard."""

    key: str
    kind: str
    offset: int
    size: int

    def __repr__(self) -> str:
        return f"<member at {self.offset}>"


@dataclass(repr=False)
class _Sample:
    """The members of one key, which stand together in one shard."""

    key: str
    shown: str
    """How messages name it."""
    members: dict[str, _Member] = field(default_factory=dict)

    def add(self, member: _Member) -> None:
        if member.kind in self.members:
            raise DatasetError(
                "Expected each member of a sample once, got a second one of kind"
                f" .{_shown_kind(member.kind)} in {self.shown}. Leave one out."
            )
        self.members[member.kind] = member


def find(
    *,
    name: str = "webdataset",
    path: str | Path | None = None,
    text: str = "txt",
    group: str | None = None,
    patient: str | None = None,
) -> Found:
    """What the shards hold: samples of one key, each with an image and one or several texts.

    Args:
        name: What the data set is called. path: A folder of .tar files, one .tar file,
        or a pattern such as `/data/test-{000..063}.tar` or `test-*.tar`. text: `txt`:
        the member of that kind is the text; several such as `0.txt` and `1.txt` are
        captions. `txt-lines`:
            each line of the .txt is a caption, as LAION's CLIP_benchmark packs them.
            Any other word: that field of the sample's .json member, a text or a list of
            captions.
        group, patient: Fields of the .json member that name the study and the patient.

    Members without a key or a kind, hidden ones (`._a.png`, `.DS_Store`) and
    `__meta__.json` are passed over, as webdataset does. Shards must be uncompressed: a
    compressed one could not be read from the middle. Memory holds ids and texts, and
    one image at a time for each thread. Raises `DatasetError` naming shard and sample
    by their numbers.
    """
    shards = _shards(path, name)
    fields = {
        key: column
        for key, column in (("group", group), ("patient", patient))
        if column
    }
    read: list[Given] = []
    seen: dict[str, str] = {}
    passed_over = 0
    for number, shard in enumerate(shards, 1):
        reader = _Shard(shard, number)
        for sample, stream in reader.samples():
            if sample.key in seen:
                raise DatasetError(
                    f"Expected each key once, got the key of {seen[sample.key]} again"
                    f" in {sample.shown}. Leave one of them out."
                )
            seen[sample.key] = sample.shown
            read.append(_given(sample, stream, text, fields, len(read) + 1, number))
        passed_over += reader.passed_over
    images = gathered(read, {"id": None, "group": group, "patient": patient})
    counts = {"shards": len(shards)}
    if passed_over:
        counts["members that belong to no sample"] = passed_over
    return Found(
        name=name,
        split="all",
        images=images.rows,
        read_reports=held(images.texts),
        locate=lambda row: _located(shards, row),
        counts=counts,
        texts_as_published=True,
    )


def _shards(path: str | Path | None, name: str) -> list[Path]:
    from ._files.places import shown_path

    if path is None:
        raise DatasetError(
            f"Expected path=FOLDER, FILE or PATTERN of {name} (tar shards), got none."
            f" Give it to load_dataset, or under [datasets.{name}] in robust.toml."
        )
    given = Path(path).expanduser()
    if given.is_dir():
        found = sorted(given.glob("*.tar"))
    else:
        found = [
            file
            for pattern in _expanded(given.name)
            for file in sorted(given.parent.glob(pattern))
        ]
    if not found:
        raise DatasetError(
            f"Expected .tar shards of {name}, got none at path={shown_path(path)!r}."
            " Fix the path."
        )
    return found


def _expanded(pattern: str) -> list[str]:
    """`a-{000..002}.tar` as `a-000.tar`, `a-001.tar`, `a-002.tar`."""
    braces = re.search(r"\{(\d{1,9})\.\.(\d{1,9})\}", pattern)
    if braces is None:
        return [pattern]
    first, last = braces.groups()
    if int(last) - int(first) >= _MOST_SHARDS:
        raise DatasetError(
            f"Expected at most {_MOST_SHARDS} shards, got path={pattern!r}. Give the"
            " folder, or a pattern with *."
        )
    numbers = (
        str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)
    )
    return [
        pattern[: braces.start()] + number + pattern[braces.end() :]
        for number in numbers
    ]


class _Shard:
    """One shard while it is read. Counts what belongs to no sample."""

    def __init__(self, file: Path, number: int) -> None:
        self._file = file
        self._number = number
        self.passed_over = 0

    def samples(self) -> Iterator[tuple[_Sample, BinaryIO]]:
        """The samples with the shard's stream, which is at no known place."""
        from ._files.archives import archive_problem

        yield from guarded(
            self._read(), lambda error: archive_problem(error, f"shard {self._number}")
        )

    def _read(self) -> Iterator[tuple[_Sample, BinaryIO]]:
        from ._files.archives import headers
        from ._files.streams import ArchiveStream

        shown = f"shard {self._number}"
        with open_regular(self._file) as contents, open_regular(self._file) as stream:
            sample, count = None, 0
            for _, header, _ in headers(ArchiveStream(stream, is_packed=False), shown):
                if not header.isfile():
                    continue
                member = _member(header.name, header.offset_data, header.size)
                if member is None:
                    self.passed_over += 1
                    continue
                if sample is None or member.key != sample.key:
                    if sample is not None:
                        yield sample, contents
                    count += 1
                    sample = _Sample(member.key, f"sample {count} of {shown}")
                sample.add(member)
            if sample is not None:
                yield sample, contents
            _require_end(contents, shown)


def _require_end(stream: BinaryIO, shown: str) -> None:
    """A shard that was cut between two members is not whole, although every member of it is."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - tarfile.BLOCKSIZE))
    if any(stream.read()):
        raise DatasetError(
            f"Expected a whole archive, got {shown} without the blank block that ends"
            " it. Copy or download it again, or pack it again with tar."
        )


def _member(name: str, offset: int, size: int) -> _Member | None:
    """None for a member that belongs to no sample."""
    folder, _, file = name.rpartition("/")
    stem, dot, kind = file.partition(".")
    if (
        not dot
        or not kind
        or not stem
        or (stem.startswith("__") and stem.endswith("__"))
    ):
        return None
    return _Member(f"{folder}/{stem}".lstrip("/"), kind.lower(), offset, size)


def _shown_kind(kind: str) -> str:
    """The last part of a kind, if it is a known one: a file's name may have dots, and
    be a patient's.
    """
    last = kind.rpartition(".")[2]
    return last if last in (*_IMAGES, "txt", "json") else "another kind"


def _given(
    sample: _Sample,
    stream: BinaryIO,
    text: str,
    fields: dict[str, str],
    number: int,
    shard: int,
) -> Given:
    image = _image(sample)
    wanted = [*fields.values(), *([] if text in (_WHOLE, _LINES) else [text])]
    values = _fields(sample, _content(sample, stream, "json"), wanted) if wanted else {}
    if text in (_WHOLE, _LINES):
        captions = _texts(sample, stream, text)
    else:
        captions = tuple(
            one.strip() for one in captions_of(values[text], text, sample.shown)
        )
    words = {
        key: as_text(values[column], column, sample.shown).strip()
        for key, column in fields.items()
    }
    return Given(
        number=number,
        shown=sample.shown,
        image=sample.key,
        place=sample.key,
        id=sample.key,
        group=words.get("group", ""),
        patient=words.get("patient", ""),
        view="",
        captions=captions,
        source=f"{shard}:{image.offset}:{image.size}:{sample.shown}",
    )


def _image(sample: _Sample) -> _Member:
    """The image of a sample: `a.png` before `a.mask.png`; `DatasetError` where it is not one."""
    exact = [member for kind, member in sample.members.items() if kind in _IMAGES]
    dotted = [
        member
        for kind, member in sample.members.items()
        if kind.rpartition(".")[2] in _IMAGES
    ]
    found = exact or dotted
    if not found:
        kinds = ", ".join(sorted({_shown_kind(kind) for kind in sample.members}))
        dots = (
            " A key ends at the first dot of a file's name."
            if any("." in kind for kind in sample.members)
            else ""
        )
        raise DatasetError(
            f"Expected an image ({', '.join(_IMAGES)}) in {sample.shown}, got members"
            f" of kind {kinds}. Pack the members of a sample one after the other.{dots}"
        )
    if len(found) > 1:
        raise DatasetError(
            f"Expected one image in {sample.shown}, got {len(found)}. Name the image"
            " KEY.png, without a further dot, and what else there is KEY.NAME.png."
        )
    if found[0].size > _MOST_IMAGE:
        raise DatasetError(
            f"Expected an image of at most {_MOST_IMAGE} bytes in {sample.shown}, got"
            f" size={found[0].size}. Leave it out."
        )
    return found[0]


def _texts(sample: _Sample, stream: BinaryIO, text: str) -> tuple[str, ...]:
    """The texts of `a.txt`, `a.0.txt`, `a.caption1.txt`: those with numbers in the
    order of the numbers.
    """
    numbered = sorted(
        (kind for kind in sample.members if _NUMBERED.fullmatch(kind)), key=_natural
    )
    kinds = ["txt", *numbered] if "txt" in sample.members or not numbered else numbered
    read = [
        decoded(_content(sample, stream, kind), f"a .txt of {sample.shown}").strip()
        for kind in kinds
    ]
    return (
        tuple(line for one in read for line in one.splitlines())
        if text == _LINES
        else tuple(read)
    )


def _natural(kind: str) -> list[tuple[int, str]]:
    """`2.txt` before `10.txt`."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part)
        for part in re.split(r"(\d{1,9})", kind)
    ]


def _content(sample: _Sample, stream: BinaryIO, kind: str) -> bytes:
    member = sample.members.get(kind)
    if member is None or member.size > _MOST_TEXT:
        got = "none" if member is None else f"size={member.size}"
        raise DatasetError(
            f"Expected a .{_shown_kind(kind)} member of at most {_MOST_TEXT} bytes in"
            f" {sample.shown}, got {got}. Add it, or name the field of the .json that"
            " holds the text."
        )
    place, size = member.offset, member.size

    def read() -> bytes:
        stream.seek(place)
        content = stream.read(size)
        if len(content) != size:
            raise EOFError
        return content

    return attempted(
        read,
        lambda error: DatasetError(
            f"Expected a whole archive, got {kind_of(error)} in {sample.shown}. Copy or"
            " download it again."
        ),
    )


def _fields(sample: _Sample, content: bytes, wanted: list[str]) -> dict[str, Any]:
    values = attempted(
        lambda: json.loads(content),
        lambda error: DatasetError(
            f"Expected a JSON object with {', '.join(wanted)}, got {kind_of(error)} in"
            f" {sample.shown}. Fix it."
        ),
    )
    missing = next(
        (key for key in wanted if not isinstance(values, dict) or key not in values),
        None,
    )
    if missing is not None:
        got = f"none with {missing!r}" if isinstance(values, dict) else "another value"
        raise DatasetError(
            f"Expected a JSON object with {', '.join(wanted)}, got {got} in"
            f" {sample.shown}. Fix it, or name its field."
        )
    return {key: values[key] for key in wanted}


def _located(shards: list[Path], row: ImageRow) -> StoredImage:
    from ._pixels.stored_image import StoredImage

    shard, offset, size, shown = row.place.split(":")

    def read() -> bytes:
        with open_regular(shards[int(shard) - 1]) as stream:
            stream.seek(int(offset))
            return stream.read(int(size))

    content = attempted(
        read,
        lambda error: UnreadableImageError(
            f"Expected a readable shard, got {kind_of(error)} for {shown}. Check its"
            " permissions and its disk."
        ),
    )
    return StoredImage(content, shown)


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(
        entry_of("webdataset", "WebDataset tar shards of your own", find, text="full")
    )
