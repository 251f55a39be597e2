"""Shards, honest, hostile or damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable

from .archive_attempts import (
    EITHER,
    PAIRS,
    READ,
    REFUSED,
    Attempt,
    Members,
    links_to,
    png_of,
    writes,
)


def members(count: int = PAIRS) -> list[tuple[str, bytes]]:
    """Honest members: a picture, its text, and the same text as a field of JSON."""
    content: list[tuple[str, bytes]] = []
    for number in range(count):
        fields = {"report": f"text {number}", "patient": f"p{number}"}
        content.append((f"{number:03d}.png", png_of(number)))
        content.append((f"{number:03d}.txt", f"text {number}".encode()))
        content.append((f"{number:03d}.json", json.dumps(fields).encode()))
    return content


def tar_of(content: Members, *more: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in content:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in more:
            archive.addfile(member)
    return buffer.getvalue()


def _special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    return member


def _declared(size: int) -> bytes:
    """A member that declares a size, and has a few bytes."""
    member = tarfile.TarInfo("900.png")
    member.size = size
    return (
        tar_of(members())[: 18 * 1024] + member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    )


def _shard(name: str, make: Callable[[], bytes], expected: str = REFUSED) -> Attempt:
    return Attempt(name, "webdataset", "a.tar", writes(make), expected)


def _with(*more: tuple[str, bytes]) -> Callable[[], bytes]:
    return lambda: tar_of([*members(), *more])


def _with_special(*more: tarfile.TarInfo) -> Callable[[], bytes]:
    return lambda: tar_of(members(), *more)


def _pair(key: str) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    return (f"{key}.png", png_of(0)), (f"{key}.txt", b"a text")


def _sparse() -> bytes:
    """A sparse member of GNU tar that claims 10 GB."""
    member = tarfile.TarInfo("900.png")
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:398] = b"00000000000\0"
    header[398:410] = b"00000001000\0"
    header[483:495] = b"%011o\0" % (10 << 30)
    # The checksum counts its own field as spaces.
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return tar_of(members())[: 18 * 1024] + bytes(header) + bytes(1024)


SHARDS = (
    _shard("honest", lambda: tar_of(members()), READ),
    _shard("a name with ..", _with(*_pair("../outside"))),
    _shard("a name deep with ..", _with(*_pair("a/../../outside"))),
    _shard("an absolute name", _with(*_pair("/tmp/outside"))),
    _shard("a Windows name", _with(*_pair("C:\\outside"))),
    _shard("a name with \\..", _with(*_pair("..\\outside"))),
    _shard("a name of 5,000 letters", _with(*_pair("x" * 5_000)), EITHER),
    _shard("a name with a line end", _with(*_pair("a\nb")), EITHER),
    _shard("a name that is no UTF-8", _with(*_pair("a\udcff")), EITHER),
    _shard("an empty key", _with((".png", png_of(0)), (".txt", b"x")), EITHER),
    _shard(
        "a symbolic link",
        _with_special(_special("900.png", tarfile.SYMTYPE, "/etc/passwd")),
    ),
    _shard(
        "a hard link", _with_special(_special("900.png", tarfile.LNKTYPE, "000.png"))
    ),
    _shard(
        "a hard link outside",
        _with_special(_special("900.png", tarfile.LNKTYPE, "../../etc/passwd")),
    ),
    _shard("a character device", _with_special(_special("900.png", tarfile.CHRTYPE))),
    _shard("a block device", _with_special(_special("900.png", tarfile.BLKTYPE))),
    _shard("a FIFO within", _with_special(_special("900.png", tarfile.FIFOTYPE))),
    _shard("a sparse member", _sparse),
    _shard("10 GB declared", lambda: _declared(10 << 30)),
    _shard("2**60 bytes declared", lambda: _declared(1 << 60)),
    _shard("cut within a member", lambda: tar_of(members())[:9_000]),
    _shard("cut within a header", lambda: tar_of(members())[: 512 * 9 + 100], EITHER),
    _shard("empty", bytes),
    _shard("zeros", lambda: bytes(10_240)),
    _shard("a text", lambda: b"not an archive" * 100),
    _shard("compressed", lambda: gzip.compress(tar_of(members()))),
    _shard("compressed by bzip2", lambda: bz2.compress(tar_of(members()))),
    _shard("a key twice", lambda: tar_of([*members(), *members()])),
    _shard("an image without a text", lambda: tar_of([("0.png", png_of(0))])),
    _shard("a text without an image", lambda: tar_of([("0.txt", b"x")])),
    _shard(
        "a text of another encoding",
        lambda: tar_of([("0.png", png_of(0)), ("0.txt", b"\xff\xfe\xff")]),
    ),
    _shard(
        "a text of 20 MB",
        lambda: tar_of([("0.png", png_of(0)), ("0.txt", b"x" * 20_000_000)]),
    ),
    _shard(
        "a broken image", lambda: tar_of([("0.png", png_of(0)[:40]), ("0.txt", b"x")])
    ),
    Attempt("a shard that is a FIFO", "webdataset", "a.tar", os.mkfifo),
    Attempt("a shard that is a device", "webdataset", "a.tar", links_to("/dev/zero")),
    Attempt("a shard that is a loop", "webdataset", "a.tar", links_to("a.tar")),
    Attempt("a shard that is a folder", "webdataset", "a.tar", os.mkdir),
    Attempt(
        "JSON that is deep",
        "webdataset",
        "a.tar",
        writes(lambda: _json_shard(b"[" * 100_000)),
        options={"text": "report"},
    ),
    Attempt(
        "JSON that is a list",
        "webdataset",
        "a.tar",
        writes(lambda: _json_shard(b"[]")),
        options={"text": "report"},
    ),
    Attempt(
        "JSON of a number",
        "webdataset",
        "a.tar",
        writes(lambda: _json_shard(b'{"report": 3}')),
        options={"text": "report"},
    ),
    Attempt(
        "JSON of 5,000 digits",
        "webdataset",
        "a.tar",
        writes(lambda: _json_shard(b'{"report": ' + b"9" * 5_000 + b"}")),
        options={"text": "report"},
    ),
)


def _json_shard(content: bytes) -> bytes:
    return tar_of([("0.png", png_of(0)), ("0.json", content)])
