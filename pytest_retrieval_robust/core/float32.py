"""Float32 without the shortcuts that GPUs and processors take through shorter numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from .errors import ConfigError
from .shared_change import SharedChange, Undo

_OVERRIDE = "NVIDIA_TF32_OVERRIDE"
"""Read by NVIDIA's own libraries, before any setting of torch: 0 means no TF32."""

_SHORT_SUMS = (
    "allow_bf16_reduced_precision_reduction",
    "allow_fp16_reduced_precision_reduction",
    "allow_fp16_accumulation",
)
"""Settings by which CUDA products may be summed in 16 bits."""
_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_DETERMINISTIC_WORKSPACES = (":4096:8", ":16:8")
"""Without one of these torch refuses products on CUDA in deterministic mode."""


@contextmanager
def ieee_float32() -> Iterator[None]:
    """Products and convolutions of float32 in float32, whatever the caller has set.

    The caller's settings come back afterwards.

    CUDA convolutions use TF32 by default, which keeps 10 bits, and
    `torch.set_float32_matmul_precision` allows it, or bfloat16, in products: that can
    swap neighbours. The settings are the process's own, so that threads which are in
    here together share them.

    Raises:
        ConfigError: CUDA is used, and the environment overrides all settings
            (`refuse_forced_tf32`).
    """
    with _ieee.made():
        yield


@contextmanager
def plain_algorithms() -> Iterator[None]:
    """No sums in 16 bits, and algorithms that are not deterministic to the last bit,
    whatever the caller has set.

    The caller's settings come back afterwards. In here torch refuses nothing of what
    gives the same in any order. Nor are encoders deterministic: they run elsewhere.
    """
    with _plain.made():
        yield


@contextmanager
def allowed_products() -> Iterator[None]:
    """Products on CUDA also where the caller asked for deterministic algorithms, but not
    for a workspace of cuBLAS that has them.
    """
    import torch

    has_workspace = os.environ.get(_WORKSPACE) in _DETERMINISTIC_WORKSPACES
    if torch.are_deterministic_algorithms_enabled() and not has_workspace:
        with plain_algorithms():
            yield
    else:
        yield


def refuse_forced_tf32() -> None:
    """Raise `ConfigError` where the environment lets NVIDIA's libraries use TF32 against
    any setting.
    """
    value = os.environ.get(_OVERRIDE)
    if value in (None, "", "0"):
        return
    raise ConfigError(
        f"Expected {_OVERRIDE} to be 0 or unset, got {_OVERRIDE}={value!r}. It overrides"
        " the settings that keep float32 whole on a GPU: unset it."
    )


def _make_ieee() -> list[Undo]:
    import torch

    # A processor does not ask for it.
    cuda: Any = torch.cuda
    if cuda.is_initialized():
        refuse_forced_tf32()
    undo: list[Undo] = []
    backends: Any = torch.backends
    newer_settings = _newer_settings()
    before = [setting.fp32_precision for setting in newer_settings]
    # The older settings first: they set the newer ones too, and may not be read where
    # the two disagree.
    matmul = _unless_mixed(torch.get_float32_matmul_precision)
    if matmul is not None:
        torch.set_float32_matmul_precision("highest")
        undo.append(partial(torch.set_float32_matmul_precision, matmul))
    cudnn = _unless_mixed(lambda: backends.cudnn.allow_tf32)
    if cudnn is not None:
        backends.cudnn.allow_tf32 = False
        undo.append(partial(setattr, backends.cudnn, "allow_tf32", cudnn))
    for setting, value in zip(newer_settings, before, strict=True):
        setting.fp32_precision = "ieee"
        undo.append(partial(setattr, setting, "fp32_precision", value))
    # In the order of the changes, so that the newer settings have the last word.
    return undo


def _newer_settings() -> tuple[Any, ...]:
    """What torch 2.9 and newer can be told of each kind of operation; none before.

    It can go with torch 2.8. There the older settings are all that there is: float32 of
    a processor's convolutions and recurrent networks is whole, `cudnn.allow_tf32` is of
    both convolutions and recurrent networks, and no two settings can disagree.
    """
    import torch

    backends: Any = torch.backends
    if not hasattr(backends.cuda.matmul, "fp32_precision"):
        return ()
    return (
        backends.cuda.matmul,
        backends.cudnn.conv,
        backends.cudnn.rnn,
        backends.mkldnn.matmul,
        backends.mkldnn.conv,
        backends.mkldnn.rnn,
    )


def _make_plain() -> list[Undo]:
    import torch

    undo: list[Undo] = []
    if torch.are_deterministic_algorithms_enabled():
        only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
        torch.use_deterministic_algorithms(False)
        undo.append(
            partial(torch.use_deterministic_algorithms, True, warn_only=only_warns)
        )
    cuda: Any = torch.backends.cuda.matmul
    # torch learnt to sum float16 in float16 in 2.7.
    names = [name for name in _SHORT_SUMS if hasattr(cuda, name)]
    before = {name: _short_sum(cuda, name) for name in names}
    for name, value in before.items():
        setattr(cuda, name, False)
        undo.append(partial(setattr, cuda, name, value))
    return undo


def _short_sum(cuda: Any, name: str) -> Any:
    value = getattr(cuda, name)
    # Newer versions of torch keep a second setting beside the first.
    split_k = getattr(cuda, f"{name}_split_k", None)
    return value if split_k is None else (value, split_k)


def _unless_mixed(read: Callable[[], Any]) -> Any:
    """None where torch refuses to say, because the newer settings were used too."""
    try:
        return read()
    except RuntimeError:
        return None


_ieee = SharedChange(_make_ieee)
_plain = SharedChange(_make_plain)
