"""Whether an occluder does by this package's own methods what it is asked for."""

from __future__ import annotations

from typing import TypeGuard

from .cells import CellOccluder


def keeps_methods(occluder: object, *names: str) -> TypeGuard[CellOccluder]:
    """Whether it is a `CellOccluder` with these methods untouched.

    Not one whose subclass or instance has another, nor a wrapper: these are asked
    themselves, and nobody takes a shorter way to what their methods would give.
    """
    kind = type(occluder)
    if not issubclass(kind, CellOccluder):
        return False
    of_instance = vars(occluder)
    return all(
        name not in of_instance and getattr(kind, name) is getattr(CellOccluder, name)
        for name in (*names, "__getattribute__")
    )
