"""The fixtures of a robustness suite. Everything heavy is imported when a fixture is first used."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from ..measure.timing.occlusion_timer import RELATIVE_COST, OcclusionTimer

if TYPE_CHECKING:
    from ..core.cases import Case
    from ..core.costs import CostMeasurement
    from ..core.outcomes import Outcome
    from ..core.searches import BreakingOutcome
    from ..core.verdict import Verdict
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder
    from ..occluders import Occluder
    from ..retrieval.curve import Curve
    from .session import RobustSession

T = TypeVar("T")


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


@pytest.fixture
def occlusion_timer(
    request: pytest.FixtureRequest, _robust_case: Case
) -> OcclusionTimer:
    """A callable that times this test's case: through pytest-benchmark where it is
    active, else by the same clock.
    """
    session = _session(request)
    return OcclusionTimer(
        session,
        _robust_case,
        benchmark=_active_benchmark(request),
        attempt=partial(_or_fail, session, _robust_case.model),
    )


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
        (name, [one for one in found if RELATIVE_COST not in one.get("extra_info", {})])
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
