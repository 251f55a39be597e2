"""Threads that never end: the process ends in spite of them.

Python waits at its end for every thread that was begun. One that hangs in foreign code
would make it wait for ever, long after the verdict was printed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable

END_SECONDS = 10.0
"""In which such threads may still end once everything else has."""
_left_behind: list[threading.Thread] = []


def remember_hanging(threads: Iterable[threading.Thread]) -> None:
    """Note threads that work which was ended has left behind."""
    _left_behind.extend(threads)


def end_in_spite_of_hanging(status: int) -> None:
    """Where threads hang, have the process end with `status` soon after its main thread."""
    hanging = [thread for thread in _left_behind if thread.is_alive()]
    if not hanging:
        return
    is_ending = threading.Event()
    # Begun now: at its end a process begins no threads.
    threading.Thread(
        target=_end_after, args=(is_ending, hanging, status), name="end", daemon=True
    ).start()
    _once_main_thread_is_done(is_ending.set)


def _once_main_thread_is_done(action: Callable[[], None]) -> None:
    """Call `action` before Python waits for any thread.

    The main thread cannot be joined for that: it counts as alive while the pools of
    `concurrent.futures` wait for their threads. They register their waiting in the same
    place, which is called backwards: what is registered later comes first.
    """
    register: Callable[..., object] | None = getattr(
        threading, "_register_atexit", None
    )
    if register is None:
        action()
    else:
        register(action)


def _end_after(
    is_ending: threading.Event, hanging: Iterable[threading.Thread], status: int
) -> None:
    is_ending.wait()
    deadline = time.monotonic() + END_SECONDS
    for thread in hanging:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in hanging):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
