"""Build a network without filling it, and put a checkpoint's tensors into it: every
weight, or an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ...errors import ModelError
from .._files.checkpoint import (
    is_harmless,
    is_temperature,
    require_no_missing,
    require_numbers,
)
from .._files.weights_file import WeightsFile

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class Fit:
    """What of a checkpoint found no place in the network, what was dropped on purpose,
    and what was not needed.
    """

    unexpected: tuple[str, ...]
    dropped: tuple[str, ...]
    missing: tuple[str, ...] = ()
    prefix: str = ""
    """What was taken off the keys before."""


def build(factory: Callable[[], N]) -> N:
    """The network that `factory` builds, its parameters without memory or values;
    buffers are as it made them.
    """
    with _without_parameters():
        return factory()


@contextmanager
def _without_parameters() -> Iterator[None]:
    # Random weights that a checkpoint replaces at once would cost seconds, and the
    # memory of a second model.
    register = nn.Module.register_parameter

    def on_meta(self: nn.Module, name: str, param: nn.Parameter | None) -> None:
        empty = (
            None
            if param is None
            else nn.Parameter(param.to("meta"), requires_grad=False)
        )
        register(self, name, empty)

    nn.Module.register_parameter = on_meta  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]


def fill(
    name: str,
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    file: WeightsFile,
    looks_like: str,
) -> Fit:
    """Give the network the checkpoint's tensors, in float32; its keys must be the network's own.

    Raises `ModelError` for missing keys, listing them, for a tensor of another shape or
    kind, and for one with NaN. Keys that the network does not have are returned, those
    known to be harmless (`position_ids`) as dropped. A missing temperature is set to
    zero and returned: no rank depends on it.
    """
    own = network.state_dict()
    missing = [key for key in own if key not in tensors and not is_counter(key)]
    if missing and len(missing) > len(own) // 2:
        raise ModelError(
            f"Expected a checkpoint of {name}, got one that looks like {looks_like}"
            f" ({len(missing)} of {len(own)} keys missing, first {missing[0]}). Give"
            " the matching checkpoint, or load this one under its own name."
        )
    require_no_missing(name, missing)
    for key in own.keys() & tensors.keys():
        _require_shape(name, key, own[key], tensors[key])
    state = {key: file.take(tensors[key]) for key in own if key in tensors}
    weights = {key for key, _ in network.named_parameters()}
    for key, tensor in state.items():
        require_numbers(name, key, tensor, weight=key in weights)
    unneeded = [key for key in missing if is_temperature(key)]
    state |= {key: torch.zeros(own[key].shape) for key in unneeded}
    network.load_state_dict(state, strict=False, assign=True)
    network.requires_grad_(False)
    strange = sorted(tensors.keys() - own.keys())
    return Fit(
        unexpected=tuple(key for key in strange if not is_droppable(key)),
        dropped=tuple(key for key in strange if is_droppable(key)),
        missing=tuple(sorted(unneeded)),
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
            f"Expected {key} of shape {tuple(own.shape)} for {name}, got shape={shape}."
            " The checkpoint is of another variant; load it under that variant's name."
        )
    plain = found.layout is torch.strided and not (
        found.is_quantized or found.is_meta or found.is_complex()
    )
    if not plain or (own.is_floating_point() and not found.is_floating_point()):
        kind = (
            "a tensor without values"
            if found.is_meta
            else f"dtype={found.dtype}, layout={found.layout}"
        )
        raise ModelError(
            f"Expected {key} of {name} as a dense tensor of floating-point numbers, got"
            f" {kind}. Save the weights as they are before quantisation or pruning."
        )
