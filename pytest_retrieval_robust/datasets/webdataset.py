"""WebDataset tar shards: indexed by one pass over their headers, images read where they lie; nothing is unpacked."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from ..catalogue import Catalogue
from ..errors import DatasetError, UnreadableImageError
from . import DatasetEntry
from ._entries import entry_of
from ._records import Found, ImageRow, Sections, held
from ._text_policy import decoded

if TYPE_CHECKING:
    from ._pixels import StoredImage

_IMAGES = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "dcm")
_MOST_TEXT = 5_000_000
_MOST_IMAGE = 500_000_000


class _Member(NamedTuple):
    """A member by name, and where its content lies in the shard."""

    key: str
    kind: str
    offset: int
    size: int


def find(
    *,
    name: str = "webdataset",
    path: str | Path | None = None,
    text: str = "txt",
    group: str | None = None,
    patient: str | None = None,
) -> Found:
    """What the shards hold: samples of one key, each with an image and a text.

    Args:
        name: What the data set is called.
        path: A folder of .tar files, one .tar file, or a pattern such as `/data/test-{000..063}.tar` or `test-*.tar`.
        text: `txt`: the member of that kind is the text. Any other word: that field of the sample's .json member.
        group, patient: Fields of the .json member that name the study and the patient.

    Shards must be uncompressed: a compressed one could not be read from the middle. Memory holds ids and texts, and one
    image at a time for each thread. Raises `DatasetError` naming shard and member.
    """
    shards = _shards(path, name)
    rows: list[ImageRow] = []
    texts: dict[str, Sections] = {}
    seen: dict[str, str] = {}
    for number, shard in enumerate(shards):
        for key, image, fields in _samples(shard, text, [one for one in (group, patient) if one]):
            if key in seen:
                raise DatasetError(
                    f"Expected each key once, got key={key!r} of {seen[key]} again in {shard.name}. Leave one out."
                )
            seen[key] = shard.name
            study = fields[group] if group else key
            sections = Sections("", "", fields[text])
            if texts.setdefault(study, sections) != sections:
                raise DatasetError(f"Expected one text a group, got another one at key={key!r} in {shard.name}.")
            place = f"{number}:{image.offset}:{image.size}"
            rows.append(ImageRow(key, study, fields[patient] if patient else study, "", place, 0))
    return Found(
        name=name,
        split="all",
        images=rows,
        read_reports=held(texts),
        locate=lambda row: _located(shards, row),
        counts={"shards": len(shards)},
        texts_as_published=True,
    )


def _shards(path: str | Path | None, name: str) -> list[Path]:
    if path is None:
        raise DatasetError(
            f"Expected path=FOLDER, FILE or PATTERN of {name} (tar shards), got none. Give it to load_dataset, or "
            f"under [datasets.{name}] in robust.toml."
        )
    given = Path(path).expanduser()
    if given.is_dir():
        found = sorted(given.glob("*.tar"))
    else:
        found = [file for pattern in _expanded(given.name) for file in sorted(given.parent.glob(pattern))]
    if not found:
        raise DatasetError(f"Expected .tar shards of {name}, got none for path={str(path)!r}. Mend the path.")
    return found


def _expanded(pattern: str) -> list[str]:
    """`a-{000..002}.tar` as `a-000.tar`, `a-001.tar`, `a-002.tar`."""
    braces = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if braces is None:
        return [pattern]
    first, last = braces.groups()
    numbers = (str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))
    return [pattern[: braces.start()] + number + pattern[braces.end() :] for number in numbers]


def _samples(shard: Path, text: str, fields: list[str]) -> Iterator[tuple[str, _Member, dict[str, str]]]:
    """(key, image, its text and fields) of each sample: the members of one key stand together."""
    held_members: dict[str, _Member] = {}
    key = None
    with shard.open("rb") as stream:
        for member in _members(shard):
            if member.key != key and key is not None:
                yield _sample(shard, stream, key, held_members, text, fields)
                held_members = {}
            key = member.key
            held_members[member.kind] = member
        if key is not None:
            yield _sample(shard, stream, key, held_members, text, fields)


def _members(shard: Path) -> Iterator[_Member]:
    from ._archives import archive_damage, check_member

    with archive_damage(shard), tarfile.open(shard, "r:") as opened:
        for member in opened:
            check_member(member, shard)
            opened.members = []  # type: ignore[attr-defined]  # tarfile would keep every header of the shard
            if member.isfile():
                folder, _, file = member.name.rpartition("/")
                stem, _, kind = file.partition(".")
                yield _Member(f"{folder}/{stem}".lstrip("/"), kind.lower(), member.offset_data, member.size)


def _sample(
    shard: Path, stream: BinaryIO, key: str, members: dict[str, _Member], text: str, fields: list[str]
) -> tuple[str, _Member, dict[str, str]]:
    image = next((members[kind] for kind in members if kind.rpartition(".")[2] in _IMAGES), None)
    if image is None or image.size > _MOST_IMAGE:
        kinds = ", ".join(sorted(members))
        raise DatasetError(
            f"Expected an image ({', '.join(_IMAGES)}) of key={key!r} in {shard.name}, got members of kind {kinds}. "
            "Pack the members of a sample one after the other."
        )
    values: dict[str, str] = {}
    if text == "txt":
        content = _content(shard, stream, key, members, "txt")
        values["txt"] = decoded(content, f"the .txt of key={key!r} in {shard.name}").strip()
    wanted = [*fields, *([] if text == "txt" else [text])]
    if wanted:
        values |= _fields(shard, key, _content(shard, stream, key, members, "json"), wanted)
    return key, image, values


def _content(shard: Path, stream: BinaryIO, key: str, members: dict[str, _Member], kind: str) -> bytes:
    member = members.get(kind)
    if member is None or member.size > _MOST_TEXT:
        got = "none" if member is None else f"size={member.size}"
        raise DatasetError(
            f"Expected a .{kind} member of at most {_MOST_TEXT} bytes for key={key!r} in {shard.name}, got {got}. "
            "Add it, or name the field of the .json that holds the text."
        )
    stream.seek(member.offset)
    return stream.read(member.size)


def _fields(shard: Path, key: str, content: bytes, wanted: list[str]) -> dict[str, str]:
    try:
        values = json.loads(content)
        return {field: str(values[field]).strip() for field in wanted}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        field = f": no {error}" if isinstance(error, KeyError) else ""
        raise DatasetError(
            f"Expected a JSON object with {', '.join(wanted)}, got {type(error).__name__}{field} for key={key!r} in "
            f"{shard.name}. Mend it."
        ) from None


def _located(shards: list[Path], row: ImageRow) -> StoredImage:
    from ._pixels import StoredImage

    number, offset, size = (int(part) for part in row.place.split(":"))
    shown = f"key={row.id!r} in {shards[number].name}"
    try:
        with shards[number].open("rb") as stream:
            stream.seek(offset)
            content = stream.read(size)
    except OSError as error:
        raise UnreadableImageError(
            f"Expected a readable shard, got {type(error).__name__} for {shown}. Check its permissions and its disk."
        ) from error
    return StoredImage(content, shown)


def register(catalogue: Catalogue[DatasetEntry]) -> None:
    catalogue.add(entry_of("webdataset", "WebDataset tar shards of your own", find, text="full"))
