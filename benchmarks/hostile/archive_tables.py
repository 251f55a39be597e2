"""Tables, honest, hostile or damaged."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

from .archive_attempts import (
    EITHER,
    PAIRS,
    READ,
    REFUSED,
    Attempt,
    links_to,
    writes,
)


def table(change: Callable[[list[list[str]]], None] | None = None) -> bytes:
    """An honest table, or one whose rows were changed."""
    rows = [["image", "report"]]
    rows += [[f"{number}.png", f"text {number}"] for number in range(PAIRS)]
    if change is not None:
        change(rows)
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def json_lines() -> bytes:
    lines = [
        {"image": f"{number}.png", "report": f"text {number}"}
        for number in range(PAIRS)
    ]
    return "\n".join(map(json.dumps, lines)).encode()


def parquet() -> bytes:
    import pyarrow
    import pyarrow.parquet

    names = [f"{number}.png" for number in range(PAIRS)]
    texts = [f"text {number}" for number in range(PAIRS)]
    content = pyarrow.table({"image": names, "report": texts})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(content, buffer)
    return buffer.getvalue()


def _table(
    name: str, make: Callable[[], bytes], expected: str = REFUSED, file: str = "t.csv"
) -> Attempt:
    return Attempt(name, "table", file, writes(make), expected)


def _path(path: str) -> Callable[[], bytes]:
    """The table with another path in its third row."""
    return lambda: table(lambda rows: rows[3].__setitem__(0, path))


def _line(text: bytes) -> Callable[[], bytes]:
    """JSON Lines with one more line."""
    return lambda: json_lines() + b"\n" + text + b"\n"


def _gzip_bomb(file: Path) -> None:
    with gzip.open(file, "wb", compresslevel=1) as stream:
        stream.write(b'image,report\n0.png,"')
        for _ in range(120):
            stream.write(b"x" * (1 << 24))


TABLES = (
    _table("honest", table, READ),
    _table("a path with ..", _path("../outside.png")),
    _table("an absolute path", _path("/etc/hostname")),
    _table("a path with a null byte", _path("a\0b.png")),
    _table("a path of 5,000 letters", _path("x" * 5_000)),
    _table("an empty path", _path("")),
    _table("a device as an image", _path("/dev/zero")),
    _table("empty", bytes),
    _table(
        "a header alone",
        lambda: table(lambda rows: rows.__delitem__(slice(1, None))),
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
    _table("an id twice", lambda: b"image,report\n0.png,a\n0.png,b\n", EITHER),
    _table("gzip that is none", table, file="t.csv.gz"),
    _table("gzip, cut", lambda: gzip.compress(table())[:-12], file="t.csv.gz"),
    Attempt("a gzip bomb", "table", "t.csv.gz", _gzip_bomb),
    Attempt("a table that is a FIFO", "table", "t.csv", os.mkfifo),
    Attempt("a table that is a device", "table", "t.csv", links_to("/dev/zero")),
    Attempt("a table that is a loop", "table", "t.csv", links_to("t.csv")),
    Attempt("a Parquet that is a FIFO", "table", "t.parquet", os.mkfifo),
    _table("JSON Lines", json_lines, READ, "t.jsonl"),
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
        EITHER,
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
        EITHER,
        "t.jsonl",
    ),
    _table("Parquet", parquet, READ, "t.parquet"),
    _table("Parquet that is none", table, file="t.parquet"),
    _table("Parquet, cut", lambda: parquet()[:-20], file="t.parquet"),
    _table(
        "Parquet, a footer of 2**31",
        lambda: parquet()[:-8] + b"\xff\xff\xff\x7fPAR1",
        file="t.parquet",
    ),
)
