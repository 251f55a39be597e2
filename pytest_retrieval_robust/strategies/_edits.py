"""Drawing of reports with one thing changed, from the embedded data set."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from ..core.counterfactuals import EDIT_KINDS

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

KINDS = tuple(kind for kind in EDIT_KINDS if kind != "change")
"""The reports compare nothing with an earlier film, so that no change is swapped."""
_PAIRS = 100
"""So many reports have dozens of edits of every kind."""


@dataclass(frozen=True)
class EditedPair:
    """A report of `synthetic-cxr` and the same with one thing changed.

    The texts are made up by the package, so that its `repr` may show them.
    """

    report: int
    """The number of the report, and of its image, in the data set."""
    kind: str
    """`negation`, `side`, `size`, `zone`, `severity`, `device` or `finding`."""
    action: str
    """`added`, `removed`, `inserted`, `moved`, `swapped` or `changed`."""
    original: str
    edited: str


@st.composite
def edits(draw: DrawFn, *kinds: str) -> EditedPair:
    return draw(st.sampled_from(_of_kinds(kinds)))


@cache
def _of_kinds(kinds: tuple[str, ...]) -> list[EditedPair]:
    """Those of the first kind first: examples shrink towards them."""
    pairs = _pairs()
    return [pair for kind in kinds for pair in pairs if pair.kind == kind]


@cache
def _pairs() -> list[EditedPair]:
    from ..datasets.synthetic_cxr import load

    data = load(pairs=_PAIRS)
    return [
        EditedPair(
            edit.report, edit.kind, edit.action, data.reports[edit.report], edit.text
        )
        for edit in data.edited_reports().edits
    ]
