"""Libraries that read pictures and data sets, kept quiet: their warnings and log records
quote what is in a file, or its path, a patient's name among it.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_LOGGERS = (
    *("pydicom", "PIL", "pylibjpeg", "libjpeg", "openjpeg", "rle", "gdcm"),
    "datasets",
)
_OURS = r"pytest_retrieval_robust\.datasets\._pixels"
_HEADERS_OF_ARRAYS = r"numpy\.lib\.(format|_format_impl)"
_MODULES = rf"({'|'.join(_LOGGERS)}|{_OURS}|{_HEADERS_OF_ARRAYS})(\.|$)"
_FILTER = ("ignore", None, Warning, re.compile(_MODULES), 0)
"""What `warnings.filterwarnings` makes of `_MODULES`, to find it among the filters."""
_SILENT = logging.CRITICAL + 1

_lock = threading.Lock()
_readers = 0
"""How many threads read a picture now: the last one to finish puts everything back."""
_takes_truncated = False
_levels_before: dict[str, int] = {}
_filtered: list[list[Any]] = []


@contextmanager
def quiet() -> Iterator[None]:
    """Drop warnings and log records of libraries that read, while a file is read.

    Also keeps Pillow from filling up files that were cut short, as training code often
    has it do. Safe in several threads, unlike `warnings.catch_warnings`: only what is
    still as it was set here is put back. Warnings and records of other modules pass.
    """
    global _readers
    with _lock:
        if not _readers:
            _silence_loggers()
            _refuse_truncated()
        _ignore_warnings()
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if not _readers:
                _restore()


def _refuse_truncated() -> None:
    global _takes_truncated
    from PIL import ImageFile

    _takes_truncated = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False


def _silence_loggers() -> None:
    for name in _LOGGERS:
        _levels_before[name] = logging.getLogger(name).level
    _set_levels(dict.fromkeys(_LOGGERS, _SILENT))


def _set_levels(levels: Mapping[str, int]) -> None:
    """Give loggers, by name, a level each.

    `Logger.setLevel` has every logger of the process forget what it is enabled for. With
    the hundreds of loggers of transformers that took 0.3 ms per picture.
    """
    for name, level in levels.items():
        logging.getLogger(name).level = level
    # The level stays as it is: this forgets, once.
    logging.disable(logging.root.manager.disable)


def _ignore_warnings() -> None:
    filters: Any = warnings.filters
    if list(filters[:1]) == [_FILTER]:
        return
    warnings.filterwarnings("ignore", module=_MODULES)
    # Another thread may be inside `warnings.catch_warnings`, which replaces the list.
    _filtered.append(filters)


def _restore() -> None:
    from PIL import ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = (
        ImageFile.LOAD_TRUNCATED_IMAGES or _takes_truncated
    )
    # Someone else may have set another level since: that one stays.
    still_silent = {
        name: level
        for name, level in _levels_before.items()
        if logging.getLogger(name).level == _SILENT
    }
    _set_levels(still_silent)
    for filters in _filtered:
        if _FILTER in filters:
            filters.remove(_FILTER)
    _filtered.clear()
