"""A model, data set or occluder goes by the name of its entry, whatever its own object calls itself."""

from __future__ import annotations

from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def renamed(thing: T, name: str) -> T | None:
    """The same object under another name; None where it does not let itself be named.

    Its `name` may be a property, or a field of a frozen dataclass: then its class becomes one of its own kind that has
    the name, so that whatever is asked of the object is answered as before.
    """
    if getattr(thing, "name", None) == name:
        return thing
    with suppress(AttributeError, TypeError):
        thing.name = name  # type: ignore[attr-defined]
    if getattr(thing, "name", None) != name:
        kind = type(thing)
        hidden = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__slots__": (), "name": name}
        with suppress(AttributeError, TypeError):
            object.__setattr__(thing, "__class__", type(kind.__name__, (kind,), hidden))
    return thing if getattr(thing, "name", None) == name else None
