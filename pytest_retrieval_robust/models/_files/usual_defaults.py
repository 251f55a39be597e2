"""Torch's own defaults, while a model of this package is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def usual_defaults() -> Iterator[None]:
    """Float32 on the processor wherever neither is named, whatever the caller has set.

    A network's own tables would otherwise be computed in another type, and weights that
    are read on the host would have to fit on another device.
    """
    import torch

    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        device = _default_device()
        if device is None:
            torch.set_default_device("cpu")
            stack.callback(torch.set_default_device, None)
        elif device != "cpu":
            stack.enter_context(torch.device("cpu"))
        if dtype != torch.float32:
            torch.set_default_dtype(torch.float32)
            stack.callback(torch.set_default_dtype, dtype)
        yield


def _default_device() -> str | None:
    """The type of torch's default device; None if torch cannot say.

    torch 2.4 fails if a default device was set and taken back, and so do libraries that
    ask for it while they load.
    """
    import torch

    try:
        return torch.get_default_device().type
    except AttributeError:
        return None
