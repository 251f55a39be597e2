"""Threads that never end: the process ends in spite of them.

Python waits at its end for every thread that was begun. One that hangs in foreign code
would make it wait for ever, long after the verdict was printed.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable

END_SECONDS = 10.0
"""In which such threads may still end once everything else has."""
_left_behind: list[threading.Thread] = []


def remember_hanging(threads: Iterable[threading.Thread]) -> None:
    """Note threads that work which was ended has left behind."""
    _left_behind.extend(threads)


def end_in_spite_of_hanging(status: int) -> None:
    """Where threads hang, have the process end with `status` soon after its main thread."""
    hanging = [thread for thread in _left_behind if thread.is_alive()]
    if hanging:
        threading.Thread(
            target=_end_after, args=(hanging, status), name="end", daemon=True
        ).start()


def _end_after(hanging: Iterable[threading.Thread], status: int) -> None:
    threading.main_thread().join()
    for thread in hanging:
        thread.join(END_SECONDS)
    if any(thread.is_alive() for thread in hanging):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
