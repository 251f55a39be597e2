"""A thousand workers that share out a large suite, in several ways, simulated.

`python -m benchmarks.workers [--seeds 3] [--batch-seconds 300] [--write]`

47,144 batches: eight models on the 377,110 images of MIMIC-CXR, 64 images per batch with
all of their cells. Speeds differ, 3 % of the workers are five times slower, workers die,
some with their node of eight, and nine of ten come back. All batches are read from one
disk, and a file is seen by others after half a minute. The time until the last batch is
done is shown beside the ideal: all work at the total speed of the workers that are up.

`--write` puts the table into `docs/scale.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from .pages import write_into
from .worker_model import Result, Sharing, simulate
from .worker_sharing import MarkedParts, Parts, Queue
from .worker_world import Cluster, Work, World

PAGE = Path("docs") / "scale.md"
WAYS: dict[str, Callable[[World], Sharing]] = {
    "parts alone": partial(Parts, order="none"),
    "then by number": partial(Parts, order="number"),
    "then from the end of the longest part": partial(Parts, order="longest"),
    "then at random": partial(Parts, order="random"),
    "then at random, with marks (`--steal`)": MarkedParts,
    "one queue (Ray)": Queue,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batch-seconds", type=float, default=Work.batch_seconds)
    parser.add_argument("--write", action="store_true")
    parsed = parser.parse_args()
    work = Work(batch_seconds=parsed.batch_seconds)
    text = "\n".join(table(work, parsed.seeds))
    print(text)
    if parsed.write:
        write_into(PAGE, text, "simulation")


def table(work: Work, seeds: int) -> Iterator[str]:
    """The results as Markdown."""
    yield "| way to share out | time / ideal | batches never done | work done twice |"
    yield "| --- | --- | --- | --- |"
    worlds = [World(Cluster(), work, seed) for seed in range(seeds)]
    for name, way in WAYS.items():
        yield _row(name, [simulate(world, way) for world in worlds])


def _row(name: str, results: Sequence[Result]) -> str:
    """The least and the largest over the seeds."""
    ratios = sorted(result.ratio for result in results)
    lost = max(result.lost for result in results)
    twice = max(result.twice for result in results)
    return f"| {name} | {ratios[0]:.2f} to {ratios[-1]:.2f} | {lost:,} | {100 * twice:.1f} % |"


if __name__ == "__main__":
    main()
