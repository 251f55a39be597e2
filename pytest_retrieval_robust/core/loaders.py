"""How the `load` of a catalogue entry is called, a model's as well as a data set's.

It is given one request, or the parameters by keyword, whichever it takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class LoaderArguments:
    """What a `load` may be given."""

    request: object
    options: Mapping[str, object]
    """The entry's parameters that are set."""
    parameters: Collection[str] = ()
    """The names of all of the entry's parameters."""

    def call_with_request(self, load: Callable[..., T]) -> T:
        """Call with the request, or with the parameters where it does not take one."""
        if _binds(load, self.request) or not _binds(load, **self.options):
            return load(self.request)
        return load(**self.options)

    def call_with_parameters(self, load: Callable[..., T]) -> T:
        """Call with the parameters, or with the request where it asks for one."""
        if self.is_for_request(load):
            return load(self.request)
        return load(**self.options)

    def is_for_request(self, load: Callable[..., object]) -> bool:
        """Whether a `load` asks for a request: its one required argument, or the one of
        that name, which is none of the entry's parameters.
        """
        signature = _signature_of(load)
        if signature is None:
            return False
        required = [
            name
            for name, parameter in signature.parameters.items()
            if parameter.kind in _BY_PLACE
            and (parameter.default is parameter.empty or name == "request")
        ]
        is_one = len(required) == 1 and required[0] not in self.parameters
        return is_one and _binds(load, self.request)

    def fit(self, load: Callable[..., object]) -> bool:
        """Whether a `load` can be called in either way."""
        return self.is_for_request(load) or _binds(load, **self.options)


_BY_PLACE = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)


def _signature_of(load: Callable[..., object]) -> inspect.Signature | None:
    try:
        return inspect.signature(load)
    # Some built-in callables have none.
    except (TypeError, ValueError):
        return None


def _binds(load: Callable[..., object], *places: Any, **keywords: Any) -> bool:
    """Whether a function takes these arguments; True where that is not known."""
    signature = _signature_of(load)
    if signature is None:
        return True
    try:
        signature.bind(*places, **keywords)
    except TypeError:
        return False
    return True
