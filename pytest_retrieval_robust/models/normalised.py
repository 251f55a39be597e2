"""Encoders whose `encode_images` is no more than a normalisation and `encode_normalised`.

A sweep may then hide and normalise in one pass, and give the network's input. That must
never go past an `encode_images` of the user's own, so it is decided here, and for this
package's own methods alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, TypeVar

from .encoder import DualEncoder

if TYPE_CHECKING:
    from torch import Tensor

    from ..core.normalisation import Normalisation

_METHODS = ("encode_images", "encode_normalised", "normalise", "normalisation")
_own_methods: dict[type, Mapping[str, Any]] = {}
"""By class, these methods as this package defined them."""
Class = TypeVar("Class", bound=type)


class EncodesNormalised(DualEncoder, Protocol):
    """An encoder that also takes pixels as its network does."""

    @property
    def normalisation(self) -> Normalisation: ...

    def encode_normalised(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) normalised, of the network's dtype -> (B, D) unit rows.

        `encode_images(pixels)` is `encode_normalised(normalisation(pixels))`, bit for bit.
        """


def takes_normalised(kind: Class) -> Class:
    """Register a class of this package that is an `EncodesNormalised`."""
    _own_methods[kind] = {name: vars(kind)[name] for name in _METHODS}
    return kind


def can_encode_normalised(model: object) -> TypeGuard[EncodesNormalised]:
    """Whether a model's own `encode_images` does what its `encode_normalised` does.

    Only where both are this package's, untouched: not for a wrapper that passes
    attributes on, nor where a subclass, the class or the instance has another
    `encode_images`, `normalise` or `__getattribute__`.
    """
    kind = type(model)
    # A wrapper with `__getattr__` has a class of its own, whatever it passes on.
    owner = next((base for base in kind.__mro__ if base in _own_methods), None)
    if owner is None or kind.__getattribute__ is not object.__getattribute__:
        return False
    own = _own_methods[owner]
    of_instance = vars(model)
    return all(
        name not in of_instance and _defined(kind, name) is own[name]
        for name in _METHODS
    )


def _defined(kind: type, name: str) -> Callable[..., Any] | None:
    """What the class or the first of its bases has under that name."""
    for base in kind.__mro__:
        if name in vars(base):
            method: Callable[..., Any] = vars(base)[name]
            return method
    return None
