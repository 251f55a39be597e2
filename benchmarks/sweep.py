"""A sweep beside the forward passes that it cannot do without.

`python -m benchmarks.sweep [--images 500]`

JPEGs of 1,024 x 1,024, ViT-B/32 of open_clip's size with random weights, levels 0 to
0.5 of `patches`. In turns, in one process: the forward passes alone, over pixels that
are prepared and hidden already; the sweep without a store; a cold sweep, which also
stores; a warm one. Each ratio is to the forward passes of its own round, and the median
over rounds is printed with the least and the largest. `--precision bf16` runs all of it
on weights in bfloat16 and, in the same round, the forward passes in float32, and prints
what becomes of each Recall@k. `--corruptions` has eight corruptions at five severities in
place of the occluder. `--processor-time` counts seconds of the processor, of all threads,
so that other work on the machine counts for little: set `OMP_NUM_THREADS=1` with it,
because threads that wait for each other count too.

A processor without AVX512-BF16 or AMX emulates bfloat16: the first line says which it is.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TypeAlias

import numpy as np
import open_clip
import torch

from pytest_retrieval_robust import (
    Corruption,
    Occluder,
    load_corruption,
    load_dataset,
    load_occluder,
)
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import (
    Measured,
    SweepOptions,
    SweepResult,
    run_sweep,
)
from pytest_retrieval_robust.models import DualEncoder, LoadRequest, Precision
from pytest_retrieval_robust.models._formats.open_clip.loading import load_file

from .pictures import radiograph

ARCHITECTURE = "ViT-B-32"
SIDE = 1024
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5)
KS = (1, 5, 10)
CORRUPTIONS = (
    "quantum-noise",
    "electronic-noise",
    "overexposure",
    "contrast",
    "focus-blur",
    "jpeg",
    "rotation",
    "mirrored",
)
"""One of each kind."""
SEVERITIES = (0.2, 0.4, 0.6, 0.8, 1.0)
Cells: TypeAlias = "list[tuple[Cell, Occluder | Corruption]]"


def occlusions() -> Cells:
    """Five levels of the default occluder."""
    occluder = load_occluder("patches")
    return [(Cell("patches", level, 0), occluder) for level in LEVELS]


def corruptions() -> Cells:
    """Five severities of each of `CORRUPTIONS`."""
    return [
        (Cell(name, severity, 0, "corruption"), load_corruption(name))
        for name in CORRUPTIONS
        for severity in SEVERITIES
    ]


@dataclass(frozen=True)
class Side:
    """One side of a round: what it is called, and what it runs."""

    name: str
    action: Callable[[], object]


@dataclass(frozen=True)
class Setup:
    """What is measured: a data set, cells, the precision and the size of batches, and
    the clock in seconds.
    """

    dataset: RetrievalDataset
    cells: Cells
    precision: Precision
    batch_size: int
    clock: Callable[[], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--corruptions", action="store_true")
    parser.add_argument("--processor-time", action="store_true")
    parsed = parser.parse_args()
    has_bf16 = (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {parsed.device},"
        f" bfloat16 units: {has_bf16}"
    )
    with tempfile.TemporaryDirectory() as folder:
        dataset = jpegs(Path(folder), parsed.images)
        models = {
            name: random_model(Path(folder), name, parsed.device)
            for name in dict.fromkeys(("fp32", parsed.precision))
        }
        batch_size = parsed.batch_size
        if batch_size is None:
            batch_size = 256 if parsed.device.startswith("cuda") else 64
        cells = corruptions() if parsed.corruptions else occlusions()
        clock = time.process_time if parsed.processor_time else time.perf_counter
        setup = Setup(dataset, cells, parsed.precision, batch_size, clock)
        _measure(models, setup, Path(folder), parsed.rounds)


def jpegs(folder: Path, count: int) -> RetrievalDataset:
    """Smooth pictures with some grain, as a radiograph has, and a text of its own each."""
    random = np.random.default_rng(0)
    lines = ["image,report"]
    for number in range(count):
        picture = radiograph(random, SIDE, SIDE)
        picture.save(folder / f"{number}.jpg", quality=90)
        lines.append(f"{number}.jpg,finding number {number} in zone {number % 7}")
    (folder / "table.csv").write_text("\n".join(lines))
    return load_dataset("table", path=str(folder / "table.csv"))


def random_model(folder: Path, precision: Precision, device: str) -> DualEncoder:
    file = folder / f"{ARCHITECTURE}.pt"
    if not file.exists():
        torch.manual_seed(0)
        network = open_clip.create_model(ARCHITECTURE, pretrained=None)
        torch.save(network.state_dict(), file)
    request = LoadRequest(device, precision)
    return load_file("vit", ARCHITECTURE, file, request, source="random weights")


def _measure(
    models: dict[Precision, DualEncoder], setup: Setup, folder: Path, rounds: int
) -> None:
    """Time every round, and print the ratios and what becomes of each Recall@k."""
    model = models[setup.precision]
    picture = model.prepare(setup.dataset.image(0)).pixels
    batch = torch.from_numpy(np.stack([picture] * setup.batch_size))
    pixels = batch.to(model.device).float() / 255
    ratios: dict[str, list[float]] = {}
    for number in range(rounds):
        sides = []
        for name, encoder in models.items():
            forward = _forward(encoder, pixels, setup)
            sides.append(Side(f"forward passes, {name}", forward))
        sides += _sweeps(model, setup, folder / f"store-{number}")
        seconds = {side.name: _seconds(side.action, setup.clock) for side in sides}
        for title, ratio in _ratios(seconds, list(models)).items():
            ratios.setdefault(title, []).append(ratio)
        words = [f"{side} {value:.1f} s" for side, value in seconds.items()]
        print(", ".join(words), flush=True)
    for title, values in ratios.items():
        print(f"{title}: {median(values):.3f} [{min(values):.3f}-{max(values):.3f}]")
    if setup.precision != "fp32":
        results = {}
        for name, encoder in models.items():
            results[name] = sweep(encoder, replace(setup, precision=name), None)
        _print_recalls(results)


def _ratios(seconds: dict[str, float], precisions: list[Precision]) -> dict[str, float]:
    """Every side to the forward passes of its round, and the sweeps to each other."""
    ratios = {}
    for name, time_taken in seconds.items():
        for precision in precisions:
            base = f"forward passes, {precision}"
            ratios[f"{name} / {base}"] = time_taken / seconds[base]
    cold = seconds["cold sweep, with a store"]
    ratios["cold sweep / sweep"] = cold / seconds["sweep"]
    ratios["warm sweep / cold sweep"] = seconds["warm sweep"] / cold
    return ratios


def _sweeps(model: DualEncoder, setup: Setup, folder: Path) -> list[Side]:
    # A store is opened anew each time, so that nothing of it is in memory.
    def with_store() -> SweepResult:
        return sweep(model, setup, EmbeddingStore(folder))

    return [
        Side("sweep", lambda: sweep(model, setup, None)),
        Side("cold sweep, with a store", with_store),
        Side("warm sweep", with_store),
    ]


def _forward(
    model: DualEncoder, pixels: torch.Tensor, setup: Setup
) -> Callable[[], None]:
    """As many forward passes as a sweep does, in batches of its size."""
    images = len(setup.dataset.image_ids)

    def run() -> None:
        for _ in range(1 + len(setup.cells)):
            for start in range(0, images, len(pixels)):
                model.encode_images(pixels[: images - start])
        if model.device.startswith("cuda"):
            torch.cuda.synchronize(model.device)

    return run


def sweep(
    model: DualEncoder, setup: Setup, store: EmbeddingStore | None
) -> SweepResult:
    return run_sweep(
        model,
        pairs_of(setup.dataset),
        setup.cells,
        KS,
        SweepOptions(
            precision=setup.precision, batch_size=setup.batch_size, store=store
        ),
    )


def _seconds(action: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    action()
    return clock() - start


def _print_recalls(results: dict[Precision, SweepResult]) -> None:
    exact, half = results.values()
    print(
        "| level | k | Recall@k fp32 | Recall@k bf16 | change |\n| --- | --- | --- |"
        " --- | --- |"
    )
    for cell, exact_cell in exact.cells.items():
        half_cell = half.cells[cell]
        assert isinstance(exact_cell, Measured)
        assert isinstance(half_cell, Measured)
        for k in KS:
            before = exact_cell.image_to_report.recall[k]
            after = half_cell.image_to_report.recall[k]
            print(
                f"| {cell.level:g} | {k} | {before:.4f} | {after:.4f} |"
                f" {after - before:+.4f} |"
            )


if __name__ == "__main__":
    main()
