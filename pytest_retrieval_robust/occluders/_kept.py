"""Values that are made once and used at every level, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")


class Kept:
    """The values used last, by key; a value that was dropped is made again.

    Safe from any thread. Two threads that ask for the same value at once may both make
    it, so `make` must always give the same.

    Args:
        limit: Bytes that the values may take together. The last one is kept whatever
            it takes.
        most: How many they may be.
    """

    def __init__(self, limit: int, most: int = 64) -> None:
        self._limit = limit
        self._most = most
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of that key; `make` makes it where it is not kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                kept: T = self._values[key][0]
                return kept
        # Without the lock: another thread may want another value meanwhile.
        try:
            made = make()
        except BaseException:
            # Memory may have run out, and what is kept can be made again.
            self.clear()
            raise
        self._put(key, made)
        return made

    def clear(self) -> None:
        """Drop all values, such as where memory ran out."""
        with self._lock:
            self._values.clear()
            self._size = 0

    def _put(self, key: Hashable, value: object) -> None:
        # Tensors and arrays both have `nbytes`.
        size: int = getattr(value, "nbytes", 0)
        with self._lock:
            if key in self._values:
                return
            self._values[key] = (value, size)
            self._size += size
            while self._is_too_much():
                _, (_, dropped) = self._values.popitem(last=False)
                self._size -= dropped

    def _is_too_much(self) -> bool:
        if len(self._values) == 1:
            return False
        return self._size > self._limit or len(self._values) > self._most
