"""What the readers of pictures share: how large a file may be, how one is refused, and
libraries that keep quiet.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DatasetError, UnreadableImageError
from ...core.foreign import shows_texts

Values = NDArray[np.float64]

MOST_PIXELS = 150_000_000
"""Beyond this a file is taken for a decompression bomb: a radiograph has 10 to 25
million pixels.
"""
MOST_BYTES = 1 << 30
"""Of a file as it is stored, and of a deflated DICOM file after it was expanded."""
LEAST_SHARE = 16
"""A picture whose greatest value is less than white divided by this shows 16 of 256
levels: all but black.
"""

SKIP = "or choose on_error='skip'."
COPY_AGAIN = f"Copy it again, {SKIP}"
CONVERT = f"Convert it, {SKIP}"
LEAVE_OUT = f"Leave it out, {SKIP}"


class Refused(Exception):
    """Why a picture is not read.

    Readers raise it with no name of the file, which they do not know.
    """

    def __init__(
        self,
        expected: str,
        got: str,
        advice: str = COPY_AGAIN,
        kind: type[DatasetError] = UnreadableImageError,
    ) -> None:
        super().__init__(expected, got)
        self._expected, self._got, self._advice, self._kind = (
            expected,
            got,
            advice,
            kind,
        )

    def named(self, shown: str) -> DatasetError:
        """The error for the file that is called `shown` in messages."""
        return self._kind(
            f"Expected {self._expected}, got {self._got}: {shown}. {self._advice}"
        )


def kind_of(error: BaseException) -> str:
    """What may be said of a library's error about a file: its text may quote a patient's name."""
    kind = type(error).__name__
    return f"{kind} ({error})" if shows_texts() else kind


def require_size(columns: int, rows: int) -> None:
    """Raise `Refused` for a picture of too many pixels, before anything of its size is
    allocated.
    """
    if columns * rows > MOST_PIXELS:
        raise Refused(
            f"at most {MOST_PIXELS} pixels",
            f"size={columns} x {rows}, as a decompression bomb has",
            LEAVE_OUT,
        )


def require_bytes(stream: BinaryIO) -> None:
    """Raise `Refused` for a file of too many bytes. The stream is put back to its beginning."""
    size = stream.seek(0, 2)
    stream.seek(0)
    if size > MOST_BYTES:
        raise Refused(f"a file of at most {MOST_BYTES} bytes", f"{size}", LEAVE_OUT)


def by_value(
    pixels: NDArray[Any], shown: Callable[[Values], Values]
) -> NDArray[np.uint8]:
    """The pixels through `shown`, which answers on a scale of 0 to 1, clipped and
    rounded to 0..255.

    `shown` is asked once for each value of up to 16 bits that occurs, in their order;
    of more bits, for each pixel.
    """
    if pixels.itemsize > 2:
        return _levels(shown(pixels.astype(np.float64)))
    patterns = pixels.view(f"u{pixels.itemsize}")
    domain = np.arange(2 ** (8 * pixels.itemsize), dtype=patterns.dtype).view(
        pixels.dtype
    )
    occurs = np.zeros(len(domain), dtype=np.bool_)
    occurs[patterns] = True
    levels = np.zeros(len(domain), dtype=np.uint8)
    levels[occurs] = _levels(shown(domain[occurs].astype(np.float64)))
    picture: NDArray[np.uint8] = levels[patterns]
    return picture


def _levels(shares: Values) -> NDArray[np.uint8]:
    if not np.isfinite(shares).all():
        raise Refused(
            "a scale that makes levels of all values", "one that overflows", LEAVE_OUT
        )
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)


# Warnings and log records of these libraries quote what stands in a file: a patient's
# name among it.
_LOGGERS = ("pydicom", "PIL", "pylibjpeg", "libjpeg", "openjpeg", "rle", "gdcm")
_MODULES = rf"({'|'.join(_LOGGERS)}|pytest_retrieval_robust\.datasets\._pixels)(\.|$)"
_FILTER = ("ignore", None, Warning, re.compile(_MODULES), 0)
_ABOVE_ALL = logging.CRITICAL + 1
_lock = threading.Lock()
_readers = 0
_takes_truncated = False
_levels_before: dict[str, int] = {}
_filtered: list[list[Any]] = []


@contextmanager
def quiet() -> Iterator[None]:
    """No warning and no log record of a library that reads pictures goes anywhere while
    one is read.

    Nor does Pillow fill up files that were cut short, as training code often has it do.
    Safe in several threads, unlike `warnings.catch_warnings`: only what is still as it
    was set here is put back. Other modules' warnings and records pass.
    """
    global _readers
    with _lock:
        if not _readers:
            _hush_loggers()
            _refuse_truncated()
        _hush_warnings()
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if not _readers:
                _let_speak()


def _refuse_truncated() -> None:
    global _takes_truncated
    from PIL import ImageFile

    _takes_truncated = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False


def _hush_loggers() -> None:
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        _levels_before[name] = logger.level
        logger.setLevel(_ABOVE_ALL)


def _hush_warnings() -> None:
    filters: Any = warnings.filters
    if list(filters[:1]) == [_FILTER]:
        return
    warnings.filterwarnings("ignore", module=_MODULES)
    _filtered.append(filters)


def _let_speak() -> None:
    from PIL import ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = (
        ImageFile.LOAD_TRUNCATED_IMAGES or _takes_truncated
    )
    for name, level in _levels_before.items():
        logger = logging.getLogger(name)
        if logger.level == _ABOVE_ALL:
            logger.setLevel(level)
    for filters in _filtered:
        if _FILTER in filters:
            filters.remove(_FILTER)
    _filtered.clear()
