"""Hashes of a model's weights as they are in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ...models import DualEncoder, may_work_elsewhere
from .fingerprint import WeightsMark

if TYPE_CHECKING:
    from torch import Tensor, nn

_PACKAGE = __name__.partition(".")[0]


def weights_of(model: DualEncoder) -> WeightsMark:
    """The hashes of the weights of a model.

    Modules of torch are looked for among the model's own attributes.
    """
    modules = list(_modules_in(model))
    loaded = _digest(modules) if modules else None
    is_ours = type(model).__module__.partition(".")[0] == _PACKAGE
    return WeightsMark(
        loaded,
        model.card.sha256,
        whole=loaded is not None and is_ours and not may_work_elsewhere(model),
    )


def _modules_in(model: object) -> Iterator[nn.Module]:
    from torch import nn

    if isinstance(model, nn.Module):
        yield model
        return
    for value in getattr(model, "__dict__", {}).values():
        if isinstance(value, nn.Module):
            yield value


def _digest(modules: list[nn.Module]) -> str:
    """One hash of the different tensors of modules, in whatever order.

    Names are left out: libraries rename parameters, and tie some, while the numbers stay.
    """
    tensors = list(_tensors_of(modules))
    # hashlib lets go of the interpreter while it works.
    with ThreadPoolExecutor() as pool:
        digests = set(pool.map(_digest_of, tensors))
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def _tensors_of(modules: list[nn.Module]) -> Iterator[Tensor]:
    """Parameters and persistent buffers, each memory once."""
    from torch import Tensor

    seen: set[tuple[Any, ...]] = set()
    for module in modules:
        for value in module.state_dict().values():
            if not isinstance(value, Tensor):
                continue
            key = (value.data_ptr(), value.shape, value.stride(), value.dtype)
            if key not in seen:
                seen.add(key)
                yield value


def _digest_of(tensor: Tensor) -> bytes:
    import torch

    host = tensor.detach().cpu().contiguous()
    digest = hashlib.sha256(f"{host.dtype} {tuple(host.shape)}".encode())
    # bfloat16 has no type in numpy: the bytes are taken.
    digest.update(host.reshape(-1).view(torch.uint8).numpy().data)
    return digest.digest()
