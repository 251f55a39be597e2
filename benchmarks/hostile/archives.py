"""Hostile or damaged archives and tables: refused by `DatasetError`, or read right;
nothing is written outside.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import DatasetError, RobustError

from .children import in_children
from .images import encoded
from .mutations import mutated
from .toy import picture
from .trials import Check, Ground, Row, Trial

_PAIRS = 6
_EITHER, _REFUSED, _READ = "either", "refused", "read"
Members = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Attempt:
    """A file or folder that `write` makes, read by a loader; `expected` says how it must end."""

    name: str
    loader: str
    file: str
    write: Callable[[Path], object]
    expected: str = _REFUSED
    options: Mapping[str, Any] | None = None


def rows(ground: Ground) -> Iterator[Trial]:
    attempts = (*_SHARDS, *_TABLES, *_XML, *_ZIPS)
    checks: list[tuple[str, Check]] = []
    for attempt in ground.some(attempts, 10):
        place = ground.place(attempt.name) / "inside"
        place.mkdir()
        checks.append(
            (f"{attempt.loader}: {attempt.name}", partial(_by_hand, place, attempt))
        )
    yield from in_children(checks, seconds=20)
    yield from _fuzz(ground)


def _by_hand(place: Path, attempt: Attempt) -> str | None:
    images(place)
    attempt.write(place / attempt.file)
    before = listing(place.parent)
    ended = opened(attempt.loader, place / attempt.file, attempt.options or {})
    made = listing(place.parent) - before
    if made:
        return f"wrote {sorted(made)[0]}"
    if ended not in (_READ, _REFUSED):
        return ended
    return (
        None
        if attempt.expected in (_EITHER, ended)
        else f"expected {attempt.expected}, was {ended}"
    )


def opened(loader: str, file: Path, options: Mapping[str, Any]) -> str:
    """Open a data set and read all of it: `read`, `refused`, or what was wrong with how
    it ended.
    """
    try:
        dataset = load_dataset(loader, **_paths(loader, file), **options)
        texts = [str(text) for text in dataset.reports]
        for index in range(min(len(dataset.image_ids), _PAIRS)):
            np.asarray(dataset.image(index))
    except DatasetError as error:
        if error.__cause__ is not None or error.__context__ is not None:
            return "the error carries a foreign one, whose text Python prints"
        return _REFUSED
    except RobustError as error:
        return f"{type(error).__name__} in place of DatasetError: {error}"
    return "an empty data set was taken" if not texts else _READ


def _paths(loader: str, file: Path) -> dict[str, Any]:
    if loader == "open-i":
        return {"reports": file, "images": file.parent}
    if loader == "mimic-cxr":
        return {"images": file.parent / "mimic-cxr-jpg" / "2.0.0", "reports": file}
    return {"path": file}


def listing(folder: Path) -> set[str]:
    """Every path below, without caches of indices that readers keep elsewhere."""
    return {str(path) for path in folder.rglob("*")}


def images(place: Path) -> None:
    """The pictures that tables name."""
    for number in range(_PAIRS):
        (place / f"{number}.png").write_bytes(_png(number))


def _png(number: int) -> bytes:
    return encoded(picture(number), "PNG")


# Shards


def members(count: int = _PAIRS) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for number in range(count):
        fields = json.dumps(
            {"report": f"text {number}", "patient": f"p{number}"}
        ).encode()
        found += [
            (f"{number:03d}.png", _png(number)),
            (f"{number:03d}.txt", f"text {number}".encode()),
        ]
        found.append((f"{number:03d}.json", fields))
    return found


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
    member.type, member.linkname = kind, target
    return member


def _declared(size: int) -> bytes:
    """A member that declares a size, and has a few bytes."""
    member = tarfile.TarInfo("900.png")
    member.size = size
    return (
        tar_of(members())[: 18 * 1024] + member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    )


def _bytes(make: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(make())


def _shard(name: str, make: Callable[[], bytes], expected: str = _REFUSED) -> Attempt:
    return Attempt(name, "webdataset", "a.tar", _bytes(make), expected)


def _with(*more: tuple[str, bytes]) -> Callable[[], bytes]:
    return lambda: tar_of([*members(), *more])


def _with_special(*more: tarfile.TarInfo) -> Callable[[], bytes]:
    return lambda: tar_of(members(), *more)


def _pair(key: str) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    return (f"{key}.png", _png(0)), (f"{key}.txt", b"a text")


def _sparse() -> bytes:
    """A sparse member of GNU tar that claims 10 GB."""
    member = tarfile.TarInfo("900.png")
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:398], header[398:410] = b"00000000000\0", b"00000001000\0"
    header[483:495] = b"%011o\0" % (10 << 30)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return tar_of(members())[: 18 * 1024] + bytes(header) + bytes(1024)


def _link(target: str) -> Callable[[Path], object]:
    return lambda file: file.symlink_to(target)


_SHARDS = (
    _shard("honest", lambda: tar_of(members()), _READ),
    _shard("a name with ..", _with(*_pair("../outside"))),
    _shard("a name deep with ..", _with(*_pair("a/../../outside"))),
    _shard("an absolute name", _with(*_pair("/tmp/outside"))),
    _shard("a Windows name", _with(*_pair("C:\\outside"))),
    _shard("a name with \\..", _with(*_pair("..\\outside"))),
    _shard("a name of 5,000 letters", _with(*_pair("x" * 5_000)), _EITHER),
    _shard("a name with a line end", _with(*_pair("a\nb")), _EITHER),
    _shard("a name that is no UTF-8", _with(*_pair("a\udcff")), _EITHER),
    _shard("an empty key", _with((".png", _png(0)), (".txt", b"x")), _EITHER),
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
    _shard("cut within a header", lambda: tar_of(members())[: 512 * 9 + 100], _EITHER),
    _shard("empty", bytes),
    _shard("zeros", lambda: bytes(10_240)),
    _shard("a text", lambda: b"not an archive" * 100),
    _shard("compressed", lambda: gzip.compress(tar_of(members()))),
    _shard("compressed by bzip2", lambda: bz2.compress(tar_of(members()))),
    _shard("a key twice", lambda: tar_of([*members(), *members()])),
    _shard("an image without a text", lambda: tar_of([("0.png", _png(0))])),
    _shard("a text without an image", lambda: tar_of([("0.txt", b"x")])),
    _shard(
        "a text of another encoding",
        lambda: tar_of([("0.png", _png(0)), ("0.txt", b"\xff\xfe\xff")]),
    ),
    _shard(
        "a text of 20 MB",
        lambda: tar_of([("0.png", _png(0)), ("0.txt", b"x" * 20_000_000)]),
    ),
    _shard(
        "a broken image", lambda: tar_of([("0.png", _png(0)[:40]), ("0.txt", b"x")])
    ),
    Attempt("a shard that is a FIFO", "webdataset", "a.tar", os.mkfifo),
    Attempt("a shard that is a device", "webdataset", "a.tar", _link("/dev/zero")),
    Attempt("a shard that is a loop", "webdataset", "a.tar", _link("a.tar")),
    Attempt("a shard that is a folder", "webdataset", "a.tar", os.mkdir),
    Attempt(
        "JSON that is deep",
        "webdataset",
        "a.tar",
        _bytes(lambda: _json_shard(b"[" * 100_000)),
        options={"text": "report"},
    ),
    Attempt(
        "JSON that is a list",
        "webdataset",
        "a.tar",
        _bytes(lambda: _json_shard(b"[]")),
        options={"text": "report"},
    ),
    Attempt(
        "JSON of a number",
        "webdataset",
        "a.tar",
        _bytes(lambda: _json_shard(b'{"report": 3}')),
        options={"text": "report"},
    ),
    Attempt(
        "JSON of 5,000 digits",
        "webdataset",
        "a.tar",
        _bytes(lambda: _json_shard(b'{"report": ' + b"9" * 5_000 + b"}")),
        options={"text": "report"},
    ),
)


def _json_shard(content: bytes) -> bytes:
    return tar_of([("0.png", _png(0)), ("0.json", content)])


# Tables


def table(change: Callable[[list[list[str]]], None] | None = None) -> bytes:
    listed = [
        ["image", "report"],
        *([f"{number}.png", f"text {number}"] for number in range(_PAIRS)),
    ]
    if change is not None:
        change(listed)
    text = io.StringIO()
    csv.writer(text).writerows(listed)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _json_lines() -> bytes:
    lines = [
        {"image": f"{number}.png", "report": f"text {number}"}
        for number in range(_PAIRS)
    ]
    return "\n".join(map(json.dumps, lines)).encode()


def _parquet() -> bytes:
    import pyarrow
    import pyarrow.parquet

    names = [f"{number}.png" for number in range(_PAIRS)]
    content = pyarrow.table(
        {"image": names, "report": [f"text {number}" for number in range(_PAIRS)]}
    )
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(content, buffer)
    return buffer.getvalue()


def _table(
    name: str, make: Callable[[], bytes], expected: str = _REFUSED, file: str = "t.csv"
) -> Attempt:
    return Attempt(name, "table", file, _bytes(make), expected)


def _place(path: str) -> Callable[[], bytes]:
    """The table with another path in its third row."""
    return lambda: table(lambda listed: listed[3].__setitem__(0, path))


def _line(text: bytes) -> Callable[[], bytes]:
    """JSON Lines with one more line."""
    return lambda: _json_lines() + b"\n" + text + b"\n"


def _gzip_bomb(file: Path) -> None:
    with gzip.open(file, "wb", compresslevel=1) as stream:
        stream.write(b'image,report\n0.png,"')
        for _ in range(120):
            stream.write(b"x" * (1 << 24))


_TABLES = (
    _table("honest", table, _READ),
    _table("a path with ..", _place("../outside.png")),
    _table("an absolute path", _place("/etc/hostname")),
    _table("a path with a null byte", _place("a\0b.png")),
    _table("a path of 5,000 letters", _place("x" * 5_000)),
    _table("an empty path", _place("")),
    _table("a device as an image", _place("/dev/zero")),
    _table("empty", bytes),
    _table(
        "a header alone",
        lambda: table(lambda listed: listed.__delitem__(slice(1, None))),
    ),
    _table("a column is missing", lambda: table().replace(b"report", b"words", 1)),
    _table("a column twice", lambda: b"image,report,report\n0.png,a,b\n"),
    _table("a row too short", lambda: table() + b"7.png\n"),
    _table("a row too long", lambda: table() + b"0.png,a,b,c\n"),
    _table("an open quote", lambda: table() + b'0.png,"a\n' + b"x\n" * 100_000),
    _table("null bytes", lambda: table() + b"\0\0\0\n"),
    _table("Latin-1", lambda: table() + b"0.png,\xe9\xe8\n"),
    _table("UTF-16", lambda: table().decode().encode("utf-16")),
    _table(
        "a field of 30 MB", lambda: table() + b'0.png,"' + b"x" * 30_000_000 + b'"\n'
    ),
    _table("an id twice", lambda: b"image,report\n0.png,a\n0.png,b\n", _EITHER),
    _table("gzip that is none", table, file="t.csv.gz"),
    _table("gzip, cut", lambda: gzip.compress(table())[:-12], file="t.csv.gz"),
    Attempt("a gzip bomb", "table", "t.csv.gz", _gzip_bomb),
    Attempt("a table that is a FIFO", "table", "t.csv", os.mkfifo),
    Attempt("a table that is a device", "table", "t.csv", _link("/dev/zero")),
    Attempt("a table that is a loop", "table", "t.csv", _link("t.csv")),
    Attempt("a Parquet that is a FIFO", "table", "t.parquet", os.mkfifo),
    _table("JSON Lines", _json_lines, _READ, "t.jsonl"),
    _table("JSON Lines, no JSON", _line(b"{'a': 1}"), file="t.jsonl"),
    _table("JSON Lines, a list", _line(b"[1]"), file="t.jsonl"),
    _table("JSON Lines, deep", _line(b"[" * 100_000), file="t.jsonl"),
    _table(
        "JSON Lines, deep and closed",
        _line(b'{"image":' * 50_000 + b"1" + b"}" * 50_000),
        file="t.jsonl",
    ),
    _table(
        "JSON Lines, 5,000 digits",
        _line(b'{"image": "0.png", "report": ' + b"9" * 5_000 + b"}"),
        file="t.jsonl",
    ),
    _table(
        "JSON Lines, NaN",
        _line(b'{"image": "0.png", "report": NaN}'),
        _EITHER,
        "t.jsonl",
    ),
    _table(
        "JSON Lines, a number",
        _line(b'{"image": "0.png", "report": 3}'),
        file="t.jsonl",
    ),
    _table(
        "JSON Lines, an object",
        _line(b'{"image": "0.png", "report": {"a": 1}}'),
        file="t.jsonl",
    ),
    _table(
        "JSON Lines, an image of null",
        _line(b'{"image": null, "report": "x"}'),
        file="t.jsonl",
    ),
    _table(
        "JSON Lines, a lone surrogate",
        _line(b'{"image": "0.png", "report": "\\ud800"}'),
        _EITHER,
        "t.jsonl",
    ),
    _table("Parquet", _parquet, _READ, "t.parquet"),
    _table("Parquet that is none", table, file="t.parquet"),
    _table("Parquet, cut", lambda: _parquet()[:-20], file="t.parquet"),
    _table(
        "Parquet, a footer of 2**31",
        lambda: _parquet()[:-8] + b"\xff\xff\xff\x7fPAR1",
        file="t.parquet",
    ),
)


# XML, and archives of reports


def report_xml(findings: str = "Clear lungs.", head: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n{head}<eCitation><uId id="CXR1"/>'
        "<MedlineCitation><Article><Abstract>"
        f'<AbstractText Label="FINDINGS">{findings}</AbstractText>'
        "</Abstract></Article></MedlineCitation>"
        '<parentImage id="0"><figureId>F1</figureId></parentImage></eCitation>'
    ).encode()


def _xml_folder(content: bytes) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        folder.mkdir()
        (folder / "1.xml").write_bytes(content)

    return write


def _fifo_among_reports(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / "1.xml")


def _xml_archive(content: Members) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(gzip.compress(tar_of(content)))


_LAUGHS = (
    "<!DOCTYPE x [<!ENTITY a0 'ha'>"
    + "".join(
        f"<!ENTITY a{level} '{f'&a{level - 1};' * 10}'>" for level in range(1, 10)
    )
    + "]>"
)
_QUADRATIC = f"<!DOCTYPE x [<!ENTITY a '{'x' * 100_000}'>]>"
_FILE_ENTITY = "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>"
_NET_ENTITY = "<!DOCTYPE x [<!ENTITY a SYSTEM 'http://127.0.0.1:9/a'>]>"
_PARAMETER = "<!DOCTYPE x [<!ENTITY % a SYSTEM 'file:///etc/hostname'> %a;]>"


def _xml(name: str, content: bytes, expected: str = _REFUSED) -> Attempt:
    return Attempt(name, "open-i", "reports", _xml_folder(content), expected)


_XML = (
    _xml("honest", report_xml(), _READ),
    Attempt(
        "an honest archive",
        "open-i",
        "r.tgz",
        _xml_archive([("1.xml", report_xml())]),
        _READ,
    ),
    _xml("an entity bomb", report_xml("&a9;", _LAUGHS)),
    _xml("a quadratic bomb", report_xml("&a;" * 10_000, _QUADRATIC)),
    _xml("an entity of a file", report_xml("&a;", _FILE_ENTITY)),
    _xml("an entity of the net", report_xml("&a;", _NET_ENTITY)),
    _xml("a parameter entity", report_xml("x", _PARAMETER)),
    _xml(
        "a document type alone",
        report_xml("x", "<!DOCTYPE x SYSTEM 'file:///etc/hostname'>"),
    ),
    _xml("deep", b"<a>" * 200_000),
    _xml("cut", report_xml()[:200]),
    _xml("empty", b""),
    _xml("no XML", b"{}"),
    _xml(
        "another encoding than it says", report_xml("\u00e9").decode().encode("latin-1")
    ),
    _xml("an encoding that is none", report_xml().replace(b"utf-8", b"utf-99")),
    Attempt(
        "a FIFO among the reports",
        "open-i",
        "reports",
        _fifo_among_reports,
    ),
    Attempt(
        "an archive with ..",
        "open-i",
        "r.tgz",
        _xml_archive([("../1.xml", report_xml())]),
    ),
    Attempt(
        "an archive with an absolute name",
        "open-i",
        "r.tgz",
        _xml_archive([("/tmp/1.xml", report_xml())]),
    ),
    Attempt(
        "an archive of a bomb",
        "open-i",
        "r.tgz",
        _xml_archive([("1.xml", b"<a>" + bytes(1 << 28))]),
    ),
    Attempt("an archive that is none", "open-i", "r.tgz", _bytes(lambda: b"x" * 100)),
    Attempt(
        "an archive, cut",
        "open-i",
        "r.tgz",
        _bytes(lambda: gzip.compress(tar_of([("1.xml", report_xml())]))[:80]),
    ),
    Attempt(
        "an archive without reports", "open-i", "r.tgz", _xml_archive([("a.txt", b"x")])
    ),
)


def _zip(
    change: Callable[[dict[str, bytes]], None], compression: int = zipfile.ZIP_STORED
) -> Callable[[Path], object]:
    """The archive of MIMIC-CXR's reports with changed members, beside the tables and
    images that it belongs to.
    """

    def write(file: Path) -> None:
        from tests.datasets.files import trees

        trees.mimic(file.parent)
        with zipfile.ZipFile(trees.mimic_zip(file.parent)) as honest:
            content = {name: honest.read(name) for name in honest.namelist()}
        change(content)
        with zipfile.ZipFile(file, "w", compression) as archive:
            for name, data in content.items():
                archive.writestr(name, data)

    return write


_STUDY = "files/p10/p10000032/s50414267.txt"


def _beside_mimic(write: Callable[[Path], object]) -> Callable[[Path], object]:
    def both(file: Path) -> None:
        from tests.datasets.files import trees

        trees.mimic(file.parent)
        write(file)

    return both


def _in_zip(
    name: str, change: Callable[[dict[str, bytes]], None], expected: str = _REFUSED
) -> Attempt:
    return Attempt(
        name, "mimic-cxr", "reports.zip", _zip(change, zipfile.ZIP_DEFLATED), expected
    )


def _no_zip(name: str, write: Callable[[Path], object]) -> Attempt:
    return Attempt(name, "mimic-cxr", "reports.zip", _beside_mimic(write))


_ZIPS = (
    _in_zip("honest", lambda _: None, _READ),
    # A name that no study has is never read.
    _in_zip(
        "a name with ..",
        lambda content: content.update({"../../s1.txt": b"x"}),
        _EITHER,
    ),
    _in_zip("a bomb", lambda content: content.update({_STUDY: bytes(1 << 30)})),
    _in_zip("empty", lambda content: content.clear()),
    _no_zip("a zip that is none", _bytes(lambda: b"PK\x03\x04" + bytes(100))),
    _no_zip("a zip that is a FIFO", os.mkfifo),
    _no_zip("a zip that is a device", _link("/dev/zero")),
)


def _fuzz(ground: Ground) -> Iterator[Trial]:
    kinds: list[tuple[str, str, bytes, Mapping[str, Any]]] = [
        ("webdataset", "f.tar", tar_of(members()), {}),
        (
            "webdataset",
            "f.tar",
            tar_of(members()),
            {"text": "report", "patient": "patient"},
        ),
        ("table", "f.csv", table(), {}),
        ("table", "f.csv.gz", gzip.compress(table()), {}),
        ("table", "f.jsonl", _json_lines(), {}),
        ("table", "f.parquet", _parquet(), {}),
        ("open-i", "f.tgz", gzip.compress(tar_of([("1.xml", report_xml())])), {}),
        ("open-i", "f.tar", tar_of([("1.xml", report_xml())]), {}),
    ]
    place = ground.place("fuzzed") / "inside"
    place.mkdir()
    images(place)
    checks: list[tuple[str, Check]] = []
    for number in range(ground.count(1_600, 32)):
        loader, file, content, options = kinds[number % len(kinds)]
        changed = partial(mutated, content, ground.random("archive", number))
        target = place / f"{number}-{file}"
        checks.append(
            (
                f"fuzzed {file} {number}",
                partial(_fuzzed, loader, target, changed, options),
            )
        )
    yield from in_children(checks, chunk=100)


def _fuzzed(
    loader: str, target: Path, changed: Callable[[], bytes], options: Mapping[str, Any]
) -> str | None:
    target.write_bytes(changed())
    outside = listing(target.parent.parent)
    ended = opened(loader, target, options)
    made = listing(target.parent.parent) - outside
    target.unlink()
    if made:
        return f"wrote {sorted(made)[0]}"
    return None if ended in (_READ, _REFUSED) else ended


ROWS = (
    Row(
        "archives",
        "shards, archives and tables, hostile or damaged: refused or read right",
        rows,
    ),
)
