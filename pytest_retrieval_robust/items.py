"""What happens to collected tests: parameters from names, one skip for a model that is not here, order by model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from .axes import AXES, argument_names, our_fixtures
from .case import BREAKING
from .options import slug
from .session import Axes

if TYPE_CHECKING:
    from .session import RobustSession


def parametrize(metafunc: pytest.Metafunc, session: RobustSession) -> None:
    """Give every axis that a test uses its values, in one order, so that ids are stable."""
    taken = {name for mark in metafunc.definition.iter_markers("parametrize") for name in argument_names(mark)}
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


def absent_models_once(items: Iterable[pytest.Item], session: RobustSession) -> list[pytest.Item]:
    """Leave one test of each model that is not on this machine: a skip that says why, or a failure if it was named."""
    kept, seen = [], set()
    for item in items:
        model = Axes.of(item).model
        reason = None if model is None else session.selection.models[model].absent()
        if model is None or reason is None:
            kept.append(item)
        elif model not in seen:
            seen.add(model)
            kept.append(item)
            if not session.selection.models[model].named:
                item.add_marker(pytest.mark.skip(reason=f"not tested: {reason}"))
    return kept


def in_model_order(items: Sequence[pytest.Item], session: RobustSession) -> list[pytest.Item]:
    """Our tests sorted by model and data set within their own slots; all other tests keep their places."""
    slots = [slot for slot, item in enumerate(items) if Axes.of(item).model is not None]
    models, datasets = list(session.selection.models), list(session.selection.datasets)

    def key(slot: int) -> tuple[int, int]:
        axes = Axes.of(items[slot])
        return models.index(str(axes.model)), datasets.index(axes.dataset) if axes.dataset in datasets else -1

    ordered = list(items)
    for slot, source in zip(slots, sorted(slots, key=key), strict=True):
        ordered[slot] = items[source]
    return ordered


def only_searched_where_asked(items: Iterable[pytest.Item], session: RobustSession) -> None:
    """A search costs hundreds of encodings an image: without a gate on it, or an option for it, it is skipped."""
    if session.settings.search_images is not None:
        return
    for item in items:
        axes = Axes.of(item)
        if axes.model is None or axes.dataset is None or BREAKING not in getattr(item, "fixturenames", ()):
            continue
        if session.policy.breaking_limit(axes.model, axes.dataset) is None:
            reason = f"no gate asks for the breaking share of {axes.model}; --robust-search-images N searches anyway"
            item.add_marker(pytest.mark.skip(reason=reason))


def arrange(items: list[pytest.Item], session: RobustSession) -> None:
    """What happens to the collected tests of a run, in place; `ConfigError` where the policy cannot judge them."""
    items[:] = in_model_order(absent_models_once(items, session), session)
    session.plan(items)
    only_searched_where_asked(items, session)


def skip_if_model_failed(item: pytest.Item, session: RobustSession) -> None:
    """A model that could not be loaded fails one test; the others would say the same."""
    model = Axes.of(item).model
    if model is not None and session.has_failed_to_load(model):
        pytest.skip(f"{model} could not be loaded: the first of its tests says why")
