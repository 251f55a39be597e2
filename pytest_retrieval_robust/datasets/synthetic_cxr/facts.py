"""What a study shows, one fact for each finding and device.

Two slots of a study may be one fact, as a nodule and its size are, and one slot may
stand for different findings, as low and high volumes are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .studies import NORMAL, POSITION, SLOTS, Study

DEVICES = ("pacemaker", "tube", "line", "picc", "gastric tube", "wires")
"""The slots of devices, each of which is one fact."""
DENIED_ALONE: tuple[tuple[str, ...], ...] = (
    ("effusion right", "effusion left"),
    ("pneumothorax",),
    ("consolidation right", "consolidation left"),
    ("heart",),
    ("oedema",),
    ("nodule",),
)
"""The slots of each finding that a sentence with a "no" denies, and no other finding."""
_SIDES = ("right", "left", "both")
_ZONES = ("upper", "mid", "middle", "lower")
_SIZES = ("small", "moderate", "large")
_SEVERITIES = ("mild", "severe")
_NODULE_SIZE = "nodule size"


@dataclass(frozen=True)
class Fact:
    """One finding or device, with what is said of it; what does not apply is empty."""

    name: str
    """`effusion`, `low volumes`, `tube`, ..."""
    side: str = ""
    zone: str = ""
    """`upper`, `mid` or `lower`."""
    size: str = ""
    severity: str = ""
    place: str = ""
    """Where a tube lies, or the vein of a central line."""

    @property
    def slot(self) -> str:
        """The slot that holds it."""
        return next(iter(_STATES[self]))

    @property
    def state(self) -> str:
        """The state of its slot."""
        return _STATES[self][self.slot]

    @property
    def is_device(self) -> bool:
        return self.slot in DEVICES

    @property
    def is_finding(self) -> bool:
        """Whether an impression names it: of the devices, only a misplaced tube."""
        return not self.is_device or self.place == "low"


def facts_of(study: Study) -> tuple[Fact, ...]:
    """What the study shows, in the order of the slots."""
    return tuple(
        _fact(slot.name, study[slot.name], study[_NODULE_SIZE])
        for slot in SLOTS
        if slot.name != _NODULE_SIZE and study.has(slot.name)
    )


def states_of(facts: Iterable[Fact]) -> tuple[str, ...]:
    """The states of a study that shows these facts and nothing else."""
    states = [*NORMAL]
    for fact in facts:
        for slot, state in _STATES[fact].items():
            states[POSITION[slot]] = state
    return tuple(states)


def facts_about(slots: Sequence[str]) -> list[Fact]:
    """Every fact that one of these slots may hold."""
    return [fact for fact in FACTS if fact.slot in slots]


def _fact(slot: str, state: str, nodule_size: str) -> Fact:
    if slot == "volumes":
        return Fact(f"{state} volumes")
    if slot == "tube":
        return Fact(slot, place=state)
    if slot == "line":
        side, vein = state.split()
        return Fact(slot, side, place=vein)
    words = f"{slot} {state}".split()
    if slot == "nodule":
        words.append(nodule_size)
    return Fact(
        name=slot.removesuffix(" right").removesuffix(" left"),
        side=_one_of(_SIDES, words),
        zone=_one_of(_ZONES, words).replace("middle", "mid"),
        size=_one_of(_SIZES, words),
        severity=_one_of(_SEVERITIES, words),
    )


def _one_of(known: Sequence[str], words: Sequence[str]) -> str:
    return next((word for word in words if word in known), "")


def _all_states() -> Iterator[tuple[Fact, dict[str, str]]]:
    """Every fact with the states of the slots that hold it; its own slot comes first."""
    sizes = SLOTS[POSITION[_NODULE_SIZE]].states[1:]
    for slot in SLOTS:
        for state in slot.states[1:]:
            if slot.name == "nodule":
                for size in sizes:
                    states = {slot.name: state, _NODULE_SIZE: size}
                    yield _fact(slot.name, state, size), states
            elif slot.name != _NODULE_SIZE:
                yield _fact(slot.name, state, ""), {slot.name: state}


_STATES = dict(_all_states())
FACTS = tuple(_STATES)
"""Every fact that a study may show, in the order of the slots."""
for _state in ("left jugular", "right subclavian"):
    _STATES[_fact("line", _state, "")] = {"line": _state}
MOVED_LINES = tuple(_STATES)[len(FACTS) :]
"""Central lines that no study shows: those of the studies, on the other side."""
