"""Examples of large suites, as the planner reckons them.

`python -m benchmarks.scale_examples [--write]`

`--write` puts the table into `docs/scale.md`. A test compares the two.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_retrieval_robust.measure.planning.constants import (
    Constants,
    FileCost,
    measured_constants,
)
from pytest_retrieval_robust.measure.planning.estimate import (
    Estimate,
    Workers,
    estimate,
)
from pytest_retrieval_robust.measure.planning.rates import (
    Rate,
    measured_rate,
    typed_rate,
)
from pytest_retrieval_robust.measure.planning.work import SweepWork
from pytest_retrieval_robust.run.plan_run.lines import shown_bytes, shown_seconds

from .pages import write_into

PAGE = Path("docs") / "scale.md"
CORES = 16
TYPED = 1000.0
"""Images per second of a device that somebody measured: an example, not a figure of a card."""
WORKERS = (1, 8, 64, 1000)


@dataclass(frozen=True)
class Example:
    """A data set and what is measured on it."""

    name: str
    images: int
    reports: int
    models: int
    cells: int
    files: str


EXAMPLES = (
    Example("MIMIC-CXR", 377_110, 227_827, 8, 91, "jpg 2544 x 3056"),
    Example("CheXpert Plus", 223_462, 223_462, 8, 91, "jpg 2544 x 3056"),
    Example("24 million pairs", 24_000_000, 24_000_000, 1, 7, "jpg 512 x 512"),
)


def work_of(example: Example, batch_size: int = 64) -> SweepWork:
    """The sweep of one model."""
    return SweepWork(
        "a model",
        example.name,
        example.images,
        example.reports,
        example.cells,
        batch_size=batch_size,
    )


def table(constants: Constants) -> Iterator[str]:
    """What the suites need, then how long they take."""
    yield (
        "| data | models x cells | encodings | embedding store | temporary disk, per"
        " model | batches of 64 | ranks, core hours |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for example in EXAMPLES:
        work = work_of(example)
        ranks = constants.ranks.seconds(work.images, work.reports, work.width)
        hours = ranks * example.cells * example.models / 3600
        yield (
            f"| {example.name} | {example.models} x {example.cells} |"
            f" {example.models * work.encodings:,} |"
            f" {shown_bytes(example.models * work.store_bytes)} |"
            f" {shown_bytes(work.spill_bytes)} | {example.models * work.batches:,} |"
            f" {hours:,.0f} |"
        )
    yield ""
    columns = " | ".join(f"{count:,}" for count in WORKERS)
    yield f"| until all is encoded, by workers | {columns} | images/s of disk for 64 |"
    yield "| --- |" + " --- |" * (len(WORKERS) + 1)
    processor = measured_rate("biomedclip", CORES, constants)
    for example in EXAMPLES:
        file = constants.file_of(example.files)
        card = f"a device with {TYPED:,.0f} images/s, {CORES} cores"
        yield _row(example, card, "cuda", typed_rate(TYPED), file, constants)
        cores = f"ViT-B-16 on {CORES} cores"
        yield _row(example, cores, "cpu", processor, file, constants)


def _row(
    example: Example,
    worker: str,
    device: str,
    rate: Rate | None,
    file: FileCost,
    constants: Constants,
) -> str:
    def on(count: int) -> Estimate:
        workers = Workers(count, CORES, device)
        return estimate(work_of(example), workers, rate, file, constants)

    times = []
    for count in WORKERS:
        seconds = on(count).sweep_seconds
        assert seconds is not None
        times.append(shown_seconds(example.models * seconds))
    read = on(64).images_from_disk_per_second
    return f"| {example.name}, {worker} | {' | '.join(times)} | {read:,.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parsed = parser.parse_args()
    text = "\n".join(table(measured_constants()))
    print(text)
    if parsed.write:
        write_into(PAGE, text, "examples")


if __name__ == "__main__":
    main()
