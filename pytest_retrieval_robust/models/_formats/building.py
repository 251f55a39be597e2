"""Build a network without its values, and fill it with a checkpoint: every weight, or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ...core.errors import ModelError
from .._files.weight_checks import (
    is_harmless,
    is_temperature,
    require_no_missing,
    require_numbers,
)
from .._files.weights_file import WeightsFile

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class Fit:
    """How the keys of a checkpoint and those of a network differ."""

    unexpected: tuple[str, ...]
    dropped: tuple[str, ...]
    """Keys that are known to be of no use, and left out on purpose."""
    missing: tuple[str, ...] = ()
    """Keys of the network that no rank depends on."""
    prefix: str = ""
    """The prefix that was removed from the keys before."""


def build(factory: Callable[[], N]) -> N:
    """The network that `factory` builds, its parameters without memory or values.

    Buffers are as the factory made them.
    """
    with _without_parameters():
        return factory()


@contextmanager
def _without_parameters() -> Iterator[None]:
    # Random weights that a checkpoint replaces at once would cost seconds, and the
    # memory of a second model.
    register = nn.Module.register_parameter

    def on_meta(self: nn.Module, name: str, param: nn.Parameter | None) -> None:
        if param is not None:
            param = nn.Parameter(param.to("meta"), requires_grad=False)
        register(self, name, param)

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
    """Fill the network with a checkpoint's tensors, in float32, by the network's own keys.

    Raises `ModelError` for missing keys, listing them, for a tensor of another shape or
    kind, and for one with NaN. A missing temperature is set to zero, because no rank
    depends on it.
    """
    own = network.state_dict()
    missing = [key for key in own if key not in tensors and not is_counter(key)]
    # Mostly missing keys mean another model: say which, instead of listing them all.
    if missing and len(missing) > len(own) // 2:
        raise ModelError(
            f"Expected a checkpoint of {name}, got one that looks like {looks_like}"
            f" ({len(missing)} of {len(own)} keys missing, first {missing[0]}). Use the"
            " matching checkpoint, or load this one under its own name."
        )
    require_no_missing(name, missing)
    # All shapes before the first copy, so that a wrong variant is refused at once.
    for key in own.keys() & tensors.keys():
        _require_shape(name, key, own[key], tensors[key])
    state = {key: file.take(tensors[key]) for key in own if key in tensors}
    weights = {key for key, _ in network.named_parameters()}
    for key, tensor in state.items():
        require_numbers(name, key, tensor, weight=key in weights)
    unneeded = [key for key in missing if is_temperature(key)]
    state |= {key: torch.zeros(own[key].shape) for key in unneeded}
    # `assign` puts the copies in place, since the network's own parameters have no memory.
    network.load_state_dict(state, strict=False, assign=True)
    network.requires_grad_(False)
    extra = sorted(tensors.keys() - own.keys())
    return Fit(
        unexpected=tuple(key for key in extra if not is_droppable(key)),
        dropped=tuple(key for key in extra if is_droppable(key)),
        missing=tuple(sorted(unneeded)),
    )


def is_counter(key: str) -> bool:
    """BatchNorm's count of batches: not a weight, and absent from files of old libraries."""
    return key.endswith("num_batches_tracked")


def is_droppable(key: str) -> bool:
    """Buffers that the network computes itself."""
    return is_harmless(key) or key.endswith("relative_position_index")


def _require_shape(name: str, key: str, own: Tensor, stored: Any) -> None:
    """`ModelError` unless a checkpoint's value can take the place of the network's own."""
    if not isinstance(stored, torch.Tensor) or stored.shape != own.shape:
        shape = tuple(getattr(stored, "shape", ()))
        raise ModelError(
            f"Expected {key} of shape {tuple(own.shape)} for {name}, got shape={shape}."
            " The checkpoint is of another variant; load it under that variant's name."
        )
    is_dense = stored.layout is torch.strided and not stored.is_quantized
    is_plain = is_dense and not stored.is_meta and not stored.is_complex()
    # Integers may take the place of integers, such as BatchNorm's counter.
    is_of_kind = stored.is_floating_point() or not own.is_floating_point()
    if is_plain and is_of_kind:
        return
    kind = f"dtype={stored.dtype}, layout={stored.layout}"
    if stored.is_meta:
        kind = "a tensor without values"
    raise ModelError(
        f"Expected {key} of {name} as a dense tensor of floating-point numbers, got"
        f" {kind}. Save the weights as they are before quantisation or pruning."
    )
