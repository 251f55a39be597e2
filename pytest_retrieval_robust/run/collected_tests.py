"""What happens to collected tests: parameters from names, one skip per model that is not
on this machine, order by model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from ..core.cases import BREAKING, DRIFT, Family, PlannedPerturbation, level_word
from ..core.errors import ConfigError
from ..core.names import slug
from .our_tests import (
    CASE_FIXTURES,
    CHANGE_FIXTURES,
    NOTHING,
    PARAMETER_FIXTURES,
    CaseParameters,
    argument_names,
    forget_parameters,
    our_fixtures,
    parameters_of,
)
from .own_marks import family_in_marks, refuse_unrelated, require_something
from .selection import OPTION_OF
from .session.edited_reports import is_asked

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
    refuse_unrelated(used, metafunc.definition.nodeid)
    families = _families_of(used, session)
    is_paired = {"occluder", "occlusion_level"} <= used - already_given
    level_family: Family = "occlusion"
    if "occluder" in used & already_given and "occlusion_level" in used - already_given:
        level_family = family_in_marks(metafunc.definition, session)
    for fixture in (*PARAMETER_FIXTURES, *CHANGE_FIXTURES):
        if fixture not in used or fixture in already_given:
            continue
        # Families are measured at levels of their own, so that each goes with its own.
        if is_paired and fixture == "occluder" and families != ("occlusion",):
            _parametrize_pairs(metafunc, families, session)
            already_given.add("occlusion_level")
            continue
        if fixture == "occlusion_level":
            values: list[Any] = list(session.settings.levels_of(level_family))
            ids = [_level_id(level, level_family) for level in values]
        else:
            values = _values_of(fixture, families, session)
            ids = [_id(fixture, value) for value in values]
        if fixture == "occluder" and not values:
            if not used.isdisjoint(CASE_FIXTURES):
                require_something(session)
            values, ids = [NOTHING], ["none"]
        metafunc.parametrize(fixture, values, ids=ids, indirect=True, scope="session")


def _families_of(used: Collection[str], session: RunState) -> tuple[Family, ...]:
    """The families that `occluder` takes in a test with these fixtures."""
    families: tuple[Family, ...] = ("occlusion",)
    if not frozenset(CASE_FIXTURES).intersection(used):
        return families
    selection = session.selection
    if selection.corruptions:
        families += ("corruption",)
    # Nothing is done to an image whose time could be taken.
    if selection.text_noise and "occlusion_timer" not in used:
        families += ("text-noise",)
    has_own = bool(selection.occluders) or len(families) == 1
    return families if has_own else families[1:]


def _parametrize_pairs(
    metafunc: pytest.Metafunc, families: Iterable[Family], session: RunState
) -> None:
    """Give `occluder` and `occlusion_level` every pair of a family at its own levels."""
    pairs: list[tuple[str | PlannedPerturbation, float]] = []
    ids: list[str] = []
    for family in families:
        for change in _changes_of(family, session):
            for level in session.settings.levels_of(family):
                pairs.append((change, level))
                ids.append(f"{_id('occluder', change)}-{_level_id(level, family)}")
    metafunc.parametrize(
        ("occluder", "occlusion_level"), pairs, ids=ids, indirect=True, scope="session"
    )


def _changes_of(family: Family, session: RunState) -> list[str | PlannedPerturbation]:
    """What `occluder` takes of a family. Occluders are their names, as they always were."""
    names = session.selection.of_family(family)
    if family == "occlusion":
        return list(names)
    return [session.planned_perturbation(family, name) for name in names]


def _values_of(
    fixture: str, families: Iterable[Family], session: RunState
) -> list[Any]:
    selection = session.selection
    values: dict[str, Iterable[Any]] = {
        "retrieval_model": selection.models,
        "retrieval_dataset": selection.datasets,
        "occluder": [
            change for family in families for change in _changes_of(family, session)
        ],
        "occlusion_seed": session.settings.seeds,
        "corruption": selection.corruptions,
        "text_noise": selection.text_noise,
    }
    return list(values[fixture])


def _id(fixture: str, value: Any) -> str:
    if fixture == "occlusion_seed":
        return f"seed{value}"
    return slug(value.name if isinstance(value, PlannedPerturbation) else value)


def _level_id(level: float, family: Family) -> str:
    word = level_word(family)
    return f"{word}{level:.2f}" if level == round(level, 2) else f"{word}{level:g}"


def arrange(items: list[pytest.Item], session: RobustSession) -> None:
    """Order, thin out and plan the collected tests of a run, in place.

    Raises `ConfigError` where the policy cannot judge them.
    """
    _use_known_names(items, session)
    _check_names(items, session)
    # One model is loaded at a time, so its tests must come together.
    items[:] = _in_model_order(_absent_models_once(items, session), session)
    session.plan(items)
    _skip_unwanted_searches(items, session)
    _skip_unwanted_edits(items, session)
    _skip_unwanted_drift(items, session)


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
            item,
            OPTION_OF[parameters.family],
            parameters.occluder,
            selection.of_family(parameters.family),
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
        if "occluder" in used:
            _use_known_change(item, parameters, session)


def _use_known_change(
    item: pytest.Item, parameters: dict[str, Any], session: RunState
) -> None:
    """Give a corruption or text noise that a test's own mark names as what it is."""
    name = parameters["occluder"]
    planned = session.selection.planned(name) if isinstance(name, str) else None
    if planned is not None and planned.family != "occlusion":
        parameters["occluder"] = session.planned_perturbation(planned.family, name)
        forget_parameters(item)


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


def _skip_unwanted_edits(items: Iterable[pytest.Item], session: RunState) -> None:
    """Skip comparisons with edited reports that neither a gate nor the option asks for."""
    for item in items:
        parameters = parameters_of(item)
        fixtures = getattr(item, "fixturenames", ())
        if parameters is None or "counterfactuals" not in fixtures:
            continue
        model = parameters.model
        dataset = parameters.dataset
        if model is None or dataset is None or is_asked(session, model, dataset):
            continue
        reason = (
            f"no gate asks for edited reports of {model};"
            " --robust-counterfactuals compares with them anyway"
        )
        item.add_marker(pytest.mark.skip(reason=reason))


def _skip_unwanted_drift(items: Iterable[pytest.Item], session: RunState) -> None:
    """Skip comparisons with fingerprints that no gate asks for, before a model is loaded."""
    for item in items:
        model = (parameters_of(item) or CaseParameters()).model
        fixtures = getattr(item, "fixturenames", ())
        if model is None or DRIFT not in fixtures:
            continue
        if session.policy.drift_limit(model) is None:
            reason = (
                f"no gate asks for the drift of {model}; write drift = {{ max = 1e-3 }}"
                " into a [[gate]] table of robust.toml"
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
