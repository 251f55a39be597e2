"""The timer by itself: it needs models and data, and no run of pytest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from torch import Tensor

from pytest_retrieval_robust import load_dataset, load_model, load_occluder
from pytest_retrieval_robust.core.cases import Case
from pytest_retrieval_robust.core.costs import ReferenceCost
from pytest_retrieval_robust.core.errors import OcclusionError
from pytest_retrieval_robust.measure.timing.clock import InterleavedRounds
from pytest_retrieval_robust.measure.timing.occlusion_timer import OcclusionTimer
from pytest_retrieval_robust.measure.timing.rounds import (
    Alone,
    RoundsInTurn,
    TimedBatch,
    measure_alone,
    prepare_batch,
)
from pytest_retrieval_robust.models import DualEncoder
from pytest_retrieval_robust.occluders import Occluder

REFERENCE = ReferenceCost("other", 1.0, (2.0,))


class Source:
    """What a run gives its timers."""

    further: Sequence[DualEncoder] = ()

    def model(self, name: str) -> DualEncoder:
        return load_model(name, device="cpu")

    def copies(self, name: str) -> Sequence[DualEncoder]:  # noqa: ARG002
        return self.further

    def change(self, case: Case) -> Occluder:
        return load_occluder(case.occluder)

    def timed_batch(self, model: str, dataset: str, images: int) -> TimedBatch:
        return prepare_batch(self.model(model), load_dataset(dataset, pairs=6), images)

    def alone(self, model: str, dataset: str, images: int, calls: int) -> Alone:
        batch = self.timed_batch(model, dataset, images)
        return measure_alone(self.model(model), batch, calls)

    def reference_cost(
        self,
        case: Case,  # noqa: ARG002 - the same for all
        images: int,  # noqa: ARG002
        rounds: int,  # noqa: ARG002
    ) -> ReferenceCost:
        return REFERENCE


def timer(level: float) -> OcclusionTimer:
    case = Case("tiny-cxr-clip", "synthetic-cxr", "patches", level, 0)
    return OcclusionTimer(Source(), case)


def test_level_0_has_latency_memory_and_a_reference() -> None:
    timed = timer(0.0)
    cost = timed(images=4, rounds=2, calls=3)
    assert (cost.images, cost.rounds, len(cost.ratios)) == (4, 2, 2)
    assert cost.latency is not None
    assert cost.latency.calls == 3
    assert cost.reference == REFERENCE
    assert timed.measurement == cost


def test_a_hidden_level_has_its_relative_cost_alone() -> None:
    cost = timer(0.3)(images=99, rounds=2, calls=3)
    # The data set has fewer images than that.
    assert cost.images == 6
    assert cost.relative_cost > 0
    assert (cost.latency, cost.reference) == (None, None)


@pytest.mark.parametrize("argument", ["images", "rounds", "calls"])
def test_nothing_is_timed_less_than_once(argument: str) -> None:
    with pytest.raises(OcclusionError, match=f"{argument}=0"):
        timer(0.3)(**{argument: 0})


@dataclass
class Copy:
    """A copy of a model that notes the other copies' names and its own, call by call."""

    model: DualEncoder
    device: str
    calls: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def encode_images(self, pixels: Tensor) -> Tensor:
        self.calls.append(self.device)
        return self.model.encode_images(pixels)


def test_rounds_go_through_the_devices_of_a_model_in_turn_one_at_a_time() -> None:
    model = load_model("tiny-cxr-clip", device="cpu")
    calls: list[str] = []
    # Names of one processor, which torch takes for several devices.
    copies = [Copy(model, device, calls) for device in ("cpu:0", "cpu:0")]
    copies[1].device = "cpu"
    source = Source()
    source.further = copies
    case = Case("tiny-cxr-clip", "synthetic-cxr", "patches", 0.3, 0)
    cost = OcclusionTimer(source, case)(images=4, rounds=5)
    assert (cost.rounds, len(cost.ratios)) == (5, 5)
    assert cost.device == "cpu, cpu:0, cpu"
    # Two calls to warm up, then two a round: of five rounds each copy has its share.
    warm_up = ["cpu:0"] * 2 + ["cpu"] * 2
    assert calls == [*warm_up, "cpu:0", "cpu:0", "cpu", "cpu", "cpu:0", "cpu:0"]


def test_no_more_devices_are_timed_than_there_are_rounds() -> None:
    model = load_model("tiny-cxr-clip", device="cpu")
    unused = Copy(model, "cpu:0")
    source = Source()
    source.further = [unused]
    case = Case("tiny-cxr-clip", "synthetic-cxr", "worst(grid=2,k=1)", 0.3, 0)
    cost = OcclusionTimer(source, case)(images=2, rounds=1)
    assert (cost.device, unused.calls) == ("cpu", [])


def test_seconds_and_ratios_are_those_of_all_devices_rounds() -> None:
    clock = iter([1.0, 2.0, 10.0, 30.0, 3.0, 12.0, 99.0])

    class OnDevice(InterleavedRounds):
        """A device whose seconds are made up."""

        def __init__(self) -> None:
            super().__init__(lambda: None, lambda: None, "cpu")
            self.own: list[tuple[float, float]] = []

        def measure_baseline(self) -> None:
            self.baseline = next(clock)

        def measure_compared(self) -> None:
            self.own.append((self.baseline, next(clock)))

        @property
        def pairs(self) -> tuple[tuple[float, float], ...]:
            return tuple(self.own)

    rounds = RoundsInTurn([OnDevice(), OnDevice()])
    rounds.measure(3)
    assert rounds.pairs == [(1.0, 2.0), (10.0, 30.0), (3.0, 12.0)]
    assert list(rounds.ratios) == [2.0, 3.0, 4.0]
    assert (rounds.ratio, rounds.rounds) == (3.0, 3)
    assert (rounds.baseline_seconds, rounds.compared_seconds) == (3.0, 12.0)
    # A profiler may call what is compared once more.
    rounds.measure_compared()
    rounds.keep(2)
    assert list(rounds.ratios) == [2.0, 3.0]
