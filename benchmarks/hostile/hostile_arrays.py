"""NumPy archives that are hostile or odd by hand, and whether each must be refused."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .image_files import ARRAY, arrays

_SIDE = 8


class _Runs:
    """What pickle would run. The attempt fails if it can be read at all."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (print, ("an archive ran code",))


def _wrote(content: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(content())


def _of(values: Any) -> Callable[[Path], object]:
    return _wrote(lambda: arrays(**{ARRAY: values}))


def _archive(*parts: bytes) -> bytes:
    """An archive of one array's file, packed part by part."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(f"{ARRAY}.npy", "w", force_zip64=True) as member,
    ):
        for part in parts:
            member.write(part)
    return buffer.getvalue()


def _header(shape: str) -> bytes:
    words = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    text = words.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text


def _long_header() -> bytes:
    """A header of 3 GiB, as it says: what follows are blanks."""
    return _archive(
        b"\x93NUMPY\x02\0" + struct.pack("<I", 3 << 30), *[b" " * (1 << 24)] * 192
    )


def _bomb() -> bytes:
    """A picture of 150 million pixels that goes on for 3 GiB."""
    return _archive(_header("(10000, 15000)"), *[bytes(1 << 24)] * 192)


def _written_by_python_2() -> bytes:
    """NumPy warns of the suffixes."""
    return _archive(_header("(8L, 8L)"), bytes([255] * 64))


ARRAYS_BY_HAND: Sequence[tuple[str, Callable[[Path], object], bool]] = (
    ("NPZ with a payload", _of(np.array([[_Runs()]], dtype=object)), True),
    ("NPZ, a header of 3 GiB", _wrote(_long_header), True),
    ("NPZ, a bomb", _wrote(_bomb), True),
    (
        "NPZ of a million squared",
        _wrote(lambda: _archive(_header("(1048576, 1048576)"))),
        True,
    ),
    ("NPZ of no rows", _of(np.zeros((0, _SIDE))), True),
    ("NPZ of NaN", _of(np.full((_SIDE, _SIDE), np.nan)), True),
    ("NPZ of a volume", _of(np.full((_SIDE, _SIDE, _SIDE), 200)), True),
    ("NPZ of 16 bits", _of(np.full((_SIDE, _SIDE), 60_000)), True),
    ("NPZ of Python 2", _wrote(_written_by_python_2), False),
    ("a ZIP of nothing", _wrote(lambda: b"PK\x05\x06" + bytes(18)), True),
)
