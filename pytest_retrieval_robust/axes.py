"""Which tests are ours: decided by who defined a fixture, since every collected test of every project is asked.

A project's own fixture `occluder` or parameter `outcome` is its own business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

AXES = ("retrieval_model", "retrieval_dataset", "occluder", "occlusion_level", "occlusion_seed")
"""The parametrised fixtures, in the order of a test's id."""
MEASURING = ("outcome", "clean_outcome", "robustness_curve", "robustness_curves", "occlusion_timer", "breaking")
"""The fixtures that measure something."""
_OURS = frozenset((*AXES, *MEASURING))


def our_fixtures(definition: pytest.Item) -> frozenset[str]:
    """Those of our fixtures that a test (or its definition, before it has parameters) uses."""
    names = _OURS.intersection(getattr(definition, "fixturenames", ()))
    if not names:  # nearly every test of nearly every project
        return names
    found = getattr(definition, "_fixtureinfo").name2fixturedefs  # noqa: B009 - pytest has no public name for it
    return names - frozenset(_given_directly(definition)) - {name for name in names if not _is_ours(found.get(name))}


def _is_ours(definitions: Any) -> bool:
    """Whether the definition that wins, the last one, is this package's."""
    return bool(definitions) and definitions[-1].func.__module__.partition(".")[0] == __package__


def _given_directly(definition: pytest.Item) -> Iterable[str]:
    """The names that `parametrize` marks give values to, rather than to the fixtures of these names."""
    for mark in definition.iter_markers("parametrize"):
        indirect = mark.kwargs.get("indirect", mark.args[2] if len(mark.args) > 2 else False)
        if indirect is not True:
            yield from (name for name in argument_names(mark) if name not in (indirect or ()))


def argument_names(mark: pytest.Mark) -> list[str]:
    """The names that a `parametrize` mark speaks of."""
    names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)


def ours(item: pytest.Item) -> bool:
    """Whether a test uses one of the fixtures that this plugin parametrises."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and not our_fixtures(item).isdisjoint(callspec.params)
