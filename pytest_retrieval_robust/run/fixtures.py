"""The fixtures of a robustness suite. Everything heavy is imported when a fixture is first used."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from ..core.cases import Case
    from ..core.costs import CostMeasurement
    from ..core.outcomes import Outcome
    from ..core.searches import BreakingOutcome
    from ..core.verdict import Verdict
    from ..datasets import RetrievalDataset
    from ..measure.timing.clock import InterleavedRounds
    from ..models import DualEncoder
    from ..occluders import Occluder
    from ..retrieval.curve import Curve
    from .session import RobustSession

T = TypeVar("T")
# A processor shows what hiding costs on few images; an accelerator wants a batch that
# keeps it busy.
_COST = "relative_cost"
"""What pytest-benchmark's JSON calls the cost of a cell; no other benchmark has it."""
TIMED_IMAGES, TIMED_IMAGES_ON_CPU, TIMED_ROUNDS, TIMED_CALLS = 64, 16, 7, 30


def _session(request: pytest.FixtureRequest) -> RobustSession:
    from .session import session_of

    return session_of(request.config)


def _or_fail(session: RobustSession, model: str | None, action: Callable[[], T]) -> T:
    from .session import or_fail

    return or_fail(session, model, action)


@pytest.fixture(scope="session")
def retrieval_model(request: pytest.FixtureRequest) -> Iterator[DualEncoder]:
    """The loaded model of this test; one is loaded at a time, and let go before the next."""
    session = _session(request)
    yield _or_fail(session, request.param, lambda: session.model(request.param))
    session.release_model()


@pytest.fixture(scope="session")
def retrieval_dataset(request: pytest.FixtureRequest) -> RetrievalDataset:
    """The opened data set of this test."""
    session = _session(request)
    return _or_fail(session, None, lambda: session.dataset(request.param))


@pytest.fixture(scope="session")
def occluder(request: pytest.FixtureRequest) -> Occluder:
    """The occluder of this test, with its parameters."""
    return _session(request).occluder(request.param)


@pytest.fixture(scope="session")
def occlusion_level(request: pytest.FixtureRequest) -> float:
    """The fraction of the image area that is hidden."""
    level: float = request.param
    return level


@pytest.fixture(scope="session")
def occlusion_seed(request: pytest.FixtureRequest) -> int:
    """The seed of the mask layout."""
    seed: int = request.param
    return seed


@pytest.fixture(scope="session")
def _robust_case(
    retrieval_model: DualEncoder,
    retrieval_dataset: RetrievalDataset,
    occluder: Occluder,
    occlusion_level: float,
    occlusion_seed: int,
) -> Case:
    from ..core.cases import Case

    return Case(
        retrieval_model.name,
        retrieval_dataset.name,
        occluder.name,
        occlusion_level,
        occlusion_seed,
    )


@pytest.fixture(scope="session")
def outcome(request: pytest.FixtureRequest, _robust_case: Case) -> Outcome:
    """What was measured for this test's case, in both directions."""
    return _outcome(request, _robust_case)


@pytest.fixture(scope="session")
def clean_outcome(request: pytest.FixtureRequest, _robust_case: Case) -> Outcome:
    """The same at level 0."""
    return _outcome(request, _robust_case.clean())


def _outcome(request: pytest.FixtureRequest, case: Case) -> Outcome:
    session = _session(request)
    return _or_fail(session, case.model, lambda: session.outcome(case))


@pytest.fixture(scope="session")
def robustness_curve(
    request: pytest.FixtureRequest,
    retrieval_model: DualEncoder,
    retrieval_dataset: RetrievalDataset,
    occluder: Occluder,
    occlusion_seed: int,
) -> Curve:
    """Recall over every level of this run."""
    from ..core.cases import Case

    session = _session(request)
    case = Case(
        retrieval_model.name, retrieval_dataset.name, occluder.name, 0.0, occlusion_seed
    )
    return _or_fail(session, case.model, lambda: session.curve(case))


@pytest.fixture(scope="session")
def robustness_curves(
    request: pytest.FixtureRequest,
    retrieval_model: DualEncoder,
    retrieval_dataset: RetrievalDataset,
    occluder: Occluder,
) -> tuple[Curve, ...]:
    """Recall over every level of this run, a curve for each mask seed."""
    from ..core.cases import Case

    session = _session(request)
    case = Case(retrieval_model.name, retrieval_dataset.name, occluder.name, 0.0, 0)
    return _or_fail(session, case.model, lambda: session.curves(case))


@pytest.fixture(scope="session")
def breaking(
    request: pytest.FixtureRequest,
    retrieval_model: DualEncoder,
    retrieval_dataset: RetrievalDataset,
) -> BreakingOutcome:
    """The smallest occlusions that push right reports out of the model's top k,
    searched in some of the images.
    """
    session, model = _session(request), retrieval_model.name
    return _or_fail(
        session, model, lambda: session.breaking(model, retrieval_dataset.name)
    )


