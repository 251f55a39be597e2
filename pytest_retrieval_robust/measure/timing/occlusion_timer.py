"""What hiding costs per image, measured afresh and interleaved with hiding nothing.

Light: torch and what needs it are imported when something is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ...core.costs import CostMeasurement

if TYPE_CHECKING:
    from ...core.cases import Case
    from ...core.costs import ReferenceCost
    from ...models import DualEncoder
    from ..sweep.changes import ImageChange
    from .rounds import Alone, RoundsInTurn, TimedBatch

# A processor shows what hiding costs on few images. An accelerator needs a batch that
# keeps it busy.
IMAGES = 64
IMAGES_ON_CPU = 16
ROUNDS = 7
CALLS = 30
RELATIVE_COST = "relative_cost"
"""The name of a case's cost in pytest-benchmark's JSON; no other benchmark has it."""


class TimingSource(Protocol):
    """What a timer needs of a run: its models and data, and what its cases share."""

    def model(self, name: str) -> DualEncoder: ...

    def copies(self, name: str) -> Sequence[DualEncoder]:
        """The same model on further devices."""

    def change(self, case: Case) -> ImageChange:
        """The occluder or corruption of a case."""

    def timed_batch(self, model: str, dataset: str, images: int) -> TimedBatch:
        """The prepared batch that the timers of a model and data set share."""

    def alone(self, model: str, dataset: str, images: int, calls: int) -> Alone:
        """Latency and peak memory of a model with nothing hidden."""

    def reference_cost(
        self, case: Case, images: int, rounds: int
    ) -> ReferenceCost | None:
        """The cost beside the model that a gate names; None if no gate names one."""


Attempt = Callable[[Callable[[], CostMeasurement]], CostMeasurement]


def _directly(measure: Callable[[], CostMeasurement]) -> CostMeasurement:
    return measure()


@dataclass(frozen=True)
class _Amount:
    """How much is timed."""

    images: int
    rounds: int
    calls: int


class OcclusionTimer:
    """Measures, afresh and interleaved, what an image costs at this level and at level 0.

    At level 0 also the latency of one image alone, peak memory, and the cost beside the
    model that a gate names in `cost_relative_to`.
    """

    def __init__(
        self,
        source: TimingSource,
        case: Case,
        benchmark: Any = None,
        attempt: Attempt = _directly,
    ) -> None:
        """Time `case` with what `source` has.

        `benchmark` is pytest-benchmark's fixture; None for the package's own clock.
        `attempt` calls the measuring and decides what becomes of its errors.
        """
        self._source = source
        self._case = case
        self._benchmark = benchmark
        self._attempt = attempt
        self.measurement: CostMeasurement | None = None

    def __call__(
        self, images: int | None = None, rounds: int = ROUNDS, calls: int = CALLS
    ) -> CostMeasurement:
        """Time `rounds` pairs of batches of `images` images and `calls` single images.

        The rounds go through all devices of the model in turn; single images are timed
        on the first. `images` is 16 on a CPU and 64 elsewhere if it is left out.
        Preparing and warming up are not timed.
        """
        self.measurement = self._attempt(lambda: self._measure(images, rounds, calls))
        return self.measurement

    def _measure(self, images: int | None, rounds: int, calls: int) -> CostMeasurement:
        from ...core.memory import or_device_error

        model = self._source.model(self._case.model)
        # A batch that does not fit is not halved: its cost would be another batch's.
        return or_device_error(
            lambda: self._measure_model(model, images, rounds, calls),
            f"{model.name} to be timed",
            model.device,
        )

    def _measure_model(
        self, model: DualEncoder, images: int | None, rounds: int, calls: int
    ) -> CostMeasurement:
        from ...occluders._checks import check_whole

        if images is None:
            images = IMAGES_ON_CPU if model.device == "cpu" else IMAGES
        for name, value in (("images", images), ("rounds", rounds), ("calls", calls)):
            check_whole(name, value, 1)
        amount = _Amount(images, rounds, calls)
        cost = self._interleaved(model, amount)
        if self._case.level == 0:
            cost = self._with_clean_costs(cost, amount)
        self._add_to_benchmark(cost)
        return cost

    def _interleaved(self, model: DualEncoder, amount: _Amount) -> CostMeasurement:
        from .hardware import hardware_name
        from .rounds import rounds_on_copies

        case = self._case
        # As many devices as there are rounds for.
        models = [model, *self._source.copies(case.model)][: amount.rounds]
        batch = self._source.timed_batch(case.model, case.dataset, amount.images)
        change = self._source.change(case)
        timed = rounds_on_copies(models, batch, change, case)
        timed.warm_up()
        self._run_rounds(timed, amount.rounds)
        # Fewer than asked for if the data set has fewer.
        count = len(batch.ids)
        return CostMeasurement(
            case=case,
            clean_seconds=timed.baseline_seconds / count,
            occluded_seconds=timed.compared_seconds / count,
            relative_cost=timed.ratio,
            rounds=timed.rounds,
            images=count,
            device=", ".join(model.device for model in models),
            ratios=timed.ratios,
            hardware=hardware_name(model.device),
        )

    def _run_rounds(self, timed: RoundsInTurn, rounds: int) -> None:
        if self._benchmark is None:
            timed.measure(rounds)
            return
        self._benchmark.group = f"{self._case.model} on {self._case.dataset}"
        self._benchmark.pedantic(
            timed.measure_compared, setup=timed.measure_baseline, rounds=rounds
        )
        # --benchmark-cprofile calls it again, slowed by the profiler.
        timed.keep(rounds)

    def _with_clean_costs(
        self, cost: CostMeasurement, amount: _Amount
    ) -> CostMeasurement:
        case = self._case
        alone = self._source.alone(
            case.model, case.dataset, amount.images, amount.calls
        )
        reference = self._source.reference_cost(case, amount.images, amount.rounds)
        return replace(
            cost,
            latency=alone.latency,
            peak_memory_bytes=alone.peak_memory_bytes,
            reference=reference,
        )

    def _add_to_benchmark(self, cost: CostMeasurement) -> None:
        """Add what pytest-benchmark's JSON holds beside its own statistics."""
        if self._benchmark is None:
            return
        self._benchmark.extra_info.update(
            {
                RELATIVE_COST: cost.relative_cost,
                "relative_cost_quartiles": list(cost.spread),
                "hardware": cost.hardware,
            }
        )
