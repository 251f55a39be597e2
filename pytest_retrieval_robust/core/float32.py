"""Float32 without the shortcuts that GPUs and processors take through shorter numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any

from .errors import ConfigError

_OVERRIDE = "NVIDIA_TF32_OVERRIDE"
"""Read by NVIDIA's own libraries, before any setting of torch: 0 means no TF32."""

_lock = Lock()
_inside = 0
"""How many threads are in `ieee_float32`: the first one changes torch's settings, the
last one gives them back.
"""
_give_back: list[Callable[[], object]] = []
"""What sets torch's settings back, in the order in which they were changed."""


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
    global _inside
    with _lock:
        if _inside == 0:
            _change()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _restore()


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


def _change() -> None:
    import torch

    # A processor does not ask for it.
    if torch.cuda.is_initialized():
        refuse_forced_tf32()
    backends: Any = torch.backends
    newer_settings = (
        backends.cuda.matmul,
        backends.cudnn.conv,
        backends.cudnn.rnn,
        backends.mkldnn.matmul,
        backends.mkldnn.conv,
        backends.mkldnn.rnn,
    )
    before = [setting.fp32_precision for setting in newer_settings]
    # The older settings first: they set the newer ones too, and may not be read where
    # the two disagree.
    matmul = _unless_mixed(torch.get_float32_matmul_precision)
    if matmul is not None:
        torch.set_float32_matmul_precision("highest")
        _give_back.append(partial(torch.set_float32_matmul_precision, matmul))
    cudnn = _unless_mixed(lambda: backends.cudnn.allow_tf32)
    if cudnn is not None:
        backends.cudnn.allow_tf32 = False
        _give_back.append(partial(setattr, backends.cudnn, "allow_tf32", cudnn))
    for setting, value in zip(newer_settings, before, strict=True):
        setting.fp32_precision = "ieee"
        _give_back.append(partial(setattr, setting, "fp32_precision", value))


def _restore() -> None:
    # In the order of the changes, so that the newer settings have the last word.
    while _give_back:
        _give_back.pop(0)()


def _unless_mixed(read: Callable[[], Any]) -> Any:
    """None where torch refuses to say, because the newer settings were used too."""
    try:
        return read()
    except RuntimeError:
        return None