class GateFixture:
    """The policy of this run, as a test asks it: sentences of what it forbids, none
    where all is well.
    """

    def __init__(self, session: RobustSession) -> None:
        self._session = session
        self.objected = False
        """Whether a violation was found: a test that then fails is explained by its verdicts."""

    def violations(self, outcome: Outcome, clean_outcome: Outcome) -> list[str]:
        """What the gates on recall, retention and single cells beside the baseline find wrong."""
        return self._sentences(
            self._session.judge((clean_outcome, outcome)).cell(outcome, clean_outcome)
        )

    def curve_violations(self, curve: Curve) -> list[str]:
        """What the gates on area under the curve, half level and slope find wrong."""
        return self._sentences(self._session.judge(curve.outcomes).curve(curve))

    def baseline_violations(self, curves: Sequence[Curve]) -> list[str]:
        """What the gates that pool all levels beside the baseline find wrong; a curve
        for each mask seed.

        Skips the test where there is no baseline, or no gate asks for one.
        """
        if (
            self._session.baseline_run() is None
            or not self._session.policy.asks_for_baseline()
        ):
            pytest.skip(
                "no baseline was given, or no gate asks for one: see --robust-baseline"
            )
        outcomes = [outcome for curve in curves for outcome in curve.outcomes]
        return self._sentences(self._session.judge(outcomes).baseline(curves))

    def cost_violations(self, cost: CostMeasurement) -> list[str]:
        """What the gates on the cost of occluding, throughput, latency and memory find wrong."""
        return self._sentences(self._session.judge(()).cost(cost))

    def breaking_violations(self, breaking: BreakingOutcome) -> list[str]:
        """What the gate on the smallest breaking occlusion finds wrong."""
        return self._sentences(self._session.judge(()).breaking(breaking))

    def _sentences(self, verdicts: list[Verdict]) -> list[str]:
        found = [verdict.sentence for verdict in verdicts if verdict.objects]
        self.objected |= bool(found)
        return found


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> GateFixture:
    """The gates of `robust.toml`."""
    return GateFixture(_session(request))


class OcclusionTimer:
    """Measures, afresh and interleaved, what an image costs at this level and at level 0.

    At level 0 also the latency of one image alone, peak memory, and the cost beside the
    model that a gate names in `cost_relative_to`.
    """

    def __init__(
        self, session: RobustSession, case: Case, benchmark: Any = None
    ) -> None:
        """`benchmark` is pytest-benchmark's fixture; None where the package's own clock
        takes its place.
        """
        self._session, self._case, self._benchmark = session, case, benchmark
        self.measurement: CostMeasurement | None = None

    def __call__(
        self,
        images: int | None = None,
        rounds: int = TIMED_ROUNDS,
        calls: int = TIMED_CALLS,
    ) -> CostMeasurement:
        """Time `rounds` pairs of batches of `images` images (None: 16 on a CPU, else
        64) and `calls` single images.

        Preparing and warming up are not timed.
        """
        self.measurement = _or_fail(
            self._session,
            self._case.model,
            lambda: self._measured(images, rounds, calls),
        )
        return self.measurement

    def _measured(self, images: int | None, rounds: int, calls: int) -> CostMeasurement:
        from ..occluders._checks import check_whole

        model = self._session.model(self._case.model)
        if images is None:
            images = TIMED_IMAGES_ON_CPU if model.device == "cpu" else TIMED_IMAGES
        for name, value in (("images", images), ("rounds", rounds), ("calls", calls)):
            check_whole(name, value, 1)
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

        batch = self._session.timed_batch(self._case.model, self._case.dataset, images)
        count = len(batch.ids)
        timed = timed_rounds(
            model, batch, self._session.occluder(self._case.occluder), self._case
        )
        timed.warm_up()
        self._time(timed, rounds)
        return CostMeasurement(
            case=self._case,
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
        timed.keep(
            rounds
        )  # --benchmark-cprofile calls it again, slowed by the profiler

    def _with_clean_costs(
        self, cost: CostMeasurement, images: int, rounds: int, calls: int
    ) -> CostMeasurement:
        alone = self._session.alone(self._case.model, self._case.dataset, images, calls)
        reference = self._session.reference_cost(self._case, images, rounds)
        return replace(
            cost,
            latency=alone.latency,
            peak_memory_bytes=alone.peak_memory_bytes,
            reference=reference,
        )

    def _note(self, cost: CostMeasurement) -> None:
        """What pytest-benchmark's JSON holds beside its own statistics."""
        if self._benchmark is not None:
            self._benchmark.extra_info.update(
                {
                    _COST: cost.relative_cost,
                    "relative_cost_quartiles": list(cost.spread),
                    "hardware": cost.hardware,
                }
            )


@pytest.fixture
def occlusion_timer(
    request: pytest.FixtureRequest, _robust_case: Case
) -> OcclusionTimer:
    """A callable that times this test's case: through pytest-benchmark where it is
    active, else by the same clock.
    """
    return OcclusionTimer(_session(request), _robust_case, _active_benchmark(request))


def has_active_benchmark(config: pytest.Config) -> bool:
    """Whether pytest-benchmark is there and not switched off, as it is under xdist."""
    session = getattr(config, "_benchmarksession", None)
    return (
        session is not None
        and not session.disabled
        and config.pluginmanager.hasplugin("benchmark")
    )


def asks_for_benchmarks(config: pytest.Config) -> bool:
    """Whether an option of pytest-benchmark was typed, or stands in `addopts` or PYTEST_ADDOPTS."""
    in_environment = shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))
    given = [*config.invocation_params.args, *config.getini("addopts"), *in_environment]
    return any(str(argument).startswith("--benchmark-") for argument in given)


def without_our_cells(
    groups: Sequence[tuple[Any, list[Any]]],
) -> list[tuple[Any, list[Any]]]:
    """pytest-benchmark's groups without the cells of this plugin, and without groups
    that hold nothing else.
    """
    others = [
        (name, [one for one in found if _COST not in one.get("extra_info", {})])
        for name, found in groups
    ]
    return [(name, found) for name, found in others if found]


def _active_benchmark(request: pytest.FixtureRequest) -> Any:
    """pytest-benchmark's fixture; None where it is missing or switched off."""
    return (
        request.getfixturevalue("benchmark")
        if has_active_benchmark(request.config)
        else None
    )
