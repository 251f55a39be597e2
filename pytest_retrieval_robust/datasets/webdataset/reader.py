"""WebDataset tar shards: one pass over their headers, then images read where they lie.

Nothing is unpacked. Memory holds ids and texts, and one image at a time per thread.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ...core.errors import DatasetError, UnreadableImageError
from ...core.files import open_regular
from .._files.captions import CaptionRow, gather_images
from .._files.paths import shown_path
from .._files.records import ImageRow, SourceData, reports_in_memory
from .._files.strata import strata_of_words
from .._files.strata_names import WITH_FINDING, columns_read
from .._files.text_policy import decoded
from .._files.values import as_text, captions_of
from .._pixels.damage import attempted, kind_of
from .samples import Sample, Shard

if TYPE_CHECKING:
    from .._pixels.stored_image import StoredImage

_MOST_TEXT = 5_000_000
"""Bytes of a sample's text or fields."""
_MOST_SHARDS = 100_000
_BRACES = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")
_NUMBERED = re.compile(r"[a-z_-]*\d+\.txt")
_WHOLE = "txt"
_LINES = "txt-lines"


@dataclass(frozen=True, repr=False)
class Options:
    """Where the shards lie, and where samples have their texts and ids."""

    path: str | Path | None = None
    """A folder of .tar files, one .tar file, or a pattern such as
    `/data/test-{000..063}.tar` or `test-*.tar`.
    """
    text: str = _WHOLE
    """`txt`: the member of that kind is the text; several such as `0.txt` and `1.txt` are
    captions. `txt-lines`: each line of the .txt is a caption, as LAION's CLIP_benchmark
    packs them. Any other word: that field of the sample's .json member, a text or a list
    of captions.
    """
    group: str | None = None
    """The field of the .json member that names the study."""
    patient: str | None = None
    """The field of the .json member that names the patient."""
    strata: tuple[str, ...] = ()
    """Fields of the .json member that images are grouped by, beside the strata that every
    data set has.
    """

    def fields(self) -> list[str]:
        """The fields of the .json member that every sample must have."""
        names = [name for name in (self.group, self.patient) if name]
        if self.text not in (_WHOLE, _LINES):
            names.append(self.text)
        return names

    def strata_fields(self) -> list[str]:
        """The fields of strata, which a sample may lack."""
        return [name for name in self.strata if not name.startswith(WITH_FINDING)]


def read(options: Options, name: str) -> SourceData:
    """Samples of one key, each with an image and one or several texts.

    Members without a key or a kind, hidden ones (`._a.png`, `.DS_Store`) and
    `__meta__.json` are passed over, as webdataset does. Shards must be uncompressed: a
    compressed one could not be read from the middle. Raises `DatasetError` with shard and
    sample by their numbers.
    """
    shards = _shards(options.path, name)
    rows: list[CaptionRow] = []
    where_of_key: dict[str, str] = {}
    fields_seen: set[str] = set()
    passed_over = 0
    for number, file in enumerate(shards, 1):
        shard = Shard(file, number)
        for sample, stream in shard.samples():
            if sample.key in where_of_key:
                raise DatasetError(
                    f"Expected each key once, got the key of {where_of_key[sample.key]}"
                    f" again in {sample.where}. Leave one of them out."
                )
            where_of_key[sample.key] = sample.where
            row = _row(sample, stream, options, len(rows) + 1, fields_seen)
            row.location = f"{number}:{row.location}:{sample.where}"
            rows.append(row)
        # Only when the whole shard was read does it know the number.
        passed_over += shard.passed_over
    images = gather_images(
        rows, {"id": None, "group": options.group, "patient": options.patient}
    )
    # Of all samples: one of them may lack a value, and so its field.
    columns_read(options.strata, sorted(fields_seen), name, is_table=False)
    fields = options.strata_fields()
    counts = {"shards": len(shards)}
    if passed_over:
        counts["members that belong to no sample"] = passed_over
    return SourceData(
        name=name,
        split="all",
        images=images.rows,
        read_reports=reports_in_memory(images.texts),
        locate=lambda row: _located(shards, row),
        counts=counts,
        strata={
            field: words
            for field, words in strata_of_words(fields, images.words).items()
            if field in fields_seen
        },
        texts_as_published=True,
    )


def _shards(path: str | Path | None, name: str) -> list[Path]:
    if path is None:
        raise DatasetError(
            f"Expected path=FOLDER, FILE or PATTERN of {name} (tar shards), got none."
            f" Give it to load_dataset, or under [datasets.{name}] in robust.toml."
        )
    folder = Path(path).expanduser()
    patterns = ["*.tar"]
    if not folder.is_dir():
        # Glob has no ranges of numbers: webdataset's braces are expanded first.
        patterns = _expanded(folder.name)
        folder = folder.parent
    files: list[Path] = []
    for pattern in patterns:
        files += sorted(folder.glob(pattern))
    if not files:
        raise DatasetError(
            f"Expected .tar shards of {name}, got none at path={shown_path(path)!r}."
            " Fix the path."
        )
    return files


