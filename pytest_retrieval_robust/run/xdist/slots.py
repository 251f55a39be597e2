"""Slots of workers: which devices of its machine a worker takes.

pytest-xdist names a worker that replaces another by the next free number. Devices
follow slots instead, so that those of a worker that died are used on.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Hashable
from typing import Any

import pytest

from ...core.device import SLOT_VARIABLE, Slot

_INPUT = "retrieval_robust_slot"


class Slots:
    """The slots of a run's workers, each machine's from 0. Only the controller has them."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}
        """By a worker's name."""
        self._given: Counter[Hashable] = Counter()
        """How many slots of a machine were given to any worker."""
        self._free: defaultdict[Hashable, list[int]] = defaultdict(list)
        """Those of workers that are gone, the last one last."""

    def give(self, node: Any) -> None:
        """Give a worker that is about to start its slot.

        It is that of the last worker that is gone from its machine, if there is one.
        """
        machine = _machine_of(node.gateway.spec)
        specs = node.nodemanager.specs
        workers = sum(_machine_of(spec) == machine for spec in specs)
        if self._free[machine]:
            number = self._free[machine].pop()
        else:
            number = self._given[machine]
            self._given[machine] += 1
        self._taken[node.gateway.id] = number
        node.workerinput[_INPUT] = str(Slot(number, max(1, workers)))

    def take_back(self, node: Any) -> None:
        """Free the slot of a worker that is gone."""
        number = self._taken.pop(node.gateway.id, None)
        if number is not None:
            self._free[_machine_of(node.gateway.spec)].append(number)


def _machine_of(spec: Any) -> Hashable:
    """What tells the machine of a worker, and the devices that it sees there, from others."""
    visible_devices = spec.env.get("CUDA_VISIBLE_DEVICES")
    return (spec.ssh, spec.socket, spec.vagrant_ssh, spec.via, visible_devices)


def take_slot(config: pytest.Config) -> None:
    """Remember the slot that the controller gave this worker, for all that asks for a device."""
    slot: str | None = getattr(config, "workerinput", {}).get(_INPUT)
    if slot is not None:
        os.environ[SLOT_VARIABLE] = slot
