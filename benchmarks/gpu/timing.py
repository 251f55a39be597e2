"""Seconds of the device, and seconds of whoever waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import torch

from pytest_retrieval_robust.core.device import synchronise

from .steps import Setting

Action = Callable[[], object]
_WARM_UPS = 2
_QUEUED = 20
"""Calls that are timed together on a card, so that the host's own work is hidden."""


def waited(action: Action, setting: Setting) -> float:
    """Seconds of one call, from asking to having."""
    synchronise(setting.device)
    start = time.perf_counter()
    action()
    synchronise(setting.device)
    return time.perf_counter() - start


def on_device(action: Action, setting: Setting, calls: int = _QUEUED) -> float:
    """Seconds of the device per call, by CUDA's events around calls that are queued.

    On a processor the seconds of one call.
    """
    if not setting.on_real_gpu:
        return waited(action, setting)
    stream = torch.cuda.current_stream(setting.device)
    start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    stream.record_event(start)
    for _ in range(calls):
        action()
    stream.record_event(end)
    synchronise(setting.device)
    milliseconds: float = start.elapsed_time(end)
    return milliseconds / 1000 / calls


def in_rounds(
    actions: Mapping[str, Action],
    setting: Setting,
    clock: Callable[[Action, Setting], float] = on_device,
    rounds: int = 5,
) -> dict[str, list[float]]:
    """Seconds of each action in each round; every round runs all of them in turn."""
    for action in actions.values():
        for _ in range(_WARM_UPS):
            action()
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            seconds[name].append(clock(action, setting))
    return seconds


def ratios(values: Sequence[float], to: Sequence[float]) -> list[float]:
    """Round by round, so that a busy moment slows both."""
    return [value / base for value, base in zip(values, to, strict=True)]


def rotated(make: Callable[[int], Action], count: int = 4) -> Action:
    """An action that goes round several buffers, so that the cache does not hold them."""
    actions = [make(number) for number in range(count)]
    turn = iter(range(1 << 62))
    return lambda: actions[next(turn) % count]()
