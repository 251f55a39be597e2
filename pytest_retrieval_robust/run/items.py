"""What happens to collected tests: parameters from names, one skip for a model that is
not here, order by model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from ..core.cases import BREAKING
from ..core.errors import ConfigError
from ..core.names import slug
from .our_tests import AXES, Axes, argument_names, axes_of, our_fixtures

if TYPE_CHECKING:
    from .session import RobustSession
    from .xdist.placement import Placement


def parametrize(metafunc: pytest.Metafunc, session: RobustSession) -> None:
    """Give every axis that a test uses its values, in one order, so that ids are stable."""
    taken = {
        name
        for mark in metafunc.definition.iter_markers("parametrize")
        for name in argument_names(mark)
    }
    used = our_fixtures(metafunc.definition)
    for axis in AXES:
        if axis in used and axis not in taken:
            values = session.values(axis)
            ids = [_id(axis, value) for value in values]
            metafunc.parametrize(axis, values, ids=ids, indirect=True, scope="session")


def _id(axis: str, value: Any) -> str:
    if axis == "occlusion_level":
        return f"level{value:.2f}" if value == round(value, 2) else f"level{value:g}"
    if axis == "occlusion_seed":
        return f"seed{value}"
    return slug(value)


def check_names(items: Iterable[pytest.Item], session: RobustSession) -> None:
    """Raise `ConfigError` where a test's own `parametrize` mark names what this run was
    not asked for.
    """
    selection = session.selection
    for item in items:
        axes = axes_of(item) or Axes()
        _check_name(item, "--robust-models", axes.model, selection.models)
        _check_name(item, "--robust-datasets", axes.dataset, selection.datasets)
        _check_name(item, "--robust-occluders", axes.occluder, selection.occluders)


def _check_name(
    item: pytest.Item, option: str, name: str | None, known: Collection[str]
) -> None:
    if name is not None and name not in known:
        raise ConfigError(
            f"Expected parameters that {option} names ({', '.join(known)}), got"
            f" {name!r} in {item.nodeid}. Add it to {option}, or take it out of the"
            " test's parametrize mark."
        )


def absent_models_once(
    items: Iterable[pytest.Item], session: RobustSession
) -> list[pytest.Item]:
    """Leave one test of each model that is not on this machine: a skip that says why,
    or a failure if it was named.
    """
    kept: list[pytest.Item] = []
    reasons: dict[str | None, str | None] = {None: None}
    for item in items:
        model = (axes_of(item) or Axes()).model
        first = model not in reasons
        if first:
            reasons[model] = session.selection.models[str(model)].absent()
        reason = reasons[model]
        if first or reason is None:
            kept.append(item)
        if (
            model is not None
            and first
            and reason is not None
            and not session.selection.models[model].named
        ):
            item.add_marker(pytest.mark.skip(reason=f"not tested: {reason}"))
    return kept


def in_model_order(
    items: Sequence[pytest.Item], session: RobustSession
) -> list[pytest.Item]:
    """Our tests sorted by model and data set within their own slots; all other tests
    keep their places.
    """
    found = [
        (slot, axes)
        for slot, item in enumerate(items)
        if (axes := axes_of(item)) and axes.model is not None
    ]
    models = {name: place for place, name in enumerate(session.selection.models)}
    datasets = {name: place for place, name in enumerate(session.selection.datasets)}

    def key(one: tuple[int, Axes]) -> tuple[int, int]:
        return models[str(one[1].model)], datasets.get(str(one[1].dataset), -1)

    ordered = list(items)
    for (slot, _), (source, _) in zip(found, sorted(found, key=key), strict=True):
        ordered[slot] = items[source]
    return ordered


def only_searched_where_asked(
    items: Iterable[pytest.Item], session: RobustSession
) -> None:
    """A search costs hundreds of encodings an image: without a gate on it, or an option
    for it, it is skipped.
    """
    if session.settings.search_images is not None:
        return
    for item in items:
        axes = axes_of(item)
        if axes is None or BREAKING not in getattr(item, "fixturenames", ()):
            continue
        if axes.model is None or axes.dataset is None:
            continue
        if session.policy.breaking_limit(axes.model, axes.dataset) is None:
            reason = (
                f"no gate asks for the breaking share of {axes.model};"
                " --robust-search-images N searches anyway"
            )
            item.add_marker(pytest.mark.skip(reason=reason))


def arrange(items: list[pytest.Item], session: RobustSession) -> None:
    """What happens to the collected tests of a run, in place; `ConfigError` where the
    policy cannot judge them.
    """
    check_names(items, session)
    items[:] = in_model_order(absent_models_once(items, session), session)
    session.plan(items)
    only_searched_where_asked(items, session)


def models_by_test(items: Iterable[pytest.Item]) -> dict[str, str]:
    """The model of each test that has one, by the test's id."""
    return {
        item.nodeid: axes.model
        for item in items
        if (axes := axes_of(item)) and axes.model is not None
    }


def skip_if_model_failed(
    item: pytest.Item, session: RobustSession, placement: Placement | None
) -> None:
    """A model that could not be loaded, or that ended a worker, fails one test; the
    others would say the same.
    """
    model = (axes_of(item) or Axes()).model
    if model is not None and session.has_failed_to_load(model):
        pytest.skip(f"{model} could not be loaded: the first of its tests says why")
    if placement is not None and model in placement.crashes():
        pytest.skip(f"not run: a worker died in another test of {model}")
