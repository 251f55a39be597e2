"""Actions that are timed in turns, as multiples of one of them.

On a CUDA device there are two times of an action: that of the device's own work, and
that of whoever waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import torch

from pytest_retrieval_robust.core.device import synchronise

Action = Callable[[], object]
_WARM_UPS = 2
_QUEUED = 20
"""Calls that are timed together on a card, so that the host's own work is hidden."""


@dataclass(frozen=True)
class Ratio:
    """What an action takes, as a multiple of another one."""

    name: str
    device: float
    """Of the device's own time; on a processor as `waited`."""
    waited: float
    """Of the time from asking to having."""


def ratios_of(
    actions: Mapping[str, Action], base: str, device: str, rounds: int
) -> list[Ratio]:
    """Every action's ratio to the action `base`, which is timed in the same rounds."""
    on_device = in_turns(actions, device, rounds, of_device)
    of_waiting = on_device
    if device.startswith("cuda"):
        of_waiting = in_turns(actions, device, rounds, waited)
    return [
        Ratio(
            name,
            _median_ratio(on_device[name], on_device[base]),
            _median_ratio(of_waiting[name], of_waiting[base]),
        )
        for name in actions
        if name != base
    ]


def _median_ratio(seconds: Sequence[float], of_base: Sequence[float]) -> float:
    return median(a / b for a, b in zip(seconds, of_base, strict=True))


def in_turns(
    actions: Mapping[str, Action],
    device: str,
    rounds: int,
    clock: Callable[[Action, str], float],
) -> dict[str, list[float]]:
    """Seconds of each action in each round; every round runs all of them, one after another."""
    for action in actions.values():
        for _ in range(_WARM_UPS):
            action()
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            seconds[name].append(clock(action, device))
    return seconds


def waited(action: Action, device: str) -> float:
    """Seconds of one call, from asking to having."""
    synchronise(device)
    start = time.perf_counter()
    action()
    synchronise(device)
    return time.perf_counter() - start


def of_device(action: Action, device: str) -> float:
    """Seconds of the device per call; on a processor those of one call."""
    if not device.startswith("cuda"):
        return waited(action, device)
    stream = torch.cuda.current_stream(device)
    start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    stream.record_event(start)
    for _ in range(_QUEUED):
        action()
    stream.record_event(end)
    synchronise(device)
    milliseconds: float = start.elapsed_time(end)
    return milliseconds / 1000 / _QUEUED
