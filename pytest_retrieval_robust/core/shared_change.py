"""Settings that are the whole process's, changed for a while by threads that share them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TypeAlias

Undo: TypeAlias = Callable[[], object]


class SharedChange:
    """A change of settings: the first thread that needs it makes it, and the last one
    takes it back.
    """

    def __init__(self, make: Callable[[], Sequence[Undo]]) -> None:
        """`make` changes the settings, and returns what takes that back, in this order."""
        self._make = make
        self._lock = Lock()
        self._inside = 0
        """How many threads need the change now."""
        self._undo: Sequence[Undo] = ()

    @contextmanager
    def made(self) -> Iterator[None]:
        """The settings are changed in here."""
        with self._lock:
            if self._inside == 0:
                self._undo = self._make()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    for undo in self._undo:
                        undo()
