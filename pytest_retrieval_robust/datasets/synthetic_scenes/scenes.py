"""A scene: two or three coloured shapes on a background, its picture and its caption."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..synthetic_cxr.streams import between, uniforms

Choice = TypeVar("Choice")
SPLITS = ("train", "test")
SEEDS = {"train": 40_417, "test": 86_028}
Field = NDArray[np.floating[Any]]
# One combination of shapes in four belongs to the test split, whatever the seeds: the
# splits cannot meet.
_BUCKETS = 4
_TRIES = 64
_DRAWS = 14
"""Numbers that a scene takes at most."""

# Each of these is a choice of words for the same.
PLACES = (
    ("top left", "upper left corner"),
    ("top", "upper edge"),
    ("top right", "upper right corner"),
    ("left", "left edge"),
    ("middle", "centre"),
    ("right", "right edge"),
    ("bottom left", "lower left corner"),
    ("bottom", "lower edge"),
    ("bottom right", "lower right corner"),
)
SHAPES = (
    ("circle", "disc"),
    ("square", "box"),
    ("triangle", "wedge"),
    ("ring", "hoop"),
    ("cross", "plus sign"),
    ("diamond", "lozenge"),
    ("bar", "stripe"),
)
COLOURS = (
    ("red", "scarlet"),
    ("green", "emerald"),
    ("blue", "cobalt"),
    ("yellow", "golden"),
    ("purple", "violet"),
    ("white", "pale"),
    ("black", "dark"),
    ("orange", "amber"),
)
SIZES = (("small", "little"), ("large", "big"))
BACKGROUNDS = (
    ("grass", "a meadow"),
    ("sand", "a beach"),
    ("water", "the sea"),
    ("stone", "a grey wall"),
)
LABEL_SIZES = (
    len(BACKGROUNDS),
    *(1 + len(SHAPES),) * len(PLACES),
    *(1 + len(COLOURS),) * len(PLACES),
)
"""The number of states of each slot of `Scene.labels`.

