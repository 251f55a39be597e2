"""Which tests are ours: decided by who defined a fixture, since every collected test of
every project is asked.

A project's own fixture `occluder` or parameter `outcome` is its own business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

AXES = (
    "retrieval_model",
    "retrieval_dataset",
    "occluder",
    "occlusion_level",
    "occlusion_seed",
)
"""The parametrised fixtures, in the order of a test's id."""
MEASURING = (
    "outcome",
    "clean_outcome",
    "robustness_curve",
    "robustness_curves",
    "occlusion_timer",
    "breaking",
)
"""The fixtures that measure something."""
_OURS = frozenset((*AXES, *MEASURING))


def our_fixtures(definition: pytest.Item) -> frozenset[str]:
    """Those of our fixtures that a test (or its definition, before it has parameters) uses."""
    names = _OURS.intersection(getattr(definition, "fixturenames", ()))
    if not names:  # nearly every test of nearly every project
        return names
    found = getattr(definition, "_fixtureinfo").name2fixturedefs  # noqa: B009 - pytest has no public name for it
    return (
        names
        - frozenset(_given_directly(definition))
        - {name for name in names if not _is_ours(found.get(name))}
    )


def _is_ours(definitions: Any) -> bool:
    """Whether the definition that wins, the last one, is this package's."""
    return (
        bool(definitions)
        and definitions[-1].func.__module__.partition(".")[0]
        == __name__.partition(".")[0]
    )


def _given_directly(definition: pytest.Item) -> Iterable[str]:
    """The names that `parametrize` marks give values to, rather than to the fixtures of
    these names.
    """
    for mark in definition.iter_markers("parametrize"):
        indirect = mark.kwargs.get(
            "indirect", mark.args[2] if len(mark.args) > 2 else False
        )
        if indirect is not True:
            yield from (
                name for name in argument_names(mark) if name not in (indirect or ())
            )


def argument_names(mark: pytest.Mark) -> list[str]:
    """The names that a `parametrize` mark speaks of."""
    names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
    return (
        [name.strip() for name in names.split(",")]
        if isinstance(names, str)
        else list(names)
    )


@dataclass(frozen=True)
class Axes:
    """The parameters of one test of ours; None where it does not use that axis."""

    model: str | None = None
    dataset: str | None = None
    occluder: str | None = None
    level: float | None = None
    seed: int | None = None


_FOUND = pytest.StashKey[Axes | None]()


def axes_of(item: pytest.Item) -> Axes | None:
    """The parameters that a test gives the fixtures of this plugin; None for a test
    that is not ours.
    """
    if _OURS.isdisjoint(getattr(item, "fixturenames", ())):
        return None
    if _FOUND not in item.stash:
        item.stash[_FOUND] = _read_axes(item)
    return item.stash[_FOUND]


def _read_axes(item: pytest.Item) -> Axes | None:
    parameters: Mapping[str, Any] = getattr(
        getattr(item, "callspec", None), "params", {}
    )
    used = our_fixtures(item)
    if used.isdisjoint(parameters):
        return None
    return Axes(*(parameters.get(axis) if axis in used else None for axis in AXES))


def ours(item: pytest.Item) -> bool:
    """Whether a test uses one of the fixtures that this plugin parametrises."""
    return axes_of(item) is not None
