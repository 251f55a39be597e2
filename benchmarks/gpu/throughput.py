"""What a sweep takes beside the forward passes that it cannot do without."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pytest_retrieval_robust import dataset_from_lists, load_occluder
from pytest_retrieval_robust.core.calling import encode_reports, image_rows
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.feed import Feed
from pytest_retrieval_robust.measure.sweep.plan import SweepPlan
from pytest_retrieval_robust.measure.sweep.run import SweepOptions
from pytest_retrieval_robust.models import DualEncoder
from pytest_retrieval_robust.occluders import Occluder

from ..pictures import radiograph
from ..side_by_side import waited
from .encoders import Projection, vit
from .parity import swept
from .steps import Notebook, Setting, Target

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5)
_SIDE = 1024
_TARGET = Target(1.10)
_SHARED_MEMORY = Path("/dev/shm")

Cells = list[tuple[Cell, Occluder]]


@dataclass(frozen=True)
class _Bench:
    """A model, and what its sweeps are compared with."""

    setting: Setting
    model: DualEncoder
    batch: int
    forward: float
    """Seconds of the forward passes of every level, and of the reports."""

    def sweep(
        self, data: RetrievalDataset, cells: Cells, store: Path | None = None
    ) -> float:
        """Seconds of a sweep."""

        def run() -> object:
            opened = None if store is None else EmbeddingStore(store)
            options = SweepOptions(batch_size=self.batch, store=opened)
            return swept(self.model, data, cells, options)

        return waited(run, self.setting.device)

    def ratio(self, seconds: float) -> float:
        return seconds / self.forward


def run(setting: Setting, notebook: Notebook) -> None:
    images = setting.size(4096, 32)
    batch = setting.size(256, 8)
    model = encoder(setting)
    cells = cells_of("patches")
    # Files lie in memory where they can: the disk is not what is measured.
    where = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else setting.folder
    with tempfile.TemporaryDirectory(dir=where) as folder:
        side = setting.size(_SIDE, 160)
        files = _jpegs(Path(folder), setting.size(512, 8), side)
        data = _repeated("jpegs", files, images)
        bench = _Bench(setting, model, batch, _forward(setting, model, data, batch))
        work = (1 + len(LEVELS)) * images
        notebook.figure("forward passes", work / bench.forward, "images/s")
        _decoding(bench, data, cells, notebook)
        bench.sweep(data, cells)  # a warm-up: allocators and kernels
        _of_files(bench, data, cells, notebook)
    _of_decoded(bench, images, notebook)


def encoder(setting: Setting) -> DualEncoder:
    """ViT-B/16 in bfloat16 on a card, else what a processor encodes in no time."""
    if setting.on_real_gpu and not setting.quick:
        return vit(setting.device, "bf16", setting.folder)
    return Projection(setting.device)


def cells_of(name: str) -> Cells:
    occluder = load_occluder(name)
    return [(Cell(name, level, 0), occluder) for level in LEVELS]


def decoded(count: int, *, wide: bool = False) -> RetrievalDataset:
    """Pictures that are decoded already, of the side that the model takes; `wide` ones
    have a shape of their own, and so a frame of their own.
    """
    rng = np.random.default_rng(0)
    images = []
    for number in range(count):
        width = 224 + number % 64 if wide else 224
        images.append(rng.integers(0, 256, (224, width), dtype=np.uint8))
    return dataset_from_lists("decoded", images, _reports(count))


def _of_files(
    bench: _Bench, data: RetrievalDataset, cells: Cells, notebook: Notebook
) -> None:
    store = bench.setting.folder / "sweep-store"
    plain = bench.sweep(data, cells)
    cold = bench.sweep(data, cells, store)
    warm = bench.sweep(data, cells, store)
    notebook.figure(
        "a sweep of JPEGs to its forward passes", bench.ratio(plain), "", _TARGET
    )
    notebook.figure("the same with a store", bench.ratio(cold), "", _TARGET)
    notebook.figure("a sweep from the store to a cold one", warm / cold)


def _of_decoded(bench: _Bench, images: int, notebook: Notebook) -> None:
    """Without decoding, what is left is how well the host keeps ahead of the device."""
    square = decoded(images)
    wide = decoded(images, wide=True)
    trials = {
        "decoded images": (square, "patches"),
        "decoded images, lines": (square, "lines"),
        "decoded images, means, a frame per image": (wide, "patches(fill=mean)"),
    }
    for name, (data, occluder) in trials.items():
        seconds = bench.sweep(data, cells_of(occluder))
        notebook.figure(f"{name} to forward passes", bench.ratio(seconds), "", _TARGET)
    if bench.setting.on_real_gpu:
        part = decoded(2 * bench.batch)
        busy = _busy(lambda: bench.sweep(part, cells_of("patches")))
        notebook.figure("share of a sweep in which the device works", busy)


def _forward(
    setting: Setting, model: DualEncoder, data: RetrievalDataset, batch: int
) -> float:
    """Seconds of as many forward passes as a sweep makes, over pixels that are there."""
    images = len(data.image_ids)
    pixels = torch.rand(batch, 3, 224, 224, device=setting.device)

    def run() -> None:
        for start in range(0, len(data.reports), batch):
            encode_reports(model, list(data.reports[start : start + batch]))
        for _ in range(1 + len(LEVELS)):
            for start in range(0, images, batch):
                image_rows(model, pixels[: images - start])

    image_rows(model, pixels)
    return waited(run, setting.device)


def _decoding(
    bench: _Bench, data: RetrievalDataset, cells: Cells, notebook: Notebook
) -> None:
    """How many images the feed reads by itself."""
    plan = SweepPlan(
        bench.model, pairs_of(data), dict(cells), (1,), "bf16", bench.batch
    )

    def read() -> None:
        for batch in Feed(plan, None):
            assert batch.pixels is not None

    seconds = waited(read, bench.setting.device)
    images = len(data.image_ids)
    enough = images / (bench.forward / (1 + len(LEVELS)))
    notebook.figure(
        "images that are decoded and prepared", images / seconds, "images/s"
    )
    notebook.figure(
        "decoding to what the device takes",
        images / seconds / enough,
        "",
        Target(1.0, "at least"),
    )


def _busy(action: Callable[[], object]) -> float:
    """The share of an action's time in which kernels run."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        seconds: Any = action()
    kernels = sum(event.self_device_time_total for event in profiler.key_averages())
    return float(kernels / 1e6 / seconds)


def _jpegs(folder: Path, count: int, side: int) -> list[Path]:
    rng = np.random.default_rng(0)
    files = []
    for number in range(count):
        file = folder / f"{number}.jpg"
        radiograph(rng, side, side).save(file, quality=90)
        files.append(file)
    return files


def _repeated(name: str, files: Sequence[Path], images: int) -> RetrievalDataset:
    """As many images as are asked for, from fewer files."""
    paths = [files[number % len(files)] for number in range(images)]
    return dataset_from_lists(name, paths, _reports(images))


def _reports(count: int) -> list[str]:
    return [f"pattern number {number}" for number in range(count)]
