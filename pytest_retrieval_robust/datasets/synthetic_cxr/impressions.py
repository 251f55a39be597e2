"""The impression of an edited report, which must agree with its findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .changes import Change
from .composition import Impression, Phrase
from .device_phrases import Wordings
from .facts import Fact
from .normal_phrases import (
    NO_ACUTE_IMPRESSION,
    NO_OTHER_IMPRESSION,
    NORMAL_IMPRESSION,
    OTHERWISE_NORMAL_IMPRESSION,
)
from .reports import URGENT
from .rewording import Rewording


def edited_impression(
    impression: Impression, change: Change, facts: Sequence[Fact], words: Rewording
) -> Impression:
    """The impression after `change`, when `facts` are what there is.

    The labels of all else keep their words and what stands between them.
    """
    edited = _with_labels(impression, change, words)
    remark = _remark(impression.remark, len(edited.labels), facts, words)
    return replace(edited, remark=remark)


def _with_labels(
    impression: Impression, change: Change, words: Rewording
) -> Impression:
    labels = impression.labels
    slots = [label.slot for label in labels]
    old, new = change.old, change.new
    if old is not None and old.slot in slots:
        return _with_another(impression, slots.index(old.slot), change, words)
    is_first_named = (
        new is not None and new.is_finding and (old is None or not old.is_finding)
    )
    # An impression that is full does not name all there is.
    if new is None or not is_first_named or len(labels) >= impression.most_labels:
        return impression
    place = sum(_urgency(slot) <= _urgency(new.slot) for slot in slots)
    joined = impression.joined
    # It has a sentence of its own, in front of a joined pair or behind it.
    if joined is not None and place == joined + 1:
        place += 1
    if joined is not None and place <= joined:
        joined += 1
    labels = (*labels[:place], words.label(new), *labels[place:])
    return replace(impression, labels=labels, joined=joined)


def _with_another(
    impression: Impression, place: int, change: Change, words: Rewording
) -> Impression:
    """With another label, or none, where that of the old fact stood."""
    labels, joined = impression.labels, impression.joined
    is_joined = joined is not None and place in (joined, joined + 1)
    instead = _in_place_of(labels[place], change, words, is_joined)
    if not instead and joined is not None:
        joined = None if is_joined else joined - (place < joined)
    labels = (*labels[:place], *instead, *labels[place + 1 :])
    return replace(impression, labels=labels, joined=joined)


def _in_place_of(
    label: Phrase, change: Change, words: Rewording, is_joined: bool
) -> list[Phrase]:
    """What stands where the label of the old fact stood."""
    old, new = change.old, change.new
    if old is None or new is None:
        return []
    # A tube that is well placed is no finding any more.
    if old.is_finding and not new.is_finding:
        return []
    choice = label.choice if old.name == new.name else None
    return [words.label(new, choice, may_have_comma=not is_joined)]


def _urgency(slot: str) -> int:
    return URGENT.index(slot) if slot in URGENT else len(URGENT)


def _remark(
    remark: Phrase | None, labels: int, facts: Sequence[Fact], words: Rewording
) -> Phrase | None:
    has_device = any(fact.is_device for fact in facts)
    if not any(fact.is_finding for fact in facts):
        return _one_of(
            NO_ACUTE_IMPRESSION if has_device else NORMAL_IMPRESSION, remark, words
        )
    is_of_the_rest = remark is not None and remark.text in OTHERWISE_NORMAL_IMPRESSION
    if labels > 1 or not is_of_the_rest:
        return None
    return _one_of(
        NO_OTHER_IMPRESSION if has_device else OTHERWISE_NORMAL_IMPRESSION,
        remark,
        words,
    )


def _one_of(allowed: Wordings, remark: Phrase | None, words: Rewording) -> Phrase:
    """The remark as it is, unless it says what is no longer so."""
    if remark is not None and remark.text in allowed:
        return remark
    return words.remark(allowed)
