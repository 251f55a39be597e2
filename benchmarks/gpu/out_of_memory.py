"""What happens when memory of a real card runs out."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.core.errors import RobustError
from pytest_retrieval_robust.core.memory import limits_of
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import SweepOptions, run_sweep

from .encoders import Projection, patterns
from .parity import Results, swept
from .steps import Notebook, Setting

_MIB = 2**20
_BATCH = 512
_FITS = 300
"""Images that memory is left for: fewer than a batch has."""
_MOST_FAILURES = 4
_CELLS = [(Cell("patches", 0.3, 0), load_occluder("patches"))]
_MOST_BLACK = 0.1
"""Of a batch with nothing hidden."""
_DEEP = 64
"""Copies of a batch that the hungry encoder makes."""


class Hungry(Projection):
    """A projection that needs a lot of memory for each image."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        copies = pixels.repeat(1, _DEEP, 1, 1)
        return super().encode_images(copies[:, :3] + 0 * copies[:, -3:])

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        rows = super().encode_reports(texts)
        # As much for each report as for an image.
        torch.empty(len(texts), _DEEP * 3 * 224 * 224, device=self.device)
        return rows


class Failing(Hungry):
    """One that fails where something is hidden."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        activations = pixels.repeat(1, 4, 1, 1)
        if float((pixels == 0).float().mean()) > _MOST_BLACK:
            raise ValueError(f"no embeddings of {tuple(activations.shape)}")
        return super().encode_images(pixels)


def run(setting: Setting, notebook: Notebook) -> None:
    data = patterns(1024)
    plain = swept(Hungry(setting.device), data, _CELLS, SweepOptions(batch_size=64))
    before = _allocated(setting)
    model = Hungry(setting.device)
    per_image = _DEEP * 3 * 224 * 224 * 4
    torch.cuda.reset_accumulated_memory_stats(setting.device)
    with _ballast(setting, _FITS * per_image):
        tight = swept(model, data, _CELLS, SweepOptions(batch_size=_BATCH))
    failures = torch.cuda.memory_stats(setting.device).get("num_ooms", 0)
    notebook.check("all cells are measured", len(tight) == len(plain))
    notebook.check(
        "the limit is remembered", failures <= _MOST_FAILURES, f"{failures} failures"
    )
    notebook.check("Recall@k is that of enough memory", _same_recall(tight, plain))
    notebook.fact("images that fitted", limits_of(model).images)
    del tight, model
    _check_given_back(setting, notebook, before, "after the sweep")
    _failing_cell(setting, notebook)
    _occupied(setting, notebook)


def _failing_cell(setting: Setting, notebook: Notebook) -> None:
    """The error of a cell is kept, and holds nothing of the device."""
    before = _allocated(setting)
    pairs = pairs_of(patterns(256))
    options = SweepOptions(batch_size=128)
    result = run_sweep(Failing(setting.device), pairs, _CELLS, (1,), options)
    errors = [cell for cell in result.cells.values() if isinstance(cell, RobustError)]
    notebook.check("a cell that fails is an error", len(errors) == 1)
    _check_given_back(setting, notebook, before, "while its error is kept")


def _occupied(setting: Setting, notebook: Notebook) -> None:
    """Another process holds nearly all of the card, so that even libraries find little."""
    # What this process has cached is no other's to take.
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(setting.device)
    amount = max(0, free - 1200 * _MIB)
    program = (
        "import sys, torch\n"
        f"held = torch.empty({amount}, dtype=torch.uint8, device={setting.device!r})\n"
        "print('held', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    if other.stdout.readline() != "held\n":
        notebook.skip("a card that another process holds", "it could not be held")
        other.kill()
        return
    try:
        results = swept(Hungry(setting.device), patterns(64), _CELLS)
        notebook.check(
            "a sweep beside a process that holds the card", len(results) == 2
        )
    finally:
        other.communicate("done\n", timeout=20)


@contextmanager
def _ballast(setting: Setting, free: int) -> Iterator[None]:
    """Leave so many bytes of the card."""
    torch.cuda.empty_cache()
    available, _ = torch.cuda.mem_get_info(setting.device)
    held = torch.empty(
        max(0, available - free), dtype=torch.uint8, device=setting.device
    )
    try:
        yield
    finally:
        del held
        torch.cuda.empty_cache()


def _check_given_back(
    setting: Setting, notebook: Notebook, before: int, when: str
) -> None:
    """Without the garbage collector: nobody calls it in a run."""
    assert gc.isenabled()
    grown = _allocated(setting) - before
    notebook.check(
        f"memory is given back {when}", grown <= _MIB, f"{grown / _MIB:.1f} MiB more"
    )


def _allocated(setting: Setting) -> int:
    torch.cuda.synchronize(setting.device)
    return torch.cuda.memory_allocated(setting.device)


def _same_recall(results: Results, others: Results) -> bool:
    for cell, measured in results.items():
        differing = measured.image_ranks != others[cell].image_ranks
        # Pieces of another size may round otherwise.
        if int(np.count_nonzero(differing)) > len(differing) // 100:
            return False
    return True
