"""Which device to run on, and how to wait for it."""

from __future__ import annotations

from .errors import ConfigError


def resolve_device(name: str) -> str:
    """`auto` becomes `cuda:0`, `mps` or `cpu`, whichever is there; a named device must be there."""
    import torch

    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cpu":
        return name
    if name == "mps" and torch.backends.mps.is_available():
        return name
    if name.startswith("cuda") and torch.cuda.is_available():
        index = int(name.partition(":")[2] or 0)
        if index < torch.cuda.device_count():
            return f"cuda:{index}"
    raise ConfigError(
        f"Expected a device of this machine, got device={name!r} with {torch.cuda.device_count()} CUDA devices "
        f"and mps={torch.backends.mps.is_available()}. Use auto or cpu, or mend the driver."
    )


def synchronise(device: str) -> None:
    """Wait until the device has done what it was asked, so that a clock read afterwards counts it."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()
