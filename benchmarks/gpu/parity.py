"""A sweep on the device gives what the processor gives, however it is cut up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from pytest_retrieval_robust import load_dataset, load_model, load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import (
    Measured,
    SweepOptions,
    run_sweep,
)
from pytest_retrieval_robust.models import DualEncoder
from pytest_retrieval_robust.occluders import Occluder

from .encoders import OneBuffer, Projection, patterns
from .processes import started
from .steps import Notebook, Setting

_NAMES = (
    "patches",
    "box(fill=mean)",
    "lines",
    "regions",
    "blobs(fill=blur)",
    "patches(fill=noise)",
    "patches(fill=donor)",
    "salient(grid=4)",
)
_LEVELS = (0.2, 0.5)
_SEEDS = (0, 1)
_KS = (1, 10)
_BATCH = 64
_FLIPPED = 2
"""Queries whose rank may cross k: their scores differ by less than rounding does."""
_EQUAL_RANKS = 0.99
_LEVEL_TOLERANCE = 1e-12
_RANKS = "ranks"
"""The file in which a process leaves all ranks of its sweep."""
_PLAIN = SweepOptions(batch_size=_BATCH)

Cells = Sequence[tuple[Cell, Occluder]]
Results = Mapping[Cell, Measured]


def run(setting: Setting, notebook: Notebook) -> None:
    data = patterns(setting.size(400, 24))
    cells = cells_of([name for name in _NAMES if name != "regions"], setting)
    _against_processor(
        "projection",
        Projection(setting.device),
        Projection("cpu"),
        data,
        cells,
        notebook,
    )
    _cut_up(setting, notebook, data, cells[::3] if setting.quick else cells)
    if not setting.on_real_gpu and setting.on_gpu:
        notebook.skip("parity of a trained encoder", "an emulated device runs none")
        return
    chosen = _NAMES[:2] + _NAMES[3:4] if setting.quick else _NAMES
    _against_processor(
        "tiny-cxr-clip",
        load_model("tiny-cxr-clip", device=setting.device),
        load_model("tiny-cxr-clip", device="cpu"),
        load_dataset("synthetic-cxr", pairs=setting.size(200, 16)),
        cells_of(chosen, setting),
        notebook,
    )
    _killed(setting, notebook)


def cells_of(names: Sequence[str], setting: Setting) -> list[tuple[Cell, Occluder]]:
    seeds = _SEEDS[:1] if setting.quick else _SEEDS
    levels = _LEVELS[:1] if setting.quick else _LEVELS
    cells = []
    for name in names:
        # A search with the model takes a pass per cell of its grid.
        is_search = name.startswith("salient")
        chosen = "salient(grid=2)" if setting.quick and is_search else name
        occluder = load_occluder(chosen)
        for level in levels:
            cells += [(Cell(chosen, level, seed), occluder) for seed in seeds]
    return cells


def swept(
    model: DualEncoder,
    data: RetrievalDataset,
    cells: Cells,
    options: SweepOptions = _PLAIN,
) -> Results:
    """Every measured cell; raises what a cell failed with."""
    outcomes = run_sweep(model, pairs_of(data), cells, _KS, options).cells
    measured = {}
    for cell, outcome in outcomes.items():
        if not isinstance(outcome, Measured):
            raise outcome
        measured[cell] = outcome
    return measured


def ranks_of(results: Results) -> bytes:
    """All ranks of a sweep, in order."""
    parts = []
    for measured in results.values():
        parts += [measured.image_ranks.tobytes(), measured.report_ranks.tobytes()]
    return b"".join(parts)


def _against_processor(
    name: str,
    on_device: DualEncoder,
    on_host: DualEncoder,
    data: RetrievalDataset,
    cells: Cells,
    notebook: Notebook,
) -> None:
    got = swept(on_device, data, cells)
    expected = swept(on_host, data, cells)
    farthest_level = 0.0
    most_flipped = 0
    least_equal = 1.0
    for cell, measured in got.items():
        host = expected[cell]
        # A search with the model may break a tie by the last bit of a score.
        if not cell.occluder.startswith("salient"):
            levels = (
                measured.achieved_level - host.achieved_level,
                measured.visible_level - host.visible_level,
            )
            farthest_level = max(farthest_level, *map(abs, levels))
        equal = float((measured.image_ranks == host.image_ranks).mean())
        least_equal = min(least_equal, equal)
        for k in _KS:
            hits = (measured.image_ranks <= k) != (host.image_ranks <= k)
            most_flipped = max(most_flipped, int(hits.sum()))
    notebook.check(f"{name}: levels", farthest_level <= _LEVEL_TOLERANCE)
    notebook.check(
        f"{name}: Recall@k", most_flipped <= _FLIPPED, f"{most_flipped} queries differ"
    )
    notebook.check(
        f"{name}: ranks", least_equal >= _EQUAL_RANKS, f"{least_equal:.3f} are equal"
    )


def _cut_up(
    setting: Setting, notebook: Notebook, data: RetrievalDataset, cells: Cells
) -> None:
    """From a store, on two copies, and by an encoder that reuses its memory."""
    model = Projection(setting.device)
    plain = ranks_of(swept(model, data, cells))
    folder = setting.folder / "store"
    stored = SweepOptions(batch_size=_BATCH, store=EmbeddingStore(folder))
    cold = swept(model, data, cells, stored)
    notebook.check("with a store: same bytes", ranks_of(cold) == plain)
    again = SweepOptions(batch_size=_BATCH, store=EmbeddingStore(folder))
    warm = swept(model, data, cells, again)
    notebook.check("from the store: same bytes", ranks_of(warm) == plain)
    images = len(data.image_ids)
    from_store = [measured.timing.from_store for measured in warm.values()]
    notebook.check("from the store: nothing encoded", set(from_store) == {images})
    two = SweepOptions(batch_size=_BATCH, copies=lambda: [Projection(setting.device)])
    copies = swept(model, data, cells, two)
    notebook.check("two copies: same bytes", ranks_of(copies) == plain)
    reused = swept(OneBuffer(setting.device), data, cells)
    notebook.check("one output buffer: same bytes", ranks_of(reused) == plain)


def _killed(setting: Setting, notebook: Notebook) -> None:
    """A sweep in a process of its own, killed half-way and started again."""
    folder = setting.folder / "killed"
    whole = _in_a_process(setting, setting.folder / "whole")
    first = _started(setting, folder)
    end = time.monotonic() + 30
    while time.monotonic() < end and len(list(folder.rglob("*.npz"))) < 4:
        time.sleep(0.05)
    first.kill()
    first.join()
    resumed = _in_a_process(setting, folder)
    notebook.check("killed and resumed: same bytes", resumed == whole)


def _in_a_process(setting: Setting, folder: Path) -> bytes:
    process = _started(setting, folder)
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(
            f"Expected a sweep's process to end, got exitcode={process.exitcode}."
        )
    return (folder / _RANKS).read_bytes()


def _started(setting: Setting, folder: Path) -> BaseProcess:
    images = setting.size(400, 96)
    return started(setting, _sweep_into, setting.device, images, folder)


def _sweep_into(device: str, images: int, folder: Path) -> None:
    setting = Setting(device, quick=False, folder=folder)
    cells = cells_of(("patches", "lines"), setting)
    options = SweepOptions(batch_size=_BATCH, store=EmbeddingStore(folder))
    results = swept(Projection(device), patterns(images), cells, options)
    (folder / _RANKS).write_bytes(ranks_of(results))
