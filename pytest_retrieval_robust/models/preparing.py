"""Whether two models prepare images alike, so that what one has prepared serves the other."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any, TypeVar

from ..core.foreign import FOREIGN, let_go

Method = TypeVar("Method", bound=Callable[..., Any])

_PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True)
class _Declared:
    method: FunctionType
    way_of: Callable[[Any], Hashable | None]


_DECLARED: list[_Declared] = []
"""Functions themselves and not a mark on them, which `functools.wraps` would pass on."""


def prepares_by(
    way_of: Callable[[Any], Hashable | None],
) -> Callable[[Method], Method]:
    """Declare what all that a `prepare` of this package does follows from.

    `way_of` is given the encoder. Encoders with equal ways give every image the same
    pixels and the same frame. None says that nobody knows.
    """

    def declare(method: Method) -> Method:
        assert isinstance(method, FunctionType)
        _DECLARED.append(_Declared(method, way_of))
        return method

    return declare


def way_of_preparing(model: Any) -> Hashable | None:
    """What a model's `prepare` follows from; None unless it is one of this package.

    A subclass's or a wrapper's own `prepare`, or one that was put on the instance, is
    another function. A class from elsewhere may have changed what it inherits.
    """
    try:
        method = model.prepare
    except FOREIGN as error:
        # Whoever calls it says what is wrong.
        let_go(error)
        return None
    if type(method) is not MethodType:
        return None
    encoder = method.__self__
    if type(encoder).__module__.partition(".")[0] != _PACKAGE:
        return None
    for declared in _DECLARED:
        if method.__func__ is declared.method:
            return declared.way_of(encoder)
    return None
