"""Zips and tars that hold one weights file: found by their first bytes, unpacked to a limit."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ...core.errors import ModelError
from ...core.files import TooLargeError
from .attempt import attempt
from .bounded import Bounded, copy_at_most

_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".tar")
_MOST_EXPANSION = 32
"""How many times its own size a compressed checkpoint may unpack to.

Weights hardly compress; a bomb expands 1,000 times.
"""
_LEAST_LIMIT = 1 << 28
"""Bytes that any archive may unpack to."""
_COMPRESSED: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""How a compressed tar is opened, by its first bytes."""
_OF_TORCH = ("data.pkl", "constants.pkl")
"""Members of the zips that torch itself writes."""


@dataclass(frozen=True)
class _Member:
    """The one weights file of an archive."""

    suffix: str
    copy_to: Callable[[IO[bytes]], None]


@contextmanager
def unpacked(
    name: str, file: Path, explain: Callable[[BaseException], ModelError]
) -> Iterator[Path]:
    """The file itself, or the one weights file of a zip or tar in a temporary folder.

    The copy has a name of our own: those of an archive are not trusted.
    """
    member = attempt(lambda: _member_of(name, file), explain)
    if member is None:
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"weights{member.suffix}"
        attempt(lambda: _write(member, copy), explain)
        yield copy


def limit_of(file: Path) -> int:
    """Bytes that an archive may unpack to."""
    return max(_LEAST_LIMIT, _MOST_EXPANSION * file.stat().st_size)


def is_zip(file: Path) -> bool:
    # By its first bytes: a tar that holds a zip ends like one.
    with file.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _write(member: _Member, copy: Path) -> None:
    with copy.open("wb") as target:
        member.copy_to(target)


def _member_of(name: str, file: Path) -> _Member | None:
    """The weights file of an archive, or None for torch's own zip and for no archive."""
    if is_zip(file) and zipfile.is_zipfile(file):
        return _member_of_zip(name, file)
    if _is_tar(file):
        return _member_of_tar(name, file)
    return None


def _member_of_zip(name: str, file: Path) -> _Member | None:
    with zipfile.ZipFile(file) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    names = [entry.filename for entry in entries]
    if any(PurePosixPath(member).name in _OF_TORCH for member in names):
        _require_as_torch_stores(file, entries)
        return None
    chosen = _only_weights(name, file, names)
    return _Member(PurePosixPath(chosen).suffix, partial(_copy_from_zip, file, chosen))


def _member_of_tar(name: str, file: Path) -> _Member | None:
    with _opened_tar(file) as tar:
        names = [entry.name for entry in tar if entry.isfile()]
    # An empty tar is a file of zeros; the oldest format of torch is a tar of these two.
    if not names or {"pickle", "storages"} <= {*names}:
        return None
    chosen = _only_weights(name, file, names)
    return _Member(PurePosixPath(chosen).suffix, partial(_copy_from_tar, file, chosen))


def _require_as_torch_stores(file: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Raise for a compressed bomb: torch would unpack into memory whatever is declared.

    torch itself never compresses what it stores.
    """
    packed_bytes = 0
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED:
            packed_bytes += entry.file_size
    # The declared sizes are checked before torch reads a byte.
    if packed_bytes > limit_of(file):
        raise TooLargeError(f"{packed_bytes} bytes")
    size = file.stat().st_size
    for entry in entries:
        if entry.compress_type == zipfile.ZIP_STORED and entry.file_size > size:
            raise zipfile.BadZipFile("an entry that is larger than its file")


def _only_weights(name: str, file: Path, members: list[str]) -> str:
    weights = [
        member for member in members if PurePosixPath(member).suffix in _WEIGHT_SUFFIXES
    ]
    if len(weights) != 1:
        raise ModelError(
            f"Expected an archive with one weights file for {name}, got {file.name}"
            f" with {len(weights)} of {len(members)} members"
            f" ({', '.join(_WEIGHT_SUFFIXES)}). Unpack it and name the file."
        )
    return weights[0]


def _copy_from_zip(file: Path, member: str, target: IO[bytes]) -> None:
    with zipfile.ZipFile(file) as archive, archive.open(member) as source:
        copy_at_most(source, target, limit_of(file))


def _copy_from_tar(file: Path, member: str, target: IO[bytes]) -> None:
    with _opened_tar(file) as tar:
        # In the order of the file: a compressed stream cannot go back.
        entry = next(entry for entry in tar if entry.name == member and entry.isfile())
        source = tar.extractfile(entry)
        assert source is not None  # a regular file, by the line before
        copy_at_most(source, target, limit_of(file))


def _is_tar(file: Path) -> bool:
    try:
        with _opened_tar(file):
            return True
    except (tarfile.ReadError, EOFError, gzip.BadGzipFile, lzma.LZMAError):
        return False


@contextmanager
def _opened_tar(file: Path) -> Iterator[tarfile.TarFile]:
    """A tar to read from beginning to end; a compressed one unpacks to a limit."""
    with file.open("rb") as stream:
        start = stream.read(8)
    openers = [open_ for sign, open_ in _COMPRESSED.items() if start.startswith(sign)]
    if not openers:
        with tarfile.open(file, "r:") as tar:
            yield tar
        return
    with openers[0](file) as plain:
        bounded: Any = Bounded(plain, limit_of(file))
        # "r|": as a stream, because seeking back would unpack it from its beginning again.
        with tarfile.open(fileobj=bounded, mode="r|") as tar:
            yield tar
