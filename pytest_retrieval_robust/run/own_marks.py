"""What a test asks for itself, by its fixtures and `parametrize` marks: read before pytest
makes tests of it, and refused where it would measure something else than it says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

from ..core.errors import ConfigError
from .our_tests import CASE_FIXTURES, CHANGE_FIXTURES, argument_names
from .session.edited_reports import is_asked

if TYPE_CHECKING:
    from ..core.cases import Family
    from .session.state import RunState

_WITH_MARKS = type(pytest.param())
"""What `pytest.param` gives: values with marks or an id."""


def refuse_unrelated(used: Collection[str], test: str) -> None:
    """Raise `ConfigError` for a test of a case that takes `corruption` or `text_noise`: its
    outcome would be that of something else, which `occluder` holds.
    """
    changes = [name for name in CHANGE_FIXTURES if name in used]
    cases = [name for name in CASE_FIXTURES if name in used]
    if changes and cases:
        raise ConfigError(
            f"Expected the fixture occluder beside {cases[0]}, got {changes[0]} in"
            f" {test}. {cases[0]} is about what occluder holds, which may be a"
            " corruption or a text noise: take occluder in its place."
        )


def require_something(session: RunState) -> None:
    """Raise `ConfigError` where `none` leaves nothing to measure."""
    selection = session.selection
    if selection.occluders or selection.corruptions or selection.text_noise:
        return
    settings = session.settings
    if settings.search_images is not None or settings.counterfactuals:
        return
    for model in selection.models:
        for dataset in selection.datasets:
            is_searched = session.policy.breaking_limit(model, dataset) is not None
            if is_searched or is_asked(session, model, dataset):
                return
    raise ConfigError(
        "Expected something to measure beside --robust-occluders=none, got no"
        " corruption and no text noise. Name some with --robust-corruptions or"
        " --robust-text-noise, or leave none out."
    )


def family_in_marks(definition: pytest.Item, session: RunState) -> Family:
    """The family of what a test's own mark gives `occluder`: its levels are measured.

    That of names which the run does not have is `occlusion`; they are refused later.

    Raises:
        ConfigError: They are of several families, which have levels of their own; or they
            cannot be read twice.
    """
    selection = session.selection
    if not selection.corruptions and not selection.text_noise:
        return "occlusion"
    names = list(_names_in_marks(definition))
    planned = [selection.planned(name) for name in names]
    families = dict.fromkeys(each.family for each in planned if each is not None)
    if len(families) > 1:
        raise ConfigError(
            "Expected a parametrize mark that gives occluder names of one family, got"
            f" {', '.join(names)} ({', '.join(families)}) in {definition.nodeid}. Give"
            " occlusion_level in the same mark, or write a test per family: each has"
            " levels of its own."
        )
    return next(iter(families), "occlusion")


def _names_in_marks(definition: pytest.Item) -> Iterator[str]:
    """The names that marks give `occluder`."""
    for mark in definition.iter_markers("parametrize"):
        arguments = argument_names(mark)
        if "occluder" not in arguments:
            continue
        rows = mark.args[1] if len(mark.args) > 1 else mark.kwargs.get("argvalues", ())
        if isinstance(rows, Iterator):
            # pytest reads it after us, and would find nothing left.
            raise ConfigError(
                "Expected a parametrize mark that gives occluder a list of names, got"
                f" a {type(rows).__name__} in {definition.nodeid}. Write list(...)"
                " around it."
            )
        yield from _names_at(arguments.index("occluder"), rows)


def _names_at(place: int, rows: Iterable[object]) -> Iterator[str]:
    """The names at one place of every row. What is no name is left to pytest."""
    for row in rows:
        values = row.values if isinstance(row, _WITH_MARKS) else row
        if isinstance(values, Sequence) and not isinstance(values, str):
            values = values[place] if place < len(values) else None
        if isinstance(values, str):
            yield values
