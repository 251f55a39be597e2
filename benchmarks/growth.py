"""How the time of everything beside ranks grows with the data.

`OMP_NUM_THREADS=1 python -m benchmarks.growth [--quick] [--page docs/growth.md]`

A free encoder looks rows up in a table, and pictures are tiny, so that what is left is
the package's own work: opening, pairs, a sweep of two levels, intervals, query keys,
the saved run and its replay, the comparison with a baseline, reports. Ranks compare
every query with every item, and have a row of their own. Then data sets of files, with
one tiny picture under many names.

Seconds are those of the processor for this process, the least of the rounds, of which
each goes through all sizes. A part grows as the data does if its seconds per pair at
the largest size are at most 1.10 of those at one of the two smallest, and if the fitted
exponent is 1.
"""

from __future__ import annotations

import argparse
import gc
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from pytest_retrieval_robust.measure.timing.hardware import hardware_name

from .growth_files import file_parts
from .growth_run import run_parts
from .pages import write_into

SIZES = (2_500, 5_000, 10_000, 25_000, 50_000)
FILE_SIZES = (2_000, 5_000, 20_000)
QUICK = (500, 1_000, 2_000)
_WARM_UP = 100
"""Pairs of a run that is not measured."""

Part = tuple[str, Callable[[], object]]
"""A name, and what is timed. Parts of a size are run in their order."""


@dataclass
class Growth:
    """The least seconds that one part took at each size."""

    name: str
    seconds: dict[int, float] = field(default_factory=dict)

    def add(self, size: int, seconds: float) -> None:
        self.seconds[size] = min(seconds, self.seconds.get(size, math.inf))

    def per_thousand(self, size: int) -> float:
        """Seconds per 1,000 pairs."""
        return 1000 * self.seconds[size] / size

    @property
    def ratio(self) -> float:
        """A pair at the largest size, as a multiple of one at the smaller sizes."""
        sizes = sorted(self.seconds)
        small = max(self.per_thousand(size) for size in sizes[:2])
        return self.per_thousand(sizes[-1]) / small

    @property
    def exponent(self) -> float:
        """Of the power of the size that fits the seconds best."""
        sizes = np.log(list(self.seconds))
        seconds = np.log(list(self.seconds.values()))
        slope, _ = np.polyfit(sizes, seconds, 1)
        return float(slope)


def main() -> None:
    """Print both tables, and write them into a page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--page", type=Path, help="the page that gets the tables")
    parser.add_argument("--rounds", type=int, default=3)
    parsed = parser.parse_args()
    torch.set_num_threads(1)
    tables = (
        Table("pairs", run_parts, QUICK if parsed.quick else SIZES),
        Table("images of files", file_parts, QUICK if parsed.quick else FILE_SIZES),
    )
    for table in tables:
        table.warm_up()
    for number in range(1, parsed.rounds + 1):
        for table in tables:
            table.measure()
        # After every round: a long measurement may be ended at any time.
        text = _text(tables, number)
        print(text, flush=True)
        if parsed.page is not None:
            write_into(parsed.page, text)


def _text(tables: Iterable[Table], rounds: int) -> str:
    counted = "one round" if rounds == 1 else f"the least of {rounds} rounds"
    lines = [
        f"{hardware_name('cpu')}, torch {torch.__version__}, one thread; {counted}."
    ]
    for table in tables:
        lines += ["", *table.lines()]
    return "\n".join(lines)


@dataclass
class Table:
    """The growth of several parts."""

    unit: str
    """What the sizes count."""
    parts_of: Callable[[int, Path], Iterable[Part]]
    """Gives the parts of a size, which write into a folder."""
    sizes: tuple[int, ...]
    growths: dict[str, Growth] = field(default_factory=dict)

    def warm_up(self) -> None:
        """Import, and compile, what is needed on first use."""
        with tempfile.TemporaryDirectory() as folder:
            for _, action in self.parts_of(_WARM_UP, Path(folder)):
                action()

    def measure(self) -> None:
        """One round through all sizes."""
        for size in self.sizes:
            with tempfile.TemporaryDirectory() as folder:
                for name, action in self.parts_of(size, Path(folder)):
                    growth = self.growths.setdefault(name, Growth(name))
                    growth.add(size, seconds_of(action))

    def lines(self) -> Iterator[str]:
        """In Markdown: seconds per 1,000, the ratio, and the exponent."""
        heads = " | ".join(f"{size:,}" for size in self.sizes)
        yield f"| seconds per 1,000 {self.unit}, of | {heads} | ratio | exponent |"
        yield f"| --- |{' ---: |' * (len(self.sizes) + 2)}"
        for growth in self.growths.values():
            cells = " | ".join(_cell(growth, size) for size in self.sizes)
            numbers = f"{growth.ratio:.2f} | {growth.exponent:.2f}"
            yield f"| {growth.name} | {cells} | {numbers} |"


def seconds_of(action: Callable[[], object]) -> float:
    """Seconds of the processor, so that what else the machine does is not counted."""
    gc.collect()
    # The collector looks at every object of the process, those of torch among them, and
    # begins to do so somewhere between two sizes: a step, which is nobody's growth.
    gc.disable()
    try:
        start = time.process_time()
        action()
        return time.process_time() - start
    finally:
        gc.enable()


def _cell(growth: Growth, size: int) -> str:
    """Blank where the part was left out at this size."""
    return f"{growth.per_thousand(size):.4f}" if size in growth.seconds else ""


if __name__ == "__main__":
    main()
