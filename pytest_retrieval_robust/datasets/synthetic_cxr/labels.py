"""Labels: the set of findings and devices of a study, with the side or without it,
never with size or zone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust.core.words import known_word
from pytest_retrieval_robust.datasets.synthetic_cxr.settings import LABELS
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import SLOTS, Study

_SIDES = ("right", "left")
# What an abnormal state is called where the slot's name says only what is looked at.
_CALLED = {
    "heart": "enlarged heart",
    "diaphragm": "raised diaphragm",
    "line": "central line",
    "wires": "sternal wires",
}
# States of these slots are different findings, not sizes or places of one.
_TELLING = ("volumes", "tube")


def label_names(scheme: str) -> tuple[str, ...]:
    """Every label of `sided` (`effusion right`) or `unsided` (`effusion`), in the order
    of the slots.

    >>> len(label_names("sided")), len(label_names("unsided"))
    (28, 18)
    """
    known_word("labels", scheme, LABELS)
    labels = [
        name
        for slot in SLOTS
        for state in slot.states[1:]
        for name in _labels(slot.name, state, scheme)
    ]
    return tuple(dict.fromkeys(labels))


def label_set(study: Study, scheme: str) -> frozenset[str]:
    """The labels of what the study shows; empty for a normal one."""
    known_word("labels", scheme, LABELS)
    found = (
        (slot.name, state)
        for slot, state in zip(SLOTS, study.states, strict=True)
        if state != slot.states[0]
    )
    return frozenset(
        name for slot, state in found for name in _labels(slot, state, scheme)
    )


def label_matrix(studies: Sequence[Study], scheme: str) -> NDArray[np.bool_]:
    """(studies, labels) bool, with the columns of `label_names`."""
    column = {name: number for number, name in enumerate(label_names(scheme))}
    matrix = np.zeros((len(studies), len(column)), dtype=np.bool_)
    for row, study in enumerate(studies):
        matrix[row, [column[name] for name in label_set(study, scheme)]] = True
    return matrix


def _labels(slot: str, state: str, scheme: str) -> list[str]:
    """What one abnormal state is called; atelectasis of both bases has two labels with
    sides, and one without.
    """
    if slot == "nodule size":
        return []
    words = f"{slot} {state}".split()
    sides = (
        list(_SIDES) if state == "both" else [side for side in _SIDES if side in words]
    )
    if slot in _TELLING:
        finding = f"{slot} {state}"
    else:
        finding = _CALLED.get(slot, slot.removesuffix(" right").removesuffix(" left"))
    return (
        [f"{finding} {side}" for side in sides]
        if sides and scheme == "sided"
        else [finding]
    )
