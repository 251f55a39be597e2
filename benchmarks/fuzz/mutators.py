"""Changes that keep the form of an input, so that they reach what is behind its checks.

Bytes of an archive that are changed at random fail at its checksums. Here what is within
it is changed, and the archive is written anew.
"""

from __future__ import annotations

import io
import json
import random
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from benchmarks.hostile.mutations import mutated, mutated_json

from .target import Mutate

_PNG_START = 8
_LENGTH_BYTES = 8


def keeping(change: Callable[[bytes, random.Random], bytes]) -> Mutate:
    """A mutation of libFuzzer's signature from one that raises for other forms of input."""

    def mutate(content: bytes, most_bytes: int, seed: int) -> bytes:
        rng = random.Random(seed)
        try:
            changed = change(content, rng)
        except Exception:
            # Earlier changes left something of another form.
            changed = mutated(content, rng)
        return changed[:most_bytes]

    return mutate


def _json(content: bytes, rng: random.Random) -> bytes:
    changed = mutated_json(json.loads(content), rng)
    return json.dumps(changed).encode()


def _json_lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    number = rng.randrange(len(lines))
    lines[number] = _json(lines[number], rng) + b"\n"
    return b"".join(lines)


def _zip(content: bytes, rng: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    number = rng.randrange(len(members))
    info, data = members[number]
    if rng.random() < 0.2:
        info.filename = mutated(info.filename.encode(), rng).decode("latin-1")
    else:
        data = mutated(data, rng)
    members[number] = (info, data)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for info, data in members:
            archive.writestr(info, data)
    return stream.getvalue()


def _tar(content: bytes, rng: random.Random) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = [(info, _data_of(archive, info)) for info in archive]
    number = rng.randrange(len(members))
    info, data = members[number]
    what = rng.choice(("name", "data", "data", "data", "type", "twice"))
    if what == "name":
        info.name = mutated(info.name.encode(), rng).decode("latin-1")
    elif what == "data":
        data = mutated(data, rng)
    elif what == "type":
        info.type = rng.choice((b"0", b"1", b"2", b"3", b"5", b"6", b"7", b"S"))
    else:
        members.append((info, data))
    members[number] = (info, data)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def _data_of(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    if not info.isreg():
        return b""
    stream = archive.extractfile(info)
    return b"" if stream is None else stream.read()


def _png(content: bytes, rng: random.Random) -> bytes:
    """Changed at random, with the checksums of its chunks made right again."""
    changed = bytearray(mutated(content, rng))
    start = _PNG_START
    while start + 12 <= len(changed):
        length = int.from_bytes(changed[start : start + 4], "big")
        end = start + 8 + length
        if end + 4 > len(changed):
            break
        checksum = zlib.crc32(changed[start + 4 : end])
        changed[end : end + 4] = checksum.to_bytes(4, "big")
        start = end + 4
    return bytes(changed)


def _safetensors(content: bytes, rng: random.Random) -> bytes:
    """With another header, whose length is right."""
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    end = _LENGTH_BYTES + length
    header: Any = json.loads(content[_LENGTH_BYTES:end])
    written = json.dumps(mutated_json(header, rng)).encode()
    return len(written).to_bytes(_LENGTH_BYTES, "little") + written + content[end:]


def _frames(content: bytes, rng: random.Random) -> bytes:
    """With another header in its first frame, whose length is right."""
    length = int.from_bytes(content[4:8], "little")
    header = json.loads(content[16 : 16 + length])
    written = json.dumps(mutated_json(header, rng)).encode()
    start = content[:4] + len(written).to_bytes(4, "little") + content[8:16]
    return start + written + content[16 + length :]


json_of = keeping(_json)
json_lines_of = keeping(_json_lines)
zip_of = keeping(_zip)
tar_of = keeping(_tar)
png_of = keeping(_png)
safetensors_of = keeping(_safetensors)
frames_of = keeping(_frames)
