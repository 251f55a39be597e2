"""Methods of this package that make new memory on each call, so that nobody copies it again."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])

_METHODS: list[FunctionType] = []
"""Functions themselves and not a mark on them, which `functools.wraps` would pass on."""


def gives_new_memory(method: Method) -> Method:
    """Declare that what a method returns is new, whole, and known to the caller alone."""
    assert isinstance(method, FunctionType)
    _METHODS.append(method)
    return method


def has_new_memory(method: object) -> bool:
    """Whether a bound method is one that was declared.

    What stands in its place is another function: that of a subclass or of a wrapper, or
    one that was put on the instance.
    """
    if type(method) is not MethodType:
        return False
    return any(method.__func__ is declared for declared in _METHODS)
