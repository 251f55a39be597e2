"""The fixtures of a robustness suite. Everything heavy is imported when one is first used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import pytest

from .benchmark import active_benchmark
from .gate_fixture import GateFixture

if TYPE_CHECKING:
    from ..core.cases import Case, PlannedPerturbation
    from ..core.costs import CostMeasurement
    from ..core.counterfactual_outcomes import Counterfactuals
    from ..core.drift import DriftOutcome
    from ..core.outcomes import Outcome
    from ..core.searches import BreakingOutcome
    from ..corruptions import Corruption
    from ..datasets import RetrievalDataset
    from ..measure.sweep.changes import Perturbation
    from ..measure.timing.occlusion_timer import OcclusionTimer
    from ..models import DualEncoder
    from ..retrieval.curve import Curve
    from ..texts.noise import TextNoise
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
    """The loaded model of this test; it is let go before the next one is loaded."""
    session = _session(request)
    name: str = request.param
    # pytest tears a session fixture down when its parameter changes.
    yield _or_fail(session, name, lambda: session.loader.model(name))
    session.loader.release_model()


@pytest.fixture(scope="session")
def retrieval_dataset(request: pytest.FixtureRequest) -> RetrievalDataset:
    """The opened data set of this test."""
    session = _session(request)
    return _or_fail(session, None, lambda: session.loader.dataset(request.param))


@pytest.fixture(scope="session")
def occluder(request: pytest.FixtureRequest) -> Perturbation:
    """The occluder of this test, with its parameters.

    In a test that uses what is measured of a case, such as `outcome`, it may be a
    corruption or a text noise where the run has some.
    """
    selection = _session(request).selection
    chosen: str | PlannedPerturbation = request.param
    if isinstance(chosen, str):
        return selection.occluders[chosen]
    return selection.perturbation(chosen.family, chosen.name)


@pytest.fixture(scope="session")
def corruption(request: pytest.FixtureRequest) -> Corruption:
    """The corruption of this test. Where the run has none, the test is left out."""
    return _session(request).selection.corruptions[request.param]


@pytest.fixture(scope="session")
def text_noise(request: pytest.FixtureRequest) -> TextNoise:
    """The noise of reports of this test. Where the run has none, the test is left out."""
    return _session(request).selection.text_noise[request.param]


@pytest.fixture(scope="session")
def occlusion_level(request: pytest.FixtureRequest) -> float:
    """The fraction of the image area that is hidden, or the severity."""
    level: float = request.param
    return level


@pytest.fixture(scope="session")
def occlusion_seed(request: pytest.FixtureRequest) -> int:
    """The seed of the mask layout, or of another randomness."""
    seed: int = request.param
    return seed


@pytest.fixture(scope="session")
def _robust_case(
    retrieval_model: DualEncoder,
    retrieval_dataset: RetrievalDataset,
    occluder: Perturbation,
    occlusion_level: float,
    occlusion_seed: int,
) -> Case:
    clean = _clean_case(retrieval_model, retrieval_dataset, occluder)
    return replace(clean, level=occlusion_level, seed=occlusion_seed)


def _clean_case(
    model: DualEncoder, dataset: RetrievalDataset, change: Perturbation
) -> Case:
    """The case at level 0 and seed 0."""
    from ..core.cases import Case
    from ..measure.sweep.changes import family_of

    return Case(model.name, dataset.name, change.name, 0.0, 0, family_of(change))


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
    return _or_fail(session, case.model, lambda: session.measurer.outcome(case))


@pytest.fixture(scope="session")
def robustness_curve(
    request: pytest.FixtureRequest,
    retrieval_model: DualEncoder,
    retrieval_dataset: RetrievalDataset,
    occluder: Perturbation,
    occlusion_seed: int,
) -> Curve:
    """Recall over every level, or every severity, of this run."""
    session = _session(request)
    clean = _clean_case(retrieval_model, retrieval_dataset, occluder)
    case = replace(clean, seed=occlusion_seed)
    return _or_fail(session, case.model, lambda: session.measurer.curve(case))


@pytest.fixture(scope="session")
def robustness_curves(
    request: pytest.FixtureRequest,
    retrieval_model: DualEncoder,
    retrieval_dataset: RetrievalDataset,
    occluder: Perturbation,
) -> tuple[Curve, ...]:
    """Recall over every level, or every severity, of this run, one curve per seed."""
    session = _session(request)
    # The curves replace the seed by each of the run.
    case = _clean_case(retrieval_model, retrieval_dataset, occluder)
    return _or_fail(session, case.model, lambda: session.measurer.curves(case))


@pytest.fixture(scope="session")
def breaking(
    request: pytest.FixtureRequest,
    retrieval_model: DualEncoder,
    retrieval_dataset: RetrievalDataset,
) -> BreakingOutcome:
    """The smallest occlusions that push right reports out of the model's top k.

    They are searched in some of the images.
    """
    session = _session(request)
    model = retrieval_model.name
    dataset = retrieval_dataset.name
    return _or_fail(session, model, lambda: session.measurer.breaking(model, dataset))


@pytest.fixture(scope="session")
def counterfactuals(
    request: pytest.FixtureRequest,
    retrieval_model: DualEncoder,
    retrieval_dataset: RetrievalDataset,
) -> Counterfactuals:
    """How often images prefer their own reports to edits of them, cell by cell."""
    session = _session(request)
    model = retrieval_model.name
    dataset = retrieval_dataset.name
    # Asked for by the option alone, data without edits has nothing to measure.
    if session.measurer.lacks_edits(model, dataset):
        pytest.skip(
            f"{dataset} has no edited reports: name a source of them in its table of"
            " robust.toml (counterfactuals)"
        )
    return _or_fail(
        session, model, lambda: session.measurer.counterfactuals(model, dataset)
    )


@pytest.fixture(scope="session")
def drift(request: pytest.FixtureRequest, retrieval_model: DualEncoder) -> DriftOutcome:
    """How far the model's rows of fixed inputs lie from those of its fingerprint."""
    session = _session(request)
    model = retrieval_model.name
    return _or_fail(session, model, lambda: session.fingerprints.drift(model))


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> GateFixture:
    """The gates of `robust.toml`."""
    return GateFixture(_session(request))


@pytest.fixture
def occlusion_timer(
    request: pytest.FixtureRequest, _robust_case: Case
) -> OcclusionTimer:
    """A callable that times this test's case.

    pytest-benchmark does it where it is active, else the package's own clock.
    """
    from ..measure.timing.occlusion_timer import OcclusionTimer

    session = _session(request)

    def attempt(measure: Callable[[], CostMeasurement]) -> CostMeasurement:
        return _or_fail(session, _robust_case.model, measure)

    return OcclusionTimer(
        session.timers, _robust_case, active_benchmark(request), attempt
    )
