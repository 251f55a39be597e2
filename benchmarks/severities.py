"""What every corruption of the catalogue, with every preset and direction, does to films
as its severity rises.

`python -m benchmarks.severities [SIDE ...]` (64, 96 and 224 pixels where none is named):
64 films of `synthetic-cxr`, severities in steps of 0.1, three seeds where the seed matters.
Printed in grey levels of 255, for pairs of a lower and any higher severity: how far a
single film comes nearer to itself at most, and how far the mean of 16 films does and that of
all 64; how often the shipped suite's property of harm fails, over all pairs of severities,
seeds and 16 films in a row; and at which steps no pixel of any film changes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from pytest_retrieval_robust import load_corruption, load_dataset
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.corruptions import WHOLE, Corruption
from pytest_retrieval_robust.run.harm import FILMS as GROUP
from pytest_retrieval_robust.run.harm import fall_of, rises_by_film

FILMS = 64
SEEDS = 3
SIDES = (64, 96, 224)
DIRECTIONS = {"contrast": ("up",), "window-shift": ("brighter", "darker")}
"""Directions beside the default, by the corruption's name."""
OTHERS = ("zoom(factor=0.7)",)
"""Names with other parameters that are worth a row."""


@dataclass(frozen=True)
class Row:
    """What one corruption does at one side."""

    name: str
    side: int
    by_film: float
    """The largest fall of a film's mean distance to itself, in grey levels of 255."""
    by_group: float
    """The largest fall of the mean of 16 films."""
    by_all: float
    """The largest fall of the mean of all films."""
    failures: int
    """How often the suite's property fails."""
    without_change: tuple[float, ...]
    """The severities above 0 at which no pixel of any film changes."""


def names() -> Iterator[str]:
    """Every corruption with every preset, or other direction, of its own."""
    for entry in Catalogues().corruptions.entries():
        built = entry.build()
        yield entry.name
        default = getattr(built, "preset", None)
        for preset in getattr(built, "presets", ()):
            if preset != default:
                yield f"{entry.name}(preset={preset})"
        for direction in DIRECTIONS.get(entry.name, ()):
            yield f"{entry.name}(direction={direction})"
    yield from OTHERS


def films(side: int, count: int = FILMS) -> torch.Tensor:
    """(count, 3, side, side) the first films of the embedded data set, on the 0..1 scale."""
    dataset = load_dataset("synthetic-cxr")
    drawn = [
        np.asarray(dataset.image(number).convert("RGB").resize((side, side)))
        for number in range(count)
    ]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float() / 255


def distances(
    corruption: Corruption, pixels: torch.Tensor, seeds: int = SEEDS
) -> NDArray[np.float64]:
    """(seeds, 11, films) mean distances to the film itself, in grey levels of 255, at the
    severities 0, 0.1 and so on. One seed alone where the second gives the same.
    """
    ids = [f"film-{number}" for number in range(len(pixels))]
    # Nothing of a scene is asked for but a memory of random numbers.
    bound = corruption.bind(cast(Any, None))
    out = torch.empty_like(pixels)
    clean = pixels[:, 0]

    def at(severity: float, seed: int) -> NDArray[np.float64]:
        changed = bound.corrupt(pixels, ids, severity, seed, WHOLE, out)
        # The films are grey: one channel stands for three.
        apart = changed[:, 0].sub(clean).abs_().mean(dim=(1, 2), dtype=torch.float64)
        return apart.numpy() * 255

    def series(seed: int) -> list[NDArray[np.float64]]:
        return [at(step / 10, seed) for step in range(11)]

    first = series(0)
    if np.array_equal(at(0.5, 1), first[5]):
        seeds = 1
    return np.array([first, *(series(seed) for seed in range(1, seeds))])


def largest_fall(rising: NDArray[np.float64]) -> float:
    """How far any of (seeds, 11, n) series falls below what it was at a lower severity."""
    highest = np.maximum.accumulate(rising, axis=1)
    return float((highest - rising).max())


def failures_of(found: NDArray[np.float64], *, by_film: bool) -> int:
    """How often the suite's property fails on (seeds, 11, films) distances."""
    count = 0
    for series in found / 255:
        for start in range(0, series.shape[1], GROUP):
            films_of_one = series[:, start : start + GROUP].tolist()
            count += sum(
                fall_of(less, more, by_film=by_film) is not None
                for less, more in combinations(films_of_one, 2)
            )
    return count


def row_of(name: str, side: int, found: NDArray[np.float64]) -> Row:
    """The figures of (seeds, 11, films) distances."""
    films_of_group = min(GROUP, found.shape[2])
    groups = found.reshape(*found.shape[:2], -1, films_of_group).mean(axis=3)
    return Row(
        name=name,
        side=side,
        by_film=largest_fall(found),
        by_group=largest_fall(groups),
        by_all=largest_fall(found.mean(axis=2, keepdims=True)),
        failures=failures_of(found, by_film=rises_by_film(load_corruption(name))),
        without_change=tuple(
            step / 10 for step in range(1, 11) if not found[:, step].any()
        ),
    )


def main(sides: tuple[int, ...] = SIDES) -> None:
    """Print a line per corruption and side."""
    torch.set_num_threads(1)
    for side in sides:
        pixels = films(side)
        for name in names():
            row = row_of(name, side, distances(load_corruption(name), pixels))
            unchanged = ", ".join(f"{severity:g}" for severity in row.without_change)
            print(
                f"| {row.side} | `{row.name}` | {row.by_film:.2f} | {row.by_group:.2f}"
                f" | {row.by_all:.2f} | {row.failures} | {unchanged} |",
                flush=True,
            )


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SIDES)
