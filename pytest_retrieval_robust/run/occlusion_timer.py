"""The value of the fixture `occlusion_timer`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .benchmark import RELATIVE_COST

if TYPE_CHECKING:
    from ..core.cases import Case
    from ..core.costs import CostMeasurement
    from ..measure.timing.clock import InterleavedRounds
    from ..models import DualEncoder
    from .session import RobustSession

# A processor shows what hiding costs on few images; an accelerator wants a batch that
# keeps it busy.
TIMED_IMAGES = 64
TIMED_IMAGES_ON_CPU = 16
TIMED_ROUNDS = 7
TIMED_CALLS = 30


class OcclusionTimer:
    """Measures, afresh and interleaved, what an image costs at this level and at level 0.

    At level 0 it also measures the latency of a single image, peak memory, and the cost
    beside the model that a gate names in `cost_relative_to`.
    """

    def __init__(
        self, session: RobustSession, case: Case, benchmark: Any = None
    ) -> None:
        """`benchmark` is pytest-benchmark's fixture; None to use the package's own clock."""
        self._session = session
        self._case = case
        self._benchmark = benchmark
        self.measurement: CostMeasurement | None = None

    def __call__(
        self,
        images: int | None = None,
        rounds: int = TIMED_ROUNDS,
        calls: int = TIMED_CALLS,
    ) -> CostMeasurement:
        """Time `rounds` pairs of batches of `images` images, and `calls` single images.

        Without `images` a batch has 16 on a CPU, and 64 elsewhere. Preparing and
        warming up are not timed.
        """
        from .session import or_fail

        self.measurement = or_fail(
            self._session,
            self._case.model,
            lambda: self._measure(images, rounds, calls),
        )
        return self.measurement

    def _measure(self, images: int | None, rounds: int, calls: int) -> CostMeasurement:
        from ..occluders._checks import check_whole

        model = self._session.loader.model(self._case.model)
        if images is None:
            images = TIMED_IMAGES_ON_CPU if model.device == "cpu" else TIMED_IMAGES
        check_whole("images", images, 1)
        check_whole("rounds", rounds, 1)
        check_whole("calls", calls, 1)
        cost = self._interleaved(model, images, rounds)
        if self._case.level == 0:
            cost = self._with_clean_costs(cost, images, rounds, calls)
        self._note(cost)
        return cost

    def _interleaved(
        self, model: DualEncoder, images: int, rounds: int
    ) -> CostMeasurement:
        from ..core.costs import CostMeasurement
        from ..measure.timing.hardware import hardware_name
        from ..measure.timing.rounds import timed_rounds

        case = self._case
        batch = self._session.timers.batch(case.model, case.dataset, images)
        count = len(batch.ids)  # fewer than `images` if the data set is smaller
        occluder = self._session.selection.occluders[case.occluder]
        timed = timed_rounds(model, batch, occluder, case)
        timed.warm_up()
        self._time(timed, rounds)
        return CostMeasurement(
            case=case,
            clean_seconds=timed.baseline_seconds / count,
            occluded_seconds=timed.compared_seconds / count,
            relative_cost=timed.ratio,
            rounds=timed.rounds,
            images=count,
            device=model.device,
            ratios=timed.ratios,
            hardware=hardware_name(model.device),
        )

    def _time(self, timed: InterleavedRounds, rounds: int) -> None:
        if self._benchmark is None:
            timed.measure(rounds)
            return
        self._benchmark.group = f"{self._case.model} on {self._case.dataset}"
        self._benchmark.pedantic(
            timed.measure_compared, setup=timed.measure_baseline, rounds=rounds
        )
        # --benchmark-cprofile calls it once more, slowed down by the profiler.
        timed.keep(rounds)

    def _with_clean_costs(
        self, cost: CostMeasurement, images: int, rounds: int, calls: int
    ) -> CostMeasurement:
        case = self._case
        timers = self._session.timers
        alone = timers.alone(case.model, case.dataset, images, calls)
        reference = timers.reference_cost(case, images, rounds)
        return replace(
            cost,
            latency=alone.latency,
            peak_memory_bytes=alone.peak_memory_bytes,
            reference=reference,
        )

    def _note(self, cost: CostMeasurement) -> None:
        """Note what pytest-benchmark's JSON holds beside its own statistics."""
        if self._benchmark is None:
            return
        self._benchmark.extra_info.update(
            {
                RELATIVE_COST: cost.relative_cost,
                "relative_cost_quartiles": list(cost.spread),
                "hardware": cost.hardware,
            }
        )
