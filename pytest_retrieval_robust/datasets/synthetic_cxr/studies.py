"""What a study shows: one state for each slot, a finding or a device.

Also which split, training or test, a combination of states belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import accumulate

from .streams import uniforms

# One combination of findings in four, and one text in four, belongs to the test split,
# whatever the seeds: the splits cannot meet.
_BUCKETS = 4
_TRIES = 64
REMEMBERED = 4096
"""Studies that a process keeps, 1 MB of them with their texts.

Every data set of a split begins with the same ones.
"""


@dataclass(frozen=True)
class Slot:
    """A categorical finding."""

    name: str
    states: tuple[str, ...]
    """The first one is the normal one."""
    weights: tuple[float, ...]
    """The probabilities of the others."""

    @cached_property
    def limits(self) -> tuple[float, ...]:
        """Cumulative probabilities of the abnormal states; a draw above the last is normal."""
        return tuple(accumulate(self.weights))

    def state(self, unit: float) -> str:
        """The state that a draw in [0, 1) stands for."""
        passed = sum(unit >= limit for limit in self.limits)
        if passed == len(self.limits):
            return self.states[0]
        return self.states[passed + 1]


SLOTS = (
    Slot("effusion right", ("none", "small", "moderate", "large"), (0.06, 0.05, 0.03)),
    Slot("effusion left", ("none", "small", "moderate", "large"), (0.06, 0.05, 0.03)),
    Slot(
        "pneumothorax",
        ("none", "right small", "right large", "left small", "left large"),
        (0.03, 0.03, 0.03, 0.03),
    ),
    Slot(
        "consolidation right",
        ("none", "upper", "middle", "lower"),
        (0.045, 0.045, 0.045),
    ),
    Slot("consolidation left", ("none", "upper", "lower"), (0.05, 0.05)),
    Slot("heart", ("normal", "mild", "severe"), (0.1, 0.08)),
    Slot("oedema", ("none", "mild", "severe"), (0.07, 0.06)),
    Slot(
        "nodule",
        (
            "none",
            "right upper",
            "right mid",
            "right lower",
            "left upper",
            "left mid",
            "left lower",
        ),
        (0.028,) * 6,
    ),
    Slot("nodule size", ("none", "small", "large"), (0.5, 0.5)),
    Slot("atelectasis", ("none", "right", "left", "both"), (0.045, 0.045, 0.03)),
    Slot("diaphragm", ("level", "right", "left"), (0.045, 0.045)),
    Slot("scoliosis", ("none", "right", "left"), (0.045, 0.045)),
    Slot("volumes", ("normal", "low", "high"), (0.08, 0.07)),
    Slot("pacemaker", ("none", "right", "left"), (0.04, 0.06)),
    Slot("tube", ("none", "good", "low"), (0.07, 0.06)),
    Slot("line", ("none", "right jugular", "left subclavian"), (0.05, 0.05)),
    Slot("picc", ("none", "right", "left"), (0.045, 0.045)),
    Slot("gastric tube", ("none", "present"), (0.12,)),
    Slot("wires", ("none", "present"), (0.12,)),
)
POSITION = {slot.name: number for number, slot in enumerate(SLOTS)}
NORMAL = tuple(slot.states[0] for slot in SLOTS)


@dataclass(frozen=True)
class Study:
    """The study (`seed`, `index`)."""

    seed: int
    index: int
    states: tuple[str, ...] = NORMAL
    """One for each of `SLOTS`, in their order."""
    split: str = "train"
    """Its report is one of the texts of this split."""

    def __getitem__(self, slot: str) -> str:
        return self.states[POSITION[slot]]

    def has(self, slot: str) -> bool:
        """Whether the slot is in an abnormal state."""
        return self[slot] != SLOTS[POSITION[slot]].states[0]

    def labels(self) -> tuple[int, ...]:
        """For each slot the number of its state."""
        pairs = zip(SLOTS, self.states, strict=True)
        return tuple(slot.states.index(state) for slot, state in pairs)


def states_with(**changes: str) -> tuple[str, ...]:
    """The normal states with `changes`; slot names are written with `_` for spaces."""
    changed = {slot.replace("_", " "): state for slot, state in changes.items()}
    return tuple(changed.get(slot.name, slot.states[0]) for slot in SLOTS)


def split_of(states: tuple[str, ...]) -> str:
    """The split, `train` or `test`, to which this combination of findings belongs."""
    return split_of_text("|".join(states))


def split_of_text(text: str) -> str:
    """The split, `train` or `test`, to which this text belongs."""
    bucket = blake2b(text.encode(), digest_size=1).digest()[0] % _BUCKETS
    return "test" if bucket == 0 else "train"


@lru_cache(maxsize=REMEMBERED)
def draw(seed: int, index: int, split: str) -> Study:
    """The study (`seed`, `index`) of `split`.

    It shows the first combination of its stream that belongs to the split.
    """
    slots = len(SLOTS)
    units = uniforms("findings", seed, index, _TRIES * slots).reshape(_TRIES, slots)
    for row in units.tolist():
        pairs = zip(SLOTS, row, strict=True)
        states = _plausible({slot.name: slot.state(unit) for slot, unit in pairs})
        if split_of(states) == split:
            return Study(seed, index, states, split)
    # Indices of users end far below: this stream is nobody else's.
    return draw(seed, index + (1 << 40), split)


def is_plausible(states: tuple[str, ...]) -> bool:
    """Whether all of such a study would be visible, so that it may be drawn."""
    names = [slot.name for slot in SLOTS]
    return _plausible(dict(zip(names, states, strict=True))) == states


def _plausible(states: dict[str, str]) -> tuple[str, ...]:
    """The states without what another finding would hide: all of a study is visible."""
    if states["nodule"] == "none":
        states["nodule size"] = "none"
    elif states["nodule size"] == "none":
        states["nodule size"] = "small"
    if states["heart"] == "severe":
        _clear_behind_heart(states)
    for side in ("right", "left"):
        _clear_pneumothorax(states, side)
        _clear_base(states, side)
    return tuple(states[slot.name] for slot in SLOTS)


def _clear_behind_heart(states: dict[str, str]) -> None:
    """A very large heart lies before the plates and the lower nodules of its side."""
    _clear_side(states, "atelectasis", "left")
    if states["nodule"] == "left lower":
        states["nodule"] = "left upper"


def _clear_pneumothorax(states: dict[str, str], side: str) -> None:
    """Air in the pleura leaves no meniscus and no plates at that base."""
    if states["pneumothorax"].startswith(side):
        states[f"effusion {side}"] = "none"
        _clear_side(states, "atelectasis", side)


def _clear_base(states: dict[str, str], side: str) -> None:
    """Much fluid hides the diaphragm, plates, lower nodules and lower lobe of its side."""
    if states[f"effusion {side}"] not in ("moderate", "large"):
        return
    for slot in ("atelectasis", "diaphragm"):
        _clear_side(states, slot, side)
    if states["nodule"] in (f"{side} lower", f"{side} mid"):
        states["nodule"] = f"{side} upper"
    if states[f"consolidation {side}"] in ("lower", "middle"):
        states[f"consolidation {side}"] = "none"


def _clear_side(states: dict[str, str], slot: str, side: str) -> None:
    if states[slot] == "both":
        states[slot] = "left" if side == "right" else "right"
    elif states[slot] == side:
        states[slot] = SLOTS[POSITION[slot]].states[0]
