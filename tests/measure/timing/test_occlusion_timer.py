"""The timer by itself: it needs models and data, and no run of pytest."""

from __future__ import annotations

import pytest

from pytest_retrieval_robust import load_dataset, load_model, load_occluder
from pytest_retrieval_robust.core.cases import Case
from pytest_retrieval_robust.core.costs import ReferenceCost
from pytest_retrieval_robust.core.errors import OcclusionError
from pytest_retrieval_robust.measure.timing.occlusion_timer import OcclusionTimer
from pytest_retrieval_robust.measure.timing.rounds import (
    Alone,
    TimedBatch,
    measure_alone,
    prepare_batch,
)
from pytest_retrieval_robust.models import DualEncoder
from pytest_retrieval_robust.occluders import Occluder

REFERENCE = ReferenceCost("other", 1.0, (2.0,))


class Source:
    """What a run gives its timers."""

    def model(self, name: str) -> DualEncoder:
        return load_model(name, device="cpu")

    def occluder(self, name: str) -> Occluder:
        return load_occluder(name)

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
