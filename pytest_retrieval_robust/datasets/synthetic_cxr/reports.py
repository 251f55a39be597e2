"""From a study to its free-text report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import TypeVar

from pytest_retrieval_robust.datasets.synthetic_cxr.normal_phrases import (
    NEGATIVES,
    NO_ACUTE_IMPRESSION,
    NO_OTHER_IMPRESSION,
    NORMAL_IMPRESSION,
    OTHERWISE_NORMAL_IMPRESSION,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.phrases import wordings
from pytest_retrieval_robust.datasets.synthetic_cxr.streams import between, uniforms
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import (
    SLOTS,
    Study,
    split_of_text,
)

_DEVICES = ("pacemaker", "tube", "line", "picc", "gastric tube", "wires")
_DIRECTIONS = tuple(
    slot.name for slot in SLOTS if slot.name not in (*_DEVICES, "nodule size")
)
# What comes first in an impression.
_URGENT = (
    "pneumothorax",
    "tube",
    "oedema",
    "effusion right",
    "effusion left",
    "consolidation right",
    "consolidation left",
)
_DRAWS = 96
# Normal statements fill a report up to a length drawn from here, so that its length
# says little of its findings.
_FEWEST_WORDS, _MOST_WORDS = 16, 38

Item = TypeVar("Item")


def write_report(study: Study) -> str:
    """`FINDINGS: ... IMPRESSION: ...`: every abnormal state is worded, some normal ones
    are denied or stated.

    The text is the first of the study's stream whose own hash puts it into the study's
    split: no text is in two splits, not even where the findings are, as those of a
    normal study may be.
    """
    texts = (_compose(study, iter(_units(study, attempt))) for attempt in count())
    return next(text for text in texts if split_of_text(text) == study.split)


def _units(study: Study, attempt: int) -> list[float]:
    units: list[float] = uniforms(
        f"text {attempt}", study.seed, study.index, _DRAWS
    ).tolist()
    return units


def _compose(study: Study, units: Iterator[float]) -> str:
    findings = _shuffled([slot for slot in _DIRECTIONS if study.has(slot)], units)
    devices = _shuffled([slot for slot in _DEVICES if study.has(slot)], units)
    said = [
        _pick(wordings(slot, study[slot], study["nodule size"])[0], units)
        for slot in findings
    ]
    placed = [_pick(wordings(slot, study[slot])[0], units) for slot in devices]
    impression = _impression(study, findings, devices, units)
    room = between(next(units), _FEWEST_WORDS, _MOST_WORDS) - _words(
        [*said, *placed, *impression]
    )
    said += _normal_statements(study, room, units)
    body = placed + said if next(units) < 0.6 else said + placed
    return f"FINDINGS: {_sentences(body)} IMPRESSION: {_sentences(impression)}"


def _normal_statements(study: Study, room: float, units: Iterator[float]) -> list[str]:
    """True normal statements about different structures, until their words fill `room`."""
    chosen: list[str] = []
    told: set[str] = set()
    for slots, choices in _shuffled(NEGATIVES, units):
        if (
            _words(chosen) < room
            and not told.intersection(slots)
            and not any(study.has(slot) for slot in slots)
        ):
            chosen.append(_pick(choices, units))
            told.update(slots)
    return chosen


def _impression(
    study: Study,
    findings: Sequence[str],
    devices: Sequence[str],
    units: Iterator[float],
) -> list[str]:
    """Short labels of at most two or three findings, the urgent ones first."""
    most = 2 if next(units) < 0.5 else 3
    present = [*findings, *(["tube"] if study["tube"] == "low" else [])]
    ranked = [slot for slot in _URGENT if slot in present] + [
        slot for slot in present if slot not in _URGENT
    ]
    labels = [
        _pick(wordings(slot, study[slot], study["nodule size"])[1], units)
        for slot in ranked[:most]
    ]
    if not labels:
        return _unremarkable(study, devices, units)
    if len(labels) == 1 and next(units) < 0.4:
        return [
            *labels,
            _pick(
                NO_OTHER_IMPRESSION if devices else OTHERWISE_NORMAL_IMPRESSION, units
            ),
        ]
    # Labels with a comma of their own would read wrongly in a list.
    joined = next(units) < 0.3 and not any("," in label for label in labels[:2])
    return [" and ".join(labels[:2]), *labels[2:]] if joined else labels


def _unremarkable(
    study: Study, devices: Sequence[str], units: Iterator[float]
) -> list[str]:
    """The impression where nothing but devices, if anything, is to be reported."""
    if not devices:
        return [_pick(NORMAL_IMPRESSION, units)]
    named = (
        [_pick(wordings(devices[0], study[devices[0]])[1], units)]
        if next(units) < 0.4
        else []
    )
    return [*named, _pick(NO_ACUTE_IMPRESSION, units)]


def _sentences(parts: Sequence[str]) -> str:
    return " ".join(part[0].upper() + part[1:] + "." for part in parts)


def _words(parts: Sequence[str]) -> int:
    return sum(part.count(" ") + 1 for part in parts)


def _pick(choices: Sequence[str], units: Iterator[float]) -> str:
    return choices[int(next(units) * len(choices))]


def _shuffled(items: Sequence[Item], units: Iterator[float]) -> list[Item]:
    return [
        item
        for _, item in sorted(
            ((next(units), item) for item in items), key=lambda pair: pair[0]
        )
    ]
