"""Which tests are ours: decided by who defined a fixture.

Every collected test of every project passes through here. A project's own fixture
`occluder` or parameter `outcome` is its own business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..core.cases import Family
    from .session.state import RunState

PARAMETER_FIXTURES = (
    "retrieval_model",
    "retrieval_dataset",
    "occluder",
    "occlusion_level",
    "occlusion_seed",
)
"""The parametrised fixtures of a case, in the order of a test's id."""
CHANGE_FIXTURES = ("corruption", "text_noise")
"""Parametrised too, with what this run has of one family; for tests of no case."""
CASE_FIXTURES = (
    "outcome",
    "clean_outcome",
    "robustness_curve",
    "robustness_curves",
    "occlusion_timer",
)
"""The fixtures of a case. In a test with one of them `occluder` takes corruptions and text
noise too; other tests may ask for masks, which these have not.
"""
MEASURING_FIXTURES = (*CASE_FIXTURES, "breaking", "counterfactuals", "drift")
"""The fixtures that measure something."""
NOTHING = object()
"""The parameter of `occluder` in a test for which this run has none: it is left out."""
_OUR_NAMES = frozenset((*PARAMETER_FIXTURES, *CHANGE_FIXTURES, *MEASURING_FIXTURES))
_PACKAGE = __name__.partition(".")[0]


def our_fixtures(definition: pytest.Item) -> frozenset[str]:
    """Those of our fixtures that a test uses, or its definition before it has parameters."""
    names = _OUR_NAMES.intersection(getattr(definition, "fixturenames", ()))
    if not names:  # nearly every test of nearly every project
        return names
    # pytest has no public name for it.
    definitions = getattr(definition, "_fixtureinfo").name2fixturedefs  # noqa: B009
    foreign = {name for name in names if not _is_our_fixture(definitions.get(name))}
    return names - foreign - frozenset(_names_with_values(definition))


def _is_our_fixture(definitions: Any) -> bool:
    """Whether the definition that wins, the last one, is this package's."""
    if not definitions:
        return False
    module: str = definitions[-1].func.__module__
    return module.partition(".")[0] == _PACKAGE


def _names_with_values(definition: pytest.Item) -> Iterator[str]:
    """The names that `parametrize` marks give values to, rather than to their fixtures."""
    for mark in definition.iter_markers("parametrize"):
        positional = mark.args[2] if len(mark.args) > 2 else False
        indirect = mark.kwargs.get("indirect", positional)
        if indirect is True:
            continue
        for name in argument_names(mark):
            if name not in (indirect or ()):
                yield name


def argument_names(mark: pytest.Mark) -> list[str]:
    """The argument names of a `parametrize` mark."""
    names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
    if isinstance(names, str):
        return [name.strip() for name in names.split(",")]
    return list(names)


@dataclass(frozen=True)
class CaseParameters:
    """The parameters of one test of ours; None where it does not use that fixture."""

    model: str | None = None
    dataset: str | None = None
    occluder: str | None = None
    """The name of what is done: `family` says of what kind it is."""
    level: float | None = None
    seed: int | None = None
    family: Family = "occlusion"


_PARAMETERS = pytest.StashKey[CaseParameters | None]()


def parameters_of(item: pytest.Item) -> CaseParameters | None:
    """What a test gives the fixtures of this plugin; None for a test that is not ours."""
    if _OUR_NAMES.isdisjoint(getattr(item, "fixturenames", ())):
        return None
    if _PARAMETERS not in item.stash:
        item.stash[_PARAMETERS] = _read_parameters(item)
    return item.stash[_PARAMETERS]


def _read_parameters(item: pytest.Item) -> CaseParameters | None:
    callspec = getattr(item, "callspec", None)
    parameters: Mapping[str, Any] = getattr(callspec, "params", {})
    # Without one of our parameters there is nothing to measure, and nothing of ours.
    used = our_fixtures(item)
    if used.isdisjoint(parameters):
        return None
    values: list[Any] = [
        parameters.get(name) if name in used else None for name in PARAMETER_FIXTURES
    ]
    model, dataset, change, level, seed = values
    # Late: projects without tests of ours must not pay for it.
    from ..core.cases import PlannedPerturbation

    if isinstance(change, PlannedPerturbation):
        return CaseParameters(model, dataset, change.name, level, seed, change.family)
    return CaseParameters(model, dataset, change, level, seed)


def forget_parameters(item: pytest.Item) -> None:
    """Read a test's parameters anew when they are asked for: they were changed."""
    if _PARAMETERS in item.stash:
        del item.stash[_PARAMETERS]


def asks_for_changes(item: pytest.Item) -> bool:
    """Whether a test is for the corruptions or the text noise of this run."""
    return not our_fixtures(item).isdisjoint(CHANGE_FIXTURES)


def has_nothing_to_do(item: pytest.Item) -> bool:
    """Whether a test is for what is done to images or reports, of which this run has
    nothing.
    """
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return parameters.get("occluder") is NOTHING


def lacks_values(item: pytest.Item, session: RunState) -> bool:
    """Whether this run lacks the corruption or text noise that a test is for: it has none,
    or not the one that the test's own mark names.
    """
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    selection = session.selection
    known = {"corruption": selection.corruptions, "text_noise": selection.text_noise}
    # pytest gives a test without values one that stands for nothing.
    asked_for = our_fixtures(item).intersection(known)
    return any(parameters.get(name) not in known[name] for name in asked_for)


def is_ours(item: pytest.Item) -> bool:
    """Whether a test uses one of the fixtures that this plugin parametrises."""
    return parameters_of(item) is not None


def models_by_test(items: Iterable[pytest.Item]) -> dict[str, str]:
    """The model of each test that has one, by the test's id."""
    models = {}
    for item in items:
        parameters = parameters_of(item)
        if parameters is not None and parameters.model is not None:
            models[item.nodeid] = parameters.model
    return models