def _expanded(pattern: str) -> list[str]:
    """`a-{000..002}.tar` as `a-000.tar`, `a-001.tar`, `a-002.tar`."""
    braces = _BRACES.search(pattern)
    if braces is None:
        return [pattern]
    first, last = braces.groups()
    if int(last) - int(first) >= _MOST_SHARDS:
        raise DatasetError(
            f"Expected at most {_MOST_SHARDS} shards, got path={pattern!r}. Give the"
            " folder, or a pattern with *."
        )
    before = pattern[: braces.start()]
    after = pattern[braces.end() :]
    numbers = range(int(first), int(last) + 1)
    return [f"{before}{str(number).zfill(len(first))}{after}" for number in numbers]


def _row(
    sample: Sample,
    stream: BinaryIO,
    options: Options,
    number: int,
    fields_seen: set[str],
) -> CaptionRow:
    """A sample as an image's captions; the fields of its .json are added to `fields_seen`."""
    # A sample without its image is refused before its texts are read.
    image = sample.image()
    names = options.fields()
    strata = options.strata_fields()
    values: dict[str, Any] = {}
    if names or (strata and "json" in sample.members):
        values = _fields(sample, stream, names)
        fields_seen.update(values)

    def word(name: str | None) -> str:
        return as_text(values[name], name, sample.where).strip() if name else ""

    if options.text in (_WHOLE, _LINES):
        captions = _texts(sample, stream, has_lines=options.text == _LINES)
    else:
        texts = captions_of(values[options.text], options.text, sample.where)
        captions = tuple(text.strip() for text in texts)
    return CaptionRow(
        number=number,
        where=sample.where,
        image=sample.key,
        location=f"{image.offset}:{image.size}",
        id=sample.key,
        group=word(options.group),
        patient=word(options.patient),
        captions=captions,
        strata=tuple(
            as_text(values.get(field), field, sample.where).strip() for field in strata
        ),
    )


def _texts(sample: Sample, stream: BinaryIO, *, has_lines: bool) -> tuple[str, ...]:
    """The texts of `a.txt`, `a.0.txt`, `a.caption1.txt`, in the order of their numbers."""
    # Captions keep the order that their numbers give, not that of the archive.
    numbered = [kind for kind in sample.members if _NUMBERED.fullmatch(kind)]
    kinds = sorted(numbered, key=_natural_order)
    if "txt" in sample.members or not kinds:
        kinds = ["txt", *kinds]
    texts: list[str] = []
    for kind in kinds:
        content = _content(sample, stream, kind)
        text = decoded(content, f"a .txt of {sample.where}").strip()
        texts += text.splitlines() if has_lines else [text]
    return tuple(texts)


def _natural_order(kind: str) -> list[tuple[int, str]]:
    """`2.txt` before `10.txt`."""
    parts = re.split(r"(\d{1,9})", kind)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _content(sample: Sample, stream: BinaryIO, kind: str) -> bytes:
    member = sample.members.get(kind)
    if member is None or member.size > _MOST_TEXT:
        got = "none" if member is None else f"size={member.size}"
        raise DatasetError(
            f"Expected a .{sample.shown_kind(kind)} member of at most {_MOST_TEXT} bytes"
            f" in {sample.where}, got {got}. Add it, or name the field of the .json that"
            " holds the text."
        )
    offset = member.offset
    size = member.size

    def read_content() -> bytes:
        stream.seek(offset)
        content = stream.read(size)
        # A shard that was cut short ends inside a member.
        if len(content) != size:
            raise EOFError
        return content

    return attempted(
        read_content,
        lambda error: DatasetError(
            f"Expected a whole archive, got {kind_of(error)} in {sample.where}. Copy or"
            " download it again."
        ),
    )


def _fields(sample: Sample, stream: BinaryIO, names: list[str]) -> dict[str, Any]:
    """The fields of the sample's .json member, which has to have those of these names."""
    content = _content(sample, stream, "json")
    listed = f" with {', '.join(names)}" if names else ""
    expected = f"Expected a JSON object{listed}"
    values = attempted(
        lambda: json.loads(content),
        lambda error: DatasetError(
            f"{expected}, got {kind_of(error)} in {sample.where}. Fix it."
        ),
    )
    if not isinstance(values, dict):
        raise DatasetError(
            f"{expected}, got another value in {sample.where}. Fix it, or name its"
            " field."
        )
    for name in names:
        if name not in values:
            raise DatasetError(
                f"{expected}, got none with {name!r} in {sample.where}. Fix it, or name"
                " its field."
            )
    return values


def _located(shards: list[Path], row: ImageRow) -> StoredImage:
    from .._pixels.stored_image import StoredImage

    # A name has no colon here: `where` is made of numbers.
    shard, offset, size, where = row.location.split(":")

    def read_image() -> bytes:
        with open_regular(shards[int(shard) - 1]) as stream:
            stream.seek(int(offset))
            return stream.read(int(size))

    content = attempted(
        read_image,
        lambda error: UnreadableImageError(
            f"Expected a readable shard, got {kind_of(error)} for {where}. Check its"
            " permissions and its disk."
        ),
    )
    return StoredImage(content, where)
