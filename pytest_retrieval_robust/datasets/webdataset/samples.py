"""The samples of a tar shard: members of one key, which stand together."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ...core.errors import DatasetError
from ...core.files import open_regular
from .._files.archives import archive_problem, headers
from .._files.streams import ArchiveStream
from .._pixels.damage import guarded

_IMAGES = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "dcm")
_KNOWN_KINDS = (*_IMAGES, "txt", "json")
_MOST_IMAGE = 500_000_000
"""Bytes of an image."""


class Member(NamedTuple):
    """A member by name, and where its content lies in the shard."""

    key: str
    kind: str
    """All that follows the first dot of the file's name, in lower case."""
    offset: int
    size: int

    def __repr__(self) -> str:
        return f"<member at {self.offset}>"


@dataclass(repr=False)
class Sample:
    """The members of one key."""

    key: str
    where: str
    """How messages name it."""
    members: dict[str, Member] = field(default_factory=dict)

    def add(self, member: Member) -> None:
        if member.kind in self.members:
            raise DatasetError(
                "Expected each member of a sample once, got a second one of kind"
                f" .{self.shown_kind(member.kind)} in {self.where}. Leave one out."
            )
        self.members[member.kind] = member

    @staticmethod
    def shown_kind(kind: str) -> str:
        """The last part of a kind, if it is a known one.

        A file's name may have dots, and be a patient's.
        """
        last = kind.rpartition(".")[2]
        return last if last in _KNOWN_KINDS else "another kind"

    def image(self) -> Member:
        """The image: `a.png` before `a.mask.png`; `DatasetError` for none or several."""
        exact: list[Member] = []
        dotted: list[Member] = []
        for kind, member in self.members.items():
            if kind in _IMAGES:
                exact.append(member)
            elif kind.rpartition(".")[2] in _IMAGES:
                dotted.append(member)
        # `a.png` is the image if there is one; `a.mask.png` may be anything beside it.
        images = exact or dotted
        if not images:
            raise self._without_image()
        if len(images) > 1:
            raise DatasetError(
                f"Expected one image in {self.where}, got {len(images)}. Name the image"
                " KEY.png, without a further dot, and other images KEY.NAME.png."
            )
        if images[0].size > _MOST_IMAGE:
            raise DatasetError(
                f"Expected an image of at most {_MOST_IMAGE} bytes in {self.where}, got"
                f" size={images[0].size}. Leave it out."
            )
        return images[0]

    def _without_image(self) -> DatasetError:
        kinds = sorted({self.shown_kind(kind) for kind in self.members})
        advice = "Pack the members of a sample one after the other."
        if any("." in kind for kind in self.members):
            advice += " A key ends at the first dot of a file's name."
        return DatasetError(
            f"Expected an image ({', '.join(_IMAGES)}) in {self.where}, got members"
            f" of kind {', '.join(kinds)}. {advice}"
        )


class Shard:
    """One shard while it is read. Counts the members that belong to no sample."""

    def __init__(self, file: Path, number: int) -> None:
        self._file = file
        self._shown = f"shard {number}"
        self.passed_over = 0

    def samples(self) -> Iterator[tuple[Sample, BinaryIO]]:
        """The samples with the shard's stream, which is at no known place."""
        yield from guarded(
            self._read(), lambda error: archive_problem(error, self._shown)
        )

    def _read(self) -> Iterator[tuple[Sample, BinaryIO]]:
        # Two streams: the one of contents is moved while the other goes from header to
        # header.
        with open_regular(self._file) as contents, open_regular(self._file) as stream:
            archive = ArchiveStream(stream, is_packed=False)
            sample: Sample | None = None
            count = 0
            for _, header, _ in headers(archive, self._shown):
                if not header.isfile():
                    continue
                member = _member(header)
                if member is None:
                    self.passed_over += 1
                    continue
                if sample is None or member.key != sample.key:
                    if sample is not None:
                        yield sample, contents
                    count += 1
                    sample = Sample(member.key, f"sample {count} of {self._shown}")
                sample.add(member)
            if sample is not None:
                yield sample, contents
            _require_end(contents, self._shown)


def _require_end(stream: BinaryIO, where: str) -> None:
    """Refuse a shard that was cut between two members: every member of it is whole."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - tarfile.BLOCKSIZE))
    if any(stream.read()):
        raise DatasetError(
            f"Expected a whole archive, got {where} without the blank block that ends"
            " it. Copy or download it again, or pack it again with tar."
        )


def _member(header: tarfile.TarInfo) -> Member | None:
    """None for a member that belongs to no sample."""
    folder, _, file = header.name.rpartition("/")
    stem, _, kind = file.partition(".")
    is_meta = stem.startswith("__") and stem.endswith("__")
    if not stem or not kind or is_meta:
        return None
    # The folder belongs to the key, as webdataset has it: two may hold the same names.
    key = f"{folder}/{stem}".lstrip("/")
    return Member(key, kind.lower(), header.offset_data, header.size)