The slots are the background, then the shape and the colour at each place.
"""

_RGB = np.array(
    (
        *((210, 40, 40), (40, 160, 70), (45, 70, 205), (235, 210, 50)),
        *((140, 60, 170), (245, 245, 240), (25, 25, 30), (240, 140, 40)),
    ),
    dtype=np.float32,
)
_GROUND = np.array(
    [(110, 150, 80), (215, 195, 150), (95, 150, 185), (135, 135, 140)], dtype=np.float32
)
_RADIUS = (0.085, 0.15)


@dataclass(frozen=True)
class Thing:
    """A shape at one of nine places: numbers into `PLACES`, `SHAPES`, `COLOURS`, `SIZES`.

    Its `repr` decides the split of a scene: a field of another name would change all data.
    """

    place: int
    shape: int
    colour: int
    size: int


@dataclass(frozen=True)
class Scene:
    """The scene (`seed`, `index`) of a split."""

    seed: int
    index: int
    background: int
    things: tuple[Thing, ...]

    @property
    def key(self) -> tuple[int | Thing, ...]:
        """What is to be seen, whatever the wording, the noise and the exact places."""
        return (self.background, *sorted(self.things, key=lambda thing: thing.place))

    def labels(self) -> tuple[int, ...]:
        """One state for each slot of `LABEL_SIZES`; 0 is an empty place."""
        shapes = [0] * len(PLACES)
        colours = [0] * len(PLACES)
        for thing in self.things:
            shapes[thing.place] = 1 + thing.shape
            colours[thing.place] = 1 + thing.colour
        return (self.background, *shapes, *colours)


def split_of(scene: Scene) -> str:
    """The split to which this combination of shapes belongs."""
    digest = blake2b(repr(scene.key).encode(), digest_size=1).digest()
    return "test" if digest[0] % _BUCKETS == 0 else "train"


def draw(seed: int, index: int, split: str) -> Scene:
    """The scene (`seed`, `index`) of `split`.

    It is the first combination of its stream that belongs to the split.
    """
    numbers = uniforms("scene", seed, index, _TRIES * _DRAWS).reshape(_TRIES, _DRAWS)
    for row in numbers.tolist():
        units = iter(row)
        background = int(next(units) * len(BACKGROUNDS))
        count = 2 + int(next(units) * 2)
        places: list[int] = []
        while len(places) < count:
            free = [place for place in range(len(PLACES)) if place not in places]
            places.append(free[int(next(units) * len(free))])
        things = tuple(_thing(place, units) for place in places)
        scene = Scene(seed, index, background, things)
        if split_of(scene) == split:
            return scene
    # Indices of users end far below: this stream is nobody else's.
    return draw(seed, index + (1 << 40), split)


def _thing(place: int, units: Iterator[float]) -> Thing:
    return Thing(
        place,
        int(next(units) * len(SHAPES)),
        int(next(units) * len(COLOURS)),
        int(next(units) * 2),
    )


# Pictures


def render(scene: Scene, side: int) -> NDArray[np.uint8]:
    """(side, side, 3) RGB of the scene, the same at every size but for its grain."""
    u = uniforms("scene picture", scene.seed, scene.index, 32).tolist()
    x, y = _grid(side)
    light_across = between(u[1], -0.15, 0.15) * (x - 0.5)
    light_down = between(u[2], -0.2, 0.2) * (y - 0.5)
    light = between(u[0], 0.8, 1.15) + light_across + light_down
    picture = _GROUND[scene.background] * light[..., None].astype(np.float32)
    for number, thing in enumerate(scene.things):
        own = u[4 + 8 * number : 12 + 8 * number]
        cover = _cover(thing, own, x, y)[..., None]
        colour = _RGB[thing.colour] * np.float32(between(own[1], 0.85, 1.1))
        picture += cover * (colour - picture)
    picture += np.float32(between(u[3], 2, 10)) * _grain(side, scene)[..., None]
    rgb: NDArray[np.uint8] = np.clip(picture + np.float32(0.5), 0, 255).astype(np.uint8)
    return rgb


def _cover(thing: Thing, u: Sequence[float], x: Field, y: Field) -> Field:
    """How much of each pixel the shape covers, 0..1."""
    side = x.size
    row, column = divmod(thing.place, 3)
    radius = _RADIUS[thing.size] * between(u[0], 0.9, 1.1)
    middle = np.float32((column + 0.5) / 3 + between(u[2], -0.03, 0.03))
    middle_row = np.float32((row + 0.5) / 3 + between(u[3], -0.03, 0.03))
    right = (x - middle) / np.float32(radius)
    down = (y - middle_row) / np.float32(radius)
    inside = _INSIDE[thing.shape](right, down)
    # The rim takes one pixel from outside to inside.
    pixels = inside * np.float32(radius * side) + np.float32(0.5)
    cover: Field = np.minimum(np.maximum(pixels, 0), 1)
    return cover


_INSIDE: tuple[Callable[[Field, Field], Field], ...] = (
    lambda x, y: 1 - np.sqrt(x * x + y * y),
    lambda x, y: np.float32(0.85) - np.maximum(np.abs(x), np.abs(y)),
    lambda x, y: np.minimum(
        np.float32(0.75) - y, (y + 1) * np.float32(0.5) - np.abs(x) * np.float32(0.87)
    ),
    lambda x, y: np.float32(0.25) - np.abs(np.sqrt(x * x + y * y) - np.float32(0.75)),
    lambda x, y: np.maximum(
        np.minimum(np.float32(0.28) - np.abs(x), 1 - np.abs(y)),
        np.minimum(np.float32(0.28) - np.abs(y), 1 - np.abs(x)),
    ),
    lambda x, y: (1 - np.abs(x) - np.abs(y)) * np.float32(0.7),
    lambda x, y: np.minimum(np.float32(0.3) - np.abs(y), 1 - np.abs(x)),
)
"""Signed depth below the rim of each of `SHAPES`, in radii: positive inside."""


@lru_cache(maxsize=4)
def _grid(side: int) -> tuple[Field, Field]:
    centres = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    return centres[None, :], centres[:, None]


@lru_cache(maxsize=4)
def _noise(side: int) -> Field:
    generator = np.random.Generator(np.random.Philox(key=4111))
    return generator.random((2 * side, 2 * side), dtype=np.float32) - 0.5


def _grain(side: int, scene: Scene) -> Field:
    u = uniforms("scene grain", scene.seed, scene.index, 2)
    top = int(u[0] * side)
    left = int(u[1] * side)
    return _noise(side)[top : top + side, left : left + side]


# Captions


def caption(scene: Scene) -> str:
    """One sentence about the scene, in one of many wordings."""
    units = iter(uniforms("scene text", scene.seed, scene.index, 40).tolist())
    order = sorted(scene.things, key=lambda _: next(units))
    parts = [_phrase(thing, units) for thing in order]
    listed = ", ".join(parts[:-1]) + " and " + parts[-1]
    ground = _pick(BACKGROUNDS[scene.background], units)
    frames = (
        ("", f" on {ground}"),
        ("A picture of ", f" on {ground}"),
        (f"On {ground}: ", ""),
    )
    start, end = _pick(frames, units)
    text = f"{start}{listed}{end}."
    return text[0].upper() + text[1:]


def _phrase(thing: Thing, units: Iterator[float]) -> str:
    size = _pick(SIZES[thing.size], units)
    colour = _pick(COLOURS[thing.colour], units)
    shape = _pick(SHAPES[thing.shape], units)
    preposition = _pick(("at", "near", "by"), units)
    place = _pick(PLACES[thing.place], units)
    return f"a {size} {colour} {shape} {preposition} the {place}"


def _pick(choices: Sequence[Choice], units: Iterator[float]) -> Choice:
    return choices[int(next(units) * len(choices))]
