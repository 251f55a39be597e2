"""What happens to collected tests: parameters from names, one skip per model that is not
on this machine, order by model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from ..core.cases import BREAKING
from ..core.errors import ConfigError
from ..core.names import slug
from .our_tests import (
    PARAMETER_FIXTURES,
    CaseParameters,
    argument_names,
    our_fixtures,
    parameters_of,
)

if TYPE_CHECKING:
    from .session import RobustSession
    from .session.state import RunState
    from .xdist.notice_board import NoticeBoard


def parametrize(metafunc: pytest.Metafunc, session: RunState) -> None:
    """Give each parametrised fixture that a test uses its values.

    The order is always the same, so that test ids are stable.
    """
    already_given: set[str] = set()
    for mark in metafunc.definition.iter_markers("parametrize"):
        already_given.update(argument_names(mark))
    used = our_fixtures(metafunc.definition)
    for fixture in PARAMETER_FIXTURES:
        if fixture in used and fixture not in already_given:
            values = _values_of(fixture, session)
            ids = [_id(fixture, value) for value in values]
            metafunc.parametrize(
                fixture, values, ids=ids, indirect=True, scope="session"
            )


def _values_of(fixture: str, session: RunState) -> list[Any]:
    values: dict[str, Iterable[Any]] = {
        "retrieval_model": session.selection.models,
        "retrieval_dataset": session.selection.datasets,
        "occluder": session.selection.occluders,
        "occlusion_level": session.settings.levels,
        "occlusion_seed": session.settings.seeds,
    }
    return list(values[fixture])


def _id(fixture: str, value: Any) -> str:
    if fixture == "occlusion_level":
        return f"level{value:.2f}" if value == round(value, 2) else f"level{value:g}"
    if fixture == "occlusion_seed":
        return f"seed{value}"
    return slug(value)


def arrange(items: list[pytest.Item], session: RobustSession) -> None:
    """Order, thin out and plan the collected tests of a run, in place.

    Raises `ConfigError` where the policy cannot judge them.
    """
    _check_names(items, session)
    _use_known_names(items, session)
    # One model is loaded at a time, so its tests must come together.
    items[:] = _in_model_order(_absent_models_once(items, session), session)
    session.plan(items)
    _skip_unwanted_searches(items, session)


def _check_names(items: Iterable[pytest.Item], session: RunState) -> None:
    """Raise `ConfigError` where a test's own `parametrize` mark names what this run does
    not measure.
    """
    selection = session.selection
    for item in items:
        parameters = parameters_of(item) or CaseParameters()
        _check_name(item, "--robust-models", parameters.model, selection.models)
        _check_name(item, "--robust-datasets", parameters.dataset, selection.datasets)
        _check_name(
            item, "--robust-occluders", parameters.occluder, selection.occluders
        )


def _check_name(
    item: pytest.Item, option: str, name: str | None, known: Collection[str]
) -> None:
    if name is not None and name not in known:
        raise ConfigError(
            f"Expected parameters that {option} names ({', '.join(known)}), got"
            f" {name!r} in {item.nodeid}. Add it to {option}, or take it out of the"
            " test's parametrize mark."
        )


def _use_known_names(items: Iterable[pytest.Item], session: RunState) -> None:
    """Give a test's own parameters as the very objects that other tests are given.

    pytest 8 keeps a fixture's value only for the same object, so that the name of a model
    in a `parametrize` mark would load it once more.
    """
    names = {
        name: name for name in (*session.selection.models, *session.selection.datasets)
    }
    for item in items:
        callspec = getattr(item, "callspec", None)
        parameters: dict[str, Any] = getattr(callspec, "params", {})
        used = our_fixtures(item).intersection(parameters)
        for fixture in used.intersection(("retrieval_model", "retrieval_dataset")):
            value = parameters[fixture]
            parameters[fixture] = names.get(value, value)


def _absent_models_once(
    items: Iterable[pytest.Item], session: RunState
) -> list[pytest.Item]:
    """Leave one test of each model that is not on this machine.

    It is a skip that says why, or a failure if the model was named.
    """
    remaining: list[pytest.Item] = []
    reasons: dict[str, str | None] = {}
    for item in items:
        model = (parameters_of(item) or CaseParameters()).model
        if model is None:
            remaining.append(item)
            continue
        selected = session.selection.models[model]
        is_first = model not in reasons
        if is_first:  # looking for weights costs time: once per model
            reasons[model] = selected.absent()
        reason = reasons[model]
        if is_first or reason is None:
            remaining.append(item)
        if is_first and reason is not None and not selected.named:
            item.add_marker(pytest.mark.skip(reason=f"not tested: {reason}"))
    return remaining


def _in_model_order(
    items: Sequence[pytest.Item], session: RunState
) -> list[pytest.Item]:
    """Our tests sorted by model and data set, within the positions that they have.

    All other tests keep their positions.
    """
    models = {name: rank for rank, name in enumerate(session.selection.models)}
    datasets = {name: rank for rank, name in enumerate(session.selection.datasets)}
    positions: list[int] = []
    ranks: list[tuple[int, int, int]] = []
    for position, item in enumerate(items):
        parameters = parameters_of(item)
        if parameters is None or parameters.model is None:
            continue
        dataset_rank = datasets.get(str(parameters.dataset), -1)
        positions.append(position)
        # The position comes last, so that tests of one model keep their order.
        ranks.append((models[parameters.model], dataset_rank, position))
    ordered = list(items)
    for position, (_, _, source) in zip(positions, sorted(ranks), strict=True):
        ordered[position] = items[source]
    return ordered


def _skip_unwanted_searches(items: Iterable[pytest.Item], session: RunState) -> None:
    """Skip searches that neither a gate nor an option asks for.

    A search costs hundreds of encodings per image.
    """
    if session.settings.search_images is not None:
        return
    for item in items:
        parameters = parameters_of(item)
        if parameters is None or BREAKING not in getattr(item, "fixturenames", ()):
            continue
        model = parameters.model
        dataset = parameters.dataset
        if model is None or dataset is None:
            continue
        if session.policy.breaking_limit(model, dataset) is None:
            reason = (
                f"no gate asks for the breaking share of {model};"
                " --robust-search-images N searches anyway"
            )
            item.add_marker(pytest.mark.skip(reason=reason))


def skip_if_model_failed(
    item: pytest.Item, session: RobustSession, board: NoticeBoard | None
) -> None:
    """Skip a test whose model could not be loaded, or ended a worker of pytest-xdist.

    One test fails because of it; the others would say the same.
    """
    model = (parameters_of(item) or CaseParameters()).model
    if model is not None and session.loader.has_failed(model):
        pytest.skip(f"{model} could not be loaded: the first of its tests says why")
    if board is not None and model in board.crashes():
        pytest.skip(f"not run: a worker died in another test of {model}")
