"""Fuzzing: changed copies of valid files, and of valid JSON."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

Place: TypeAlias = tuple[Any, Any]
"""A container of JSON and the key or index within it."""
_LENGTHS = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    2**63 - 1,
    2**64 - 1,
)
_VALUES: Sequence[Any] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**70, 0.0, 0.5, 1.0, -0.5, 1e308, 1e-320),
    *("", "x", "0", "\ud800", "../..", [], {}, [[]], {"1": 1.0}),
)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A copy with one to four changes."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        if not changed:
            break
        rng.choice(_CHANGES)(changed, rng)
    return bytes(changed)


def _flip_bits(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _set_bytes(content: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(content))
    for place in range(start, min(len(content), start + rng.choice((1, 2, 4, 16)))):
        content[place] = rng.choice((0, 0xFF, 0x20, rng.randrange(256)))


def _set_length(content: bytearray, rng: random.Random) -> None:
    """Overwrite what may be a length: another one of 2, 4 or 8 bytes, in either order."""
    width = rng.choice((2, 4, 8))
    if len(content) < width:
        return
    start = rng.randrange(len(content) - width + 1)
    order: Any = rng.choice(("little", "big"))
    old = int.from_bytes(content[start : start + width], order)
    new = rng.choice((*_LENGTHS, old + 1, old - 1, old * 2, old << 8))
    content[start : start + width] = (new % (1 << 8 * width)).to_bytes(width, order)


def _truncate(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) :]


def _cut_out(content: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(content))
    del content[start : start + rng.choice((1, 2, 8, 64, 512))]


def _repeat(content: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(content))
    piece = content[start : start + rng.choice((1, 4, 32, 256))]
    content[start:start] = piece * rng.choice((1, 2, 16))


def _splice(content: bytearray, rng: random.Random) -> None:
    """Copy a piece over another place of the same file."""
    start = rng.randrange(len(content))
    target = rng.randrange(len(content))
    piece = content[start : start + rng.choice((4, 16, 64, 256))]
    content[target : target + len(piece)] = piece


def _insert(content: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(content))
    content[start:start] = rng.randbytes(rng.choice((1, 3, 8, 100)))


# What stands twice is drawn twice as often: it finds most.
_CHANGES: Sequence[Callable[[bytearray, random.Random], None]] = (
    _flip_bits,
    _flip_bits,
    _set_bytes,
    _set_length,
    _set_length,
    _truncate,
    _cut_out,
    _repeat,
    _splice,
    _insert,
)


def mutated_json(data: Any, rng: random.Random) -> Any:
    """A copy of some JSON with one or two values changed, removed, exchanged or copied."""
    changed = copy.deepcopy(data)
    for _ in range(rng.choice((1, 1, 1, 2))):
        places = list(_places(changed))
        if not places:
            break
        _change_value(places, rng)
    return changed


def _change_value(places: list[Place], rng: random.Random) -> None:
    container, key = rng.choice(places)
    kind = rng.choice(("value", "value", "near", "remove", "copy", "swap"))
    if kind == "remove":
        del container[key]
    elif kind == "value":
        container[key] = copy.deepcopy(rng.choice(_VALUES))
    elif kind == "near":
        container[key] = _near(container[key], rng)
    else:
        # Values of the same key are what a careless or dishonest hand would exchange.
        alike = [
            place for place in places if place[1] == key and place[0] is not container
        ]
        other, other_key = rng.choice(alike or places)
        value = copy.deepcopy(other[other_key])
        if kind == "swap":
            other[other_key] = copy.deepcopy(container[key])
        container[key] = value


def _near(value: Any, rng: random.Random) -> Any:
    """A value of the same kind, close by: what passes every check of types."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice((-1, 1, 10))
    if isinstance(value, float):
        return rng.choice((value + 0.1, value - 0.1, 1.0, value * (1 + 1e-6)))
    if isinstance(value, str):
        if not value:
            return "x"
        return value + rng.choice((" ", "x", "-2"))
    return value


def _places(data: Any) -> Iterator[Place]:
    keys: list[Any] = []
    if isinstance(data, dict):
        keys = list(data)
    elif isinstance(data, list):
        keys = list(range(len(data)))
    for key in keys:
        yield data, key
        yield from _places(data[key])
