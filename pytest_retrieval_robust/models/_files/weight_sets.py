"""One of several sets of weights in a file: the trained ones, or their moving average."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from torch import Tensor

from ...core.errors import ConfigError, ModelError
from .. import LoadRequest
from .prefixes import all_unwrapped, prefixes_of, without_prefix
from .weights_file import MOST_NESTED, OPTIMISER, holds_tensors, weights_in

OPTION = "weights"
"""The option by which a user names the set."""
_MOST_LISTED = 8


def wanted_set(name: str, request: LoadRequest) -> str | None:
    """The set that the request names; None for the weights that training wrote."""
    wanted = request.options.get(OPTION)
    if wanted is None:
        return None
    if not isinstance(wanted, str) or not wanted.strip("."):
        raise ConfigError(
            f'Expected {OPTION} = "ema", the name of a set of weights in the file of'
            f" {name}, got {OPTION}={wanted!r}. Name one, or leave it out."
        )
    return wanted.strip(".")


def own_weights(
    name: str, content: Mapping[str, Any], own: Collection[str], wanted: str | None
) -> tuple[dict[str, Tensor], str]:
    """The tensors under the network's `own` keys, and the prefix that was removed.

    `wanted` names a set: a mapping in the file (`state_dict_ema`), or what stands before
    its keys (`ema` for `module.ema.visual.proj`). Keys of other sets are left out.

    Raises `ModelError` if there is no such set, or several.
    """
    if wanted is None:
        tensors = weights_in(content)
        names = _set_names(content)
        if not tensors and len(names) > 1:
            raise _several(name, names)
        return without_prefix(name, tensors, own)
    parts = [part for path, part in _mappings(content) if _is_named(path, wanted)]
    if len(parts) == 1:
        return without_prefix(name, weights_in(parts[0]), own)
    return _below_prefix(name, content, own, wanted)


def _below_prefix(
    name: str, content: Mapping[str, Any], own: Collection[str], wanted: str
) -> tuple[dict[str, Tensor], str]:
    tensors = all_unwrapped(weights_in(content))
    prefixes = prefixes_of(tensors, own)
    # `ema` stands for `module.ema.` and `ema.module.` too.
    fitting = [prefix for prefix in prefixes if f".{wanted}." in f".{prefix}"]
    if len(fitting) != 1:
        stems = [prefix.removesuffix(".") for prefix in prefixes if prefix]
        raise _no_such_set(name, wanted, [*_set_names(content), *stems])
    prefix = fitting[0]
    taken = {
        key.removeprefix(prefix): tensor
        for key, tensor in tensors.items()
        if key.startswith(prefix)
    }
    return taken, prefix


def _mappings(
    content: Mapping[str, Any], path: str = "", levels: int = MOST_NESTED
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(path in the file, mapping) of every mapping in it, without the optimiser's."""
    if levels == 0:
        return
    for key, value in content.items():
        is_state = isinstance(value, Mapping) and not str(key).startswith(OPTIMISER)
        if is_state:
            inner = f"{path}.{key}".lstrip(".")
            yield inner, value
            yield from _mappings(value, inner, levels - 1)


def _is_named(path: str, wanted: str) -> bool:
    return path == wanted or path.endswith(f".{wanted}")


def _set_names(content: Mapping[str, Any]) -> list[str]:
    """The paths of mappings that hold tensors."""
    return sorted(path for path, part in _mappings(content) if holds_tensors(part))


def _several(name: str, names: list[str]) -> ModelError:
    return ModelError(
        f"Expected the weights of one network for {name}, got {len(names)} sets of them"
        f" in one file: {_listed(names)}. Choose one with"
        f' {OPTION} = "{names[0]}".'
    )


def _no_such_set(name: str, wanted: str, names: list[str]) -> ModelError:
    return ModelError(
        f"Expected one set of weights called {wanted!r} in the file of {name}, got"
        f" {_listed(names) or 'a single set without a name'}. Name one of them, or"
        f" leave {OPTION} out."
    )


def _listed(names: list[str]) -> str:
    listed = ", ".join(map(repr, names[:_MOST_LISTED]))
    return f"{listed}, ..." if len(names) > _MOST_LISTED else listed
