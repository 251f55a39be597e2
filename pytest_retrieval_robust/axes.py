"""Which tests are ours: names alone, since every collected test of every project is asked."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

AXES = ("retrieval_model", "retrieval_dataset", "occluder", "occlusion_level", "occlusion_seed")
"""The parametrised fixtures, in the order of a test's id."""
MEASURING = ("outcome", "clean_outcome", "robustness_curve", "occlusion_timer")
"""The fixtures that measure something."""
_OURS = frozenset((*AXES, *MEASURING))


def uses_ours(fixturenames: Collection[str]) -> bool:
    return not _OURS.isdisjoint(fixturenames)


def ours(item: pytest.Item) -> bool:
    """Whether a test uses one of the fixtures that this plugin parametrises."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and uses_ours(callspec.params)
