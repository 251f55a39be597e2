"""From a study to its free-text report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from pytest_retrieval_robust.datasets.synthetic_cxr.phrases import (
    NEGATIVES,
    NORMAL_IMPRESSION,
    STABLE_IMPRESSION,
    wordings,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.streams import uniforms
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import SLOTS, Study

_DEVICES = ("pacemaker", "tube", "line", "picc", "gastric tube", "wires")
_DIRECTIONS = tuple(slot.name for slot in SLOTS if slot.name not in (*_DEVICES, "nodule size"))
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

Item = TypeVar("Item")


def write_report(study: Study) -> str:
    """`FINDINGS: ... IMPRESSION: ...`: every abnormal state is worded, some normal ones are denied or stated."""
    units = iter(uniforms("text", study.seed, study.index, _DRAWS).tolist())
    findings = _shuffled([slot for slot in _DIRECTIONS if study.has(slot)], units)
    devices = _shuffled([slot for slot in _DEVICES if study.has(slot)], units)
    said = [_pick(wordings(slot, study[slot], study["nodule size"])[0], units) for slot in findings]
    placed = [_pick(wordings(slot, study[slot])[0], units) for slot in devices]
    said += _normal_statements(study, 3 - (len(findings) + len(devices)) // 2, units)
    body = placed + said if next(units) < 0.6 else said + placed
    return f"FINDINGS: {_sentences(body)} IMPRESSION: {_sentences(_impression(study, findings, units))}"


def _normal_statements(study: Study, count: int, units: Iterator[float]) -> list[str]:
    """Up to `count` true normal statements about different structures."""
    chosen: list[str] = []
    told: set[str] = set()
    for slots, choices in _shuffled(NEGATIVES, units):
        if len(chosen) < count and not told.intersection(slots) and not any(study.has(slot) for slot in slots):
            chosen.append(_pick(choices, units))
            told.update(slots)
    return chosen


def _impression(study: Study, findings: Sequence[str], units: Iterator[float]) -> list[str]:
    """Short labels of at most three findings, the urgent ones first."""
    present = [*findings, *(["tube"] if study["tube"] == "low" else [])]
    ranked = [slot for slot in _URGENT if slot in present] + [slot for slot in present if slot not in _URGENT]
    labels = [_pick(wordings(slot, study[slot], study["nodule size"])[1], units) for slot in ranked[:3]]
    if not labels:
        return [_pick(NORMAL_IMPRESSION, units)]
    if len(labels) == 1 and next(units) < 0.4:
        return [*labels, _pick(STABLE_IMPRESSION, units)]
    return labels if next(units) < 0.7 else [" and ".join(labels[:2]), *labels[2:]]


def _sentences(parts: Sequence[str]) -> str:
    text = " ".join(part[0].upper() + part[1:] + "." for part in parts)
    return text.replace("a extensive", "an extensive").replace("A extensive", "An extensive")


def _pick(choices: Sequence[str], units: Iterator[float]) -> str:
    return choices[int(next(units) * len(choices))]


def _shuffled(items: Sequence[Item], units: Iterator[float]) -> list[Item]:
    return [item for _, item in sorted(((next(units), item) for item in items), key=lambda pair: pair[0])]
