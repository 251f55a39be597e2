"""Labels: the set of findings and devices of a study, with or without the side.

They never have a size or a zone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...core.words import known_word
from .facts import DEVICES
from .settings import LABELS
from .studies import SLOTS, Study

_SIDES = ("right", "left")
_CALLED = {
    "heart": "enlarged heart",
    "diaphragm": "raised diaphragm",
    "line": "central line",
    "wires": "sternal wires",
}
"""What an abnormal state is called if the slot's name says only what is looked at."""
_STATES_ARE_FINDINGS = ("volumes", "tube")
"""Slots whose states are different findings, not sizes or places of one."""


def label_names(scheme: str) -> tuple[str, ...]:
    """Every label of `sided` (`effusion right`) or `unsided` (`effusion`), by slots.

    >>> len(label_names("sided")), len(label_names("unsided"))
    (28, 18)
    """
    known_word("labels", scheme, LABELS)
    labels: list[str] = []
    for slot in SLOTS:
        for state in slot.states[1:]:
            labels += _labels(slot.name, state, scheme)
    return tuple(dict.fromkeys(labels))


def label_set(study: Study, scheme: str) -> frozenset[str]:
    """The labels of what the study shows; empty for a normal one."""
    known_word("labels", scheme, LABELS)
    labels: set[str] = set()
    for slot in SLOTS:
        if study.has(slot.name):
            labels.update(_labels(slot.name, study[slot.name], scheme))
    return frozenset(labels)


def device_set(study: Study, scheme: str = "unsided") -> frozenset[str]:
    """The labels of the devices that the study shows."""
    known_word("labels", scheme, LABELS)
    labels: set[str] = set()
    for slot in DEVICES:
        if study.has(slot):
            labels.update(_labels(slot, study[slot], scheme))
    return frozenset(labels)


def label_matrix(studies: Sequence[Study], scheme: str) -> NDArray[np.bool_]:
    """(studies, labels) bool, with the columns of `label_names`."""
    column = {name: number for number, name in enumerate(label_names(scheme))}
    matrix = np.zeros((len(studies), len(column)), dtype=np.bool_)
    for row, study in enumerate(studies):
        matrix[row, [column[name] for name in label_set(study, scheme)]] = True
    return matrix


def _labels(slot: str, state: str, scheme: str) -> list[str]:
    """What one abnormal state is called.

    Atelectasis of both bases has two labels with sides, and one without.
    """
    # A size is no finding of its own.
    if slot == "nodule size":
        return []
    if slot in _STATES_ARE_FINDINGS:
        finding = f"{slot} {state}"
    else:
        finding = _CALLED.get(slot, slot.removesuffix(" right").removesuffix(" left"))
    words = f"{slot} {state}".split()
    sides = [side for side in _SIDES if side in words or state == "both"]
    if not sides or scheme == "unsided":
        return [finding]
    return [f"{finding} {side}" for side in sides]
