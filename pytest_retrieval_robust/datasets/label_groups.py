"""Labels as groups: the one that a study has, none or several; or whether it has a certain one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from ..core.catalogue import unknown_name
from ..core.strata import SMALLEST_GROUP

Labels: TypeAlias = "frozenset[str] | None"
"""The labels of an image; None where they are not known."""
NO_LABEL = "no label"
SEVERAL_LABELS = "several labels"
ANOTHER_LABEL = "another label"
_MOST_NAMED = 40
"""Labels that have groups of their own. Rarer ones are `another label` together."""


def label_words(labels: Sequence[Labels]) -> list[str]:
    """A word per image: its only label, `no label` or `several labels`; "" if not known."""
    single = Counter(min(each) for each in labels if each and len(each) == 1)
    named = {label for label, _ in single.most_common(_MOST_NAMED)}
    return [_word(each, named) for each in labels]


def with_or_without(label: str, labels: Sequence[Labels], dataset: str) -> list[str]:
    """A word per image: `with LABEL` or `without LABEL`; "" if not known.

    Raises `UnknownNameError` for a label that no image has. Capitals do not matter.
    """
    images_with = Counter(label for each in labels if each for label in each)
    by_lower_case = {each.lower(): each for each in sorted(images_with)}
    if label.lower() not in by_lower_case:
        # A rare word of a table may be a name.
        frequent = [
            each for each, images in images_with.items() if images >= SMALLEST_GROUP
        ]
        raise unknown_name(f"label of {dataset}", label, frequent, "finding")
    spelled = by_lower_case[label.lower()]
    return [_with_or_without(spelled, each) for each in labels]


def _word(labels: Labels, named: set[str]) -> str:
    if labels is None:
        return ""
    if len(labels) > 1:
        return SEVERAL_LABELS
    for label in labels:
        return label if label in named else ANOTHER_LABEL
    return NO_LABEL


def _with_or_without(label: str, labels: Labels) -> str:
    if labels is None:
        return ""
    return f"with {label}" if label in labels else f"without {label}"
