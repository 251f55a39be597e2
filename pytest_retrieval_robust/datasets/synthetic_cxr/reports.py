"""From a study to its free-text report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import TypeVar

from .composition import Composition, Impression, Phrase, texts_of
from .facts import DEVICES
from .normal_phrases import (
    NEGATIVES,
    NO_ACUTE_IMPRESSION,
    NO_OTHER_IMPRESSION,
    NORMAL_IMPRESSION,
    OTHERWISE_NORMAL_IMPRESSION,
)
from .phrases import wordings
from .streams import between, uniforms
from .studies import REMEMBERED, SLOTS, Study, split_of_text

_DIRECTIONS = tuple(
    slot.name for slot in SLOTS if slot.name not in (*DEVICES, "nodule size")
)
URGENT = (
    "pneumothorax",
    "tube",
    "oedema",
    "effusion right",
    "effusion left",
    "consolidation right",
    "consolidation left",
)
"""What comes first in an impression."""
_DRAWS = 96
# Normal statements fill a report up to a length drawn from here, so that its length
# says little of its findings.
_FEWEST_WORDS = 16
_MOST_WORDS = 38

Item = TypeVar("Item")


@lru_cache(maxsize=REMEMBERED)
def write_report(study: Study) -> str:
    """`FINDINGS: ... IMPRESSION: ...` of a study.

    Every abnormal state is worded, some normal ones are denied or stated. The text is
    the first of the study's stream whose own hash puts it into the study's split: no
    text is in two splits, not even if the findings are, as those of a normal study may
    be.
    """
    return compose(study).text


def compose(study: Study) -> Composition:
    """The phrases of the study's report."""
    drawn = (_compose(study, iter(_units(study, attempt))) for attempt in count())
    return next(report for report in drawn if split_of_text(report.text) == study.split)


def _units(study: Study, attempt: int) -> list[float]:
    units = uniforms(f"text {attempt}", study.seed, study.index, _DRAWS)
    return [float(unit) for unit in units]


def _compose(study: Study, units: Iterator[float]) -> Composition:
    findings = _shuffled([slot for slot in _DIRECTIONS if study.has(slot)], units)
    devices = _shuffled([slot for slot in DEVICES if study.has(slot)], units)
    sentences = [_sentence(study, slot, units) for slot in findings]
    device_sentences = [_sentence(study, slot, units) for slot in devices]
    impression = _impression(study, findings, devices, units)
    length = between(next(units), _FEWEST_WORDS, _MOST_WORDS)
    written = [*texts_of(sentences), *texts_of(device_sentences), *impression.texts]
    sentences += _normal_statements(study, length - _words(written), units)
    return Composition(
        findings=tuple(sentences),
        devices=tuple(device_sentences),
        are_devices_first=next(units) < 0.6,
        impression=impression,
    )


def _normal_statements(
    study: Study, room: float, units: Iterator[float]
) -> list[Phrase]:
    """True normal statements about different structures, until their words fill `room`."""
    statements: list[Phrase] = []
    stated: set[str] = set()
    for slots, choices in _shuffled(NEGATIVES, units):
        if _words(texts_of(statements)) >= room or stated.intersection(slots):
            continue
        if any(study.has(slot) for slot in slots):
            continue
        statements.append(_pick(choices, units, denied=slots))
        stated.update(slots)
    return statements


def _impression(
    study: Study,
    findings: Sequence[str],
    devices: Sequence[str],
    units: Iterator[float],
) -> Impression:
    """Short labels of at most two or three findings, the urgent ones first."""
    most = 2 if next(units) < 0.5 else 3
    present = [*findings]
    # Of the devices only a misplaced tube is a finding.
    if study["tube"] == "low":
        present.append("tube")
    urgent = [slot for slot in URGENT if slot in present]
    ranked = [*urgent, *(slot for slot in present if slot not in URGENT)]
    labels = tuple(_label(study, slot, units) for slot in ranked[:most])
    if not labels:
        return _unremarkable(study, devices, most, units)
    if len(labels) == 1 and next(units) < 0.4:
        rest = NO_OTHER_IMPRESSION if devices else OTHERWISE_NORMAL_IMPRESSION
        return Impression(labels, most, _pick(rest, units))
    wants_joined = next(units) < 0.3
    # Labels with a comma of their own would read wrongly in a list.
    has_comma = any("," in label.text for label in labels[:2])
    is_joined = wants_joined and len(labels) > 1 and not has_comma
    return Impression(labels, most, joined=0 if is_joined else None)


def _sentence(study: Study, slot: str, units: Iterator[float]) -> Phrase:
    words = wordings(slot, study[slot], study["nodule size"])[0]
    return _pick(words, units, slot)


def _label(study: Study, slot: str, units: Iterator[float]) -> Phrase:
    words = wordings(slot, study[slot], study["nodule size"])[1]
    return _pick(words, units, slot)


def _unremarkable(
    study: Study, devices: Sequence[str], most: int, units: Iterator[float]
) -> Impression:
    """The impression if nothing but devices, if anything, is to be reported."""
    if not devices:
        return Impression((), most, _pick(NORMAL_IMPRESSION, units))
    labels: tuple[Phrase, ...] = ()
    if next(units) < 0.4:
        labels = (_label(study, devices[0], units),)
    return Impression(labels, most, _pick(NO_ACUTE_IMPRESSION, units))


def _words(parts: Sequence[str]) -> int:
    return sum(part.count(" ") + 1 for part in parts)


def _pick(
    choices: Sequence[str],
    units: Iterator[float],
    slot: str = "",
    denied: tuple[str, ...] = (),
) -> Phrase:
    choice = int(next(units) * len(choices))
    return Phrase(choices[choice], slot, choice, denied)


def _shuffled(items: Sequence[Item], units: Iterator[float]) -> list[Item]:
    ranked = [(next(units), item) for item in items]
    ranked.sort(key=lambda pair: pair[0])
    return [item for _, item in ranked]
