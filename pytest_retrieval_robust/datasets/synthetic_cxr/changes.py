"""Which one thing of a study may be said to be otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from .facts import DENIED_ALONE, FACTS, MOVED_LINES, Fact, facts_about

_OTHER_SIDE = {"right": "left", "left": "right"}
_PARTNERS = {
    "effusion": "pneumothorax",
    "consolidation": "nodule",
    "heart": "oedema",
    "atelectasis": "diaphragm",
    "low volumes": "high volumes",
}
_PARTNERS |= {partner: name for name, partner in _PARTNERS.items()}
"""Findings of one region, which may be taken for each other."""
_ATTRIBUTES = ("side", "zone", "size", "severity")


@dataclass(frozen=True)
class Change:
    """A fact that goes and one that comes; the same finding or device unless swapped."""

    kind: str
    """One of `core.counterfactuals.EDIT_KINDS`."""
    action: str
    old: Fact | None
    new: Fact | None

    def applied_to(self, facts: Sequence[Fact]) -> list[Fact]:
        """The facts afterwards."""
        kept = [fact for fact in facts if fact != self.old]
        return kept if self.new is None else [*kept, self.new]


@cache
def changes_of(fact: Fact) -> tuple[Sequence[Change], ...]:
    """Every change of a fact that a study shows. Each sequence holds alternatives."""
    return tuple(_device_changes(fact) if fact.is_device else _finding_changes(fact))


def _device_changes(device: Fact) -> Iterator[Sequence[Change]]:
    yield [Change("device", "removed", device, None)]
    yield _side_changes(device, "device", "moved")
    # The vein of a line stays: of a new side and a new vein two things would be wrong.
    if device.name == "tube":
        yield _changes(device, "device", "moved", ("place",))


def _finding_changes(finding: Fact) -> Iterator[Sequence[Change]]:
    if any(finding.slot in slots for slots in DENIED_ALONE):
        yield [Change("negation", "added", finding, None)]
    yield _side_changes(finding, "side", "swapped")
    for attribute in ("size", "zone", "severity"):
        yield _changes(finding, attribute, "changed", (attribute,))
    partner = _PARTNERS.get(finding.name)
    swapped = [other for other in FACTS if other.name == partner]
    yield [
        Change("finding", "swapped", finding, other)
        for other in swapped
        if _is_alike(finding, other)
    ]


def assertions_of(denied: Sequence[str]) -> list[Change]:
    """Everything that a report may assert of slots that it denies."""
    facts = facts_about(denied)
    return [Change("negation", "removed", None, fact) for fact in facts]


@cache
def insertions() -> Sequence[Change]:
    """Every device that a report may speak of."""
    devices = [fact for fact in FACTS if fact.is_device]
    return tuple(Change("device", "inserted", None, fact) for fact in devices)


def _side_changes(fact: Fact, kind: str, action: str) -> list[Change]:
    mirrored = replace(fact, side=_OTHER_SIDE.get(fact.side, ""))
    # Not all have another side, and the left lung has no middle lobe.
    if not mirrored.side or mirrored not in (*FACTS, *MOVED_LINES):
        return []
    return [Change(kind, action, fact, mirrored)]


def _changes(
    fact: Fact, kind: str, action: str, attributes: Sequence[str]
) -> list[Change]:
    """The same finding or device with another value of these attributes alone, those
    farthest away first.
    """
    fixed = dict.fromkeys(attributes, "")
    others = [
        other
        for other in FACTS
        if other != fact and replace(other, **fixed) == replace(fact, **fixed)
    ]
    place = FACTS.index(fact)
    others.sort(key=lambda other: -abs(FACTS.index(other) - place))
    return [Change(kind, action, fact, other) for other in others]


def _is_alike(fact: Fact, other: Fact) -> bool:
    """Whether the two agree in all that is said of both."""
    pairs = [(getattr(fact, name), getattr(other, name)) for name in _ATTRIBUTES]
    return all(one == another for one, another in pairs if one and another)
