"""Libraries that load weights log what is false here; for the time of a load they are
kept silent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath


@contextmanager
def quietly() -> Iterator[None]:
    """No records of open_clip and transformers.

    open_clip is given its weights afterwards, so that its "No pretrained weights
    loaded" is false here; and both log paths. What is wrong with a checkpoint is an
    error of this package, never a record.
    """
    from transformers.utils import logging as theirs

    root, level = logging.getLogger(), theirs.get_verbosity()
    root.addFilter(_is_not_of_open_clip)
    # Without a handler, the first record of open_clip would set up the root logger of
    # the whole process.
    silent = logging.NullHandler()
    root.addHandler(silent)
    theirs.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        root.removeFilter(_is_not_of_open_clip)
        root.removeHandler(silent)
        theirs.set_verbosity(level)


def _is_not_of_open_clip(record: logging.LogRecord) -> bool:
    return "open_clip" not in PurePath(record.pathname).parts
