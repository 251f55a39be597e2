"""Build a network without filling it, and put a checkpoint's tensors into it: every weight, or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ._checkpoint import is_harmless, require_no_missing
from ._weights_file import WeightsFile

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class Fit:
    """What of a checkpoint found no place in the network, and what was dropped on purpose."""

    unexpected: tuple[str, ...]
    dropped: tuple[str, ...]


def build(factory: Callable[[], N]) -> N:
    """The network that `factory` builds, its parameters without memory or values; buffers are as it made them."""
    with _without_parameters():
        return factory()


@contextmanager
def _without_parameters() -> Iterator[None]:
    # Random weights that a checkpoint replaces at once would cost seconds, and the memory of a second model.
    register = nn.Module.register_parameter

    def on_meta(self: nn.Module, name: str, param: nn.Parameter | None) -> None:
        empty = None if param is None else nn.Parameter(param.to("meta"), requires_grad=False)
        register(self, name, empty)

    nn.Module.register_parameter = on_meta  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]


def fill(name: str, network: nn.Module, tensors: Mapping[str, Tensor], file: WeightsFile, looks_like: str) -> Fit:
    """Give the network the checkpoint's tensors, in float32; its keys must be the network's own.

    Raises `ModelError` for missing keys, listing them, and for a tensor of another shape. Keys that the network does
    not have are returned, those known to be harmless (`position_ids`) as dropped.
    """
    own = network.state_dict()
    missing = [key for key in own if key not in tensors and not is_counter(key)]
    if missing and len(missing) > len(own) // 2:
        raise ModelError(
            f"Expected a checkpoint of {name}, got one that looks like {looks_like} ({len(missing)} of {len(own)} "
            f"keys missing, first {missing[0]}). Give the matching checkpoint, or load this one under its own name."
        )
    require_no_missing(name, missing)
    for key in own.keys() & tensors.keys():
        _require_shape(name, key, own[key], tensors[key])
    network.load_state_dict({key: file.take(tensors[key]) for key in own if key in tensors}, strict=False, assign=True)
    network.requires_grad_(False)
    strange = sorted(tensors.keys() - own.keys())
    return Fit(
        tuple(key for key in strange if not is_droppable(key)), tuple(key for key in strange if is_droppable(key))
    )


def is_counter(key: str) -> bool:
    """BatchNorm's count of batches: not a weight, and absent from files of old libraries."""
    return key.endswith("num_batches_tracked")


def is_droppable(key: str) -> bool:
    """Buffers that the network computes itself."""
    return is_harmless(key) or key.endswith("relative_position_index")


def _require_shape(name: str, key: str, own: Tensor, found: Any) -> None:
    if not isinstance(found, torch.Tensor) or found.shape != own.shape:
        shape = tuple(getattr(found, "shape", ()))
        raise ModelError(
            f"Expected {key} of shape {tuple(own.shape)} for {name}, got shape={shape}. "
            "The checkpoint is of another variant; load it under that variant's name."
        )
