"""A sweep beside the forward passes that it cannot do without: `python -m
benchmarks.sweep [--images 500]`.

JPEGs of 1,024 x 1,024, ViT-B/32 of open_clip's size with random weights, levels 0 to
0.5 of `patches`. In turns, in one process: the forward passes alone, over pixels that
are prepared and hidden already; the sweep without a store; a cold sweep, which also
stores; a warm one. Each ratio is to the forward passes of its own round, and the median
over rounds is printed with the least and the largest. `--precision bf16` runs all of it
on weights in bfloat16 and, in the same round, the forward passes in float32, and prints
what becomes of each Recall@k.

A processor without AVX512-BF16 or AMX emulates bfloat16: the first line says which it is.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import open_clip
import torch
from PIL import Image

from pytest_retrieval_robust import load_dataset, load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import Measured, SweepResult, run_sweep
from pytest_retrieval_robust.models import DualEncoder, LoadRequest, Precision
from pytest_retrieval_robust.models._formats.open_clip.loading import load_file

ARCHITECTURE, SIDE, LEVELS, KS = "ViT-B-32", 1024, (0.1, 0.2, 0.3, 0.4, 0.5), (1, 5, 10)
CELLS = [(Cell("patches", level, 0), load_occluder("patches")) for level in LEVELS]


@dataclass(frozen=True)
class Side:
    """One side of a round: what it is called, and what it runs."""

    name: str
    action: Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int)
    asked = parser.parse_args()
    has_bf16 = (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {asked.device},"
        f" bfloat16 units: {has_bf16}"
    )
    with tempfile.TemporaryDirectory() as folder:
        dataset = _jpegs(Path(folder), asked.images)
        models = {
            name: _model(Path(folder), name, asked.device)
            for name in dict.fromkeys(("fp32", asked.precision))
        }
        _rounds(
            models,
            asked.precision,
            dataset,
            Path(folder),
            asked.rounds,
            asked.batch_size,
        )


def _jpegs(folder: Path, count: int) -> RetrievalDataset:
    """Smooth pictures with some grain, as a radiograph has, and a text of its own each."""
    random = np.random.default_rng(0)
    lines = ["image,report"]
    for number in range(count):
        coarse = Image.fromarray(
            random.integers(0, 255, (16, 16), dtype=np.uint8)
        ).resize((SIDE, SIDE))
        grain = np.asarray(coarse, dtype=np.int16) + random.integers(
            -6, 7, (SIDE, SIDE), dtype=np.int16
        )
        Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(
            folder / f"{number}.jpg", quality=90
        )
        lines.append(f"{number}.jpg,finding number {number} in zone {number % 7}")
    (folder / "table.csv").write_text("\n".join(lines))
    return load_dataset("table", path=str(folder / "table.csv"))


def _model(folder: Path, precision: Precision, device: str) -> DualEncoder:
    file = folder / f"{ARCHITECTURE}.pt"
    if not file.exists():
        torch.manual_seed(0)
        torch.save(
            open_clip.create_model(ARCHITECTURE, pretrained=None).state_dict(), file
        )
    return load_file(
        "vit",
        ARCHITECTURE,
        file,
        LoadRequest(device, precision),
        source="random weights",
    )


def _rounds(
    models: dict[Precision, DualEncoder],
    precision: Precision,
    dataset: RetrievalDataset,
    folder: Path,
    rounds: int,
    batch_size: int | None,
) -> None:
    model, size = (
        models[precision],
        batch_size or (256 if models[precision].device.startswith("cuda") else 64),
    )
    first = dataset.image(0)
    pixels = (
        torch.from_numpy(np.stack([model.prepare(first).pixels] * size))
        .to(model.device)
        .float()
        / 255
    )
    ratios: dict[str, list[float]] = {}
    for number in range(rounds):
        sides = [
            *(
                Side(f"forward passes, {name}", _forward(one, pixels, dataset))
                for name, one in models.items()
            ),
            *_sweeps(model, dataset, folder / f"store-{number}", precision, size),
        ]
        seconds = {side.name: _seconds(side.action) for side in sides}
        for name, took in seconds.items():
            for base in models:
                ratios.setdefault(f"{name} / forward passes, {base}", []).append(
                    took / seconds[f"forward passes, {base}"]
                )
        ratios.setdefault("cold sweep / sweep", []).append(
            seconds["cold sweep, with a store"] / seconds["sweep"]
        )
        ratios.setdefault("warm sweep / cold sweep", []).append(
            seconds["warm sweep"] / seconds["cold sweep, with a store"]
        )
        print(
            ", ".join(f"{name} {took:.1f} s" for name, took in seconds.items()),
            flush=True,
        )
    for name, found in ratios.items():
        print(f"{name}: {median(found):.3f} [{min(found):.3f}-{max(found):.3f}]")
    if precision != "fp32":
        _print_recalls(
            {
                name: sweep(one, dataset, None, name, size)
                for name, one in models.items()
            }
        )


def _sweeps(
    model: DualEncoder,
    dataset: RetrievalDataset,
    folder: Path,
    precision: Precision,
    size: int,
) -> list[Side]:
    return [
        Side("sweep", lambda: sweep(model, dataset, None, precision, size)),
        Side(
            "cold sweep, with a store",
            lambda: sweep(model, dataset, EmbeddingStore(folder), precision, size),
        ),
        Side(
            "warm sweep",
            lambda: sweep(model, dataset, EmbeddingStore(folder), precision, size),
        ),
    ]


def _forward(
    model: DualEncoder, pixels: torch.Tensor, dataset: RetrievalDataset
) -> Callable[[], None]:
    """As many forward passes as a sweep does, in batches of its size."""
    images = len(dataset.image_ids)

    def run() -> None:
        for _ in range(1 + len(LEVELS)):
            for start in range(0, images, len(pixels)):
                model.encode_images(pixels[: images - start])
        if model.device.startswith("cuda"):
            torch.cuda.synchronize(model.device)

    return run


def sweep(
    model: DualEncoder,
    dataset: RetrievalDataset,
    store: EmbeddingStore | None,
    precision: Precision,
    size: int,
) -> SweepResult:
    return run_sweep(
        model,
        pairs_of(dataset),
        CELLS,
        KS,
        precision=precision,
        batch_size=size,
        store=store,
    )


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _print_recalls(results: dict[Precision, SweepResult]) -> None:
    exact, half = results.values()
    print(
        "| level | k | Recall@k fp32 | Recall@k bf16 | change |\n| --- | --- | --- |"
        " --- | --- |"
    )
    for cell, one in exact.cells.items():
        other = half.cells[cell]
        assert isinstance(one, Measured)
        assert isinstance(other, Measured)
        for k in KS:
            before, after = (
                one.image_to_report.recall[k],
                other.image_to_report.recall[k],
            )
            print(
                f"| {cell.level:g} | {k} | {before:.4f} | {after:.4f} |"
                f" {after - before:+.4f} |"
            )


if __name__ == "__main__":
    main()
