"""Silence for libraries that log what is false or private while they load weights."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath


@contextmanager
def quietly() -> Iterator[None]:
    """No log records of open_clip and transformers.

    open_clip gets its weights only afterwards, so that its "No pretrained weights
    loaded" is false. Both log paths. What is wrong with a checkpoint is an error of
    this package, never a record.
    """
    from transformers.utils import logging as transformers_logging

    root = logging.getLogger()
    level = transformers_logging.get_verbosity()
    root.addFilter(_is_not_of_open_clip)
    # Without a handler, the first record of open_clip would set up the root logger of
    # the whole process.
    silent = logging.NullHandler()
    root.addHandler(silent)
    # The library has a logger of its own, which the root's filter does not reach.
    transformers_logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        root.removeFilter(_is_not_of_open_clip)
        root.removeHandler(silent)
        transformers_logging.set_verbosity(level)


@contextmanager
def without_bars() -> Iterator[None]:
    """No progress bars of transformers, which are a setting of the whole process."""
    from huggingface_hub import constants
    from transformers.utils import logging as transformers_logging

    # A variable of the user's environment decides before us: the hub warns of who tries.
    is_decided = constants.HF_HUB_DISABLE_PROGRESS_BARS is not None
    if is_decided or not transformers_logging.is_progress_bar_enabled():
        yield
        return
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.enable_progress_bar()


def _is_not_of_open_clip(record: logging.LogRecord) -> bool:
    return "open_clip" not in PurePath(record.pathname).parts
