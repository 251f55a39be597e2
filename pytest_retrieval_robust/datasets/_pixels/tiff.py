"""What a TIFF file says of its pages: how many pictures it holds. Pillow reads the pixels."""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple

from .refusals import CONVERT, Refused

_NEW_SUBFILE_TYPE = 254
_SUBFILE_TYPE = 255
_REDUCED_OR_MASK = 0b101
"""Bits of `NewSubfileType`: a smaller copy of another picture, and a transparency mask."""
_OLD_REDUCED = 2
_FORMS = {3: "H", 4: "I"}
"""Field types that hold whole numbers: SHORT and LONG."""
_MOST_PAGES = 1000
_MOST_ENTRIES = 65_535


class _Layout(NamedTuple):
    """How one of the two kinds of TIFF writes its directories."""

    order: str
    count_form: str
    entry_bytes: int
    offset_form: str


class _Page(NamedTuple):
    is_picture: bool
    next_offset: int


def is_tiff(head: bytes) -> bool:
    """Whether a file begins as a TIFF or BigTIFF does."""
    return head[:2] in (b"II", b"MM") and head[2:4] in (b"*\0", b"\0*", b"+\0", b"\0+")


def require_one_page(stream: BinaryIO) -> None:
    """Raise `Refused` for a TIFF of several pictures. Leaves the stream at its beginning.

    Smaller copies of the picture and transparency masks do not count as pictures, if the
    file marks them so.
    """
    pages = _pages(stream)
    stream.seek(0)
    pictures = sum(pages)
    if pictures > 1:
        got = f"{pictures} pages"
        if len(pages) == _MOST_PAGES:
            got = f"{_MOST_PAGES} pages or more"
        raise Refused("one picture per file", got, CONVERT)
    if pictures == 1 and not pages[0]:
        raise Refused(
            "the picture on the first page",
            "a smaller copy of it or a mask there",
            CONVERT,
        )


def _pages(stream: BinaryIO) -> list[bool]:
    """For each page of the file, whether it is a picture of its own."""
    layout, offset = _first_directory(stream.read(16))
    pages: list[bool] = []
    # A hostile file's directories may point to each other, or go on without end.
    visited: set[int] = set()
    while offset and offset not in visited and len(pages) < _MOST_PAGES:
        visited.add(offset)
        page = _page(stream, layout, offset)
        # A careless writer's last offset leads nowhere: the pages before it are whole.
        if page is None:
            break
        pages.append(page.is_picture)
        offset = page.next_offset
    return pages


def _first_directory(head: bytes) -> tuple[_Layout, int]:
    order = "<" if head[:2] == b"II" else ">"
    is_big_tiff = b"+" in head[2:4]
    if is_big_tiff:
        layout = _Layout(order, "Q", 20, "Q")
        position = 8
    else:
        layout = _Layout(order, "H", 12, "I")
        position = 4
    form = layout.order + layout.offset_form
    offset = _number(form, head[position : position + struct.calcsize(form)])
    return layout, offset or 0


def _page(stream: BinaryIO, layout: _Layout, offset: int) -> _Page | None:
    """The page whose directory is at `offset`; None if there is no directory."""
    # Beyond the end there is nothing to read.
    if offset >= stream.seek(0, 2):
        return None
    stream.seek(offset)
    count_form = layout.order + layout.count_form
    count = _number(count_form, stream.read(struct.calcsize(count_form)))
    if not count or count > _MOST_ENTRIES:
        return None
    entries = stream.read(count * layout.entry_bytes)
    if len(entries) < count * layout.entry_bytes:
        return None
    next_form = layout.order + layout.offset_form
    next_offset = _number(next_form, stream.read(struct.calcsize(next_form)))
    return _Page(not _is_copy(entries, layout), next_offset or 0)


def _is_copy(entries: bytes, layout: _Layout) -> bool:
    for start in range(0, len(entries), layout.entry_bytes):
        entry = entries[start : start + layout.entry_bytes]
        tag, kind = struct.unpack(f"{layout.order}HH", entry[:4])
        value = _value(entry, kind, layout)
        if tag == _NEW_SUBFILE_TYPE and value & _REDUCED_OR_MASK:
            return True
        if tag == _SUBFILE_TYPE and value == _OLD_REDUCED:
            return True
    return False


def _value(entry: bytes, kind: int, layout: _Layout) -> int:
    """The number of an entry that holds one; 0 for others."""
    form = _FORMS.get(kind)
    if form is None:
        return 0
    start = 4 + struct.calcsize(f"={layout.offset_form}")
    return int(struct.unpack_from(layout.order + form, entry, start)[0])


def _number(form: str, content: bytes) -> int | None:
    if len(content) < struct.calcsize(form):
        return None
    return int(struct.unpack(form, content)[0])
