"""Classes that torch may build while it reads a pickle, for as long as it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import serialization


@contextmanager
def safe_globals(classes: Sequence[type]) -> Iterator[None]:
    """Let torch build these classes in here; what was allowed before comes back.

    torch 2.5 and newer have it as `torch.serialization.safe_globals`: this can go with
    torch 2.4.
    """
    # A copy: torch 2.4 hands out the list that it adds to.
    before = [*serialization.get_safe_globals()]
    serialization.add_safe_globals([*classes])
    try:
        yield
    finally:
        serialization.clear_safe_globals()
        serialization.add_safe_globals(before)
