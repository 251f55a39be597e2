"""Processes of their own, which share nothing with this one but the device."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from .steps import Setting


def started(
    setting: Setting, work: Callable[..., None], *arguments: Any
) -> BaseProcess:
    """A process that does `work`.

    A card cannot be used in a fork of a process that used it. A processor can, and a fork
    need not import torch again.
    """
    kind: type[BaseProcess] = SpawnProcess if setting.on_gpu else ForkProcess
    process = kind(
        target=_with_own_threads, args=(setting, work, *arguments), daemon=True
    )
    process.start()
    return process


def pipe() -> tuple[Connection, Connection]:
    """Our end and that of a process."""
    return Pipe()


def _with_own_threads(
    setting: Setting, work: Callable[..., None], *arguments: Any
) -> None:
    if not setting.on_gpu:
        # A fork has none of the threads by which OpenMP would share work out.
        torch.set_num_threads(1)
    work(*arguments)
