"""Two processes on one card, as two workers of pytest-xdist are."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch

from pytest_retrieval_robust.measure.sweep.run import SweepOptions

from .parity import ranks_of, swept
from .processes import pipe, started
from .steps import Notebook, Setting
from .throughput import cells_of, decoded, encoder

_LEFT = 6 * 2**30
"""Bytes of the card that both processes are left with in the end."""


@dataclass(frozen=True)
class _Sweep:
    """What a child says of a sweep."""

    seconds: float
    digest: str


class _Child:
    """A process that makes a sweep each time it is told to."""

    def __init__(self, worker: str, setting: Setting) -> None:
        self._connection, others = pipe()
        self._process = started(setting, _work, others, worker, setting)
        # So that an answer of a child that died is an error and not awaited for ever.
        others.close()

    def begin(self) -> None:
        self._connection.send(True)

    def answer(self) -> Any:
        """What the child says next; raises EOFError where it has died."""
        return self._connection.recv()

    def sweep(self) -> _Sweep:
        sweep: _Sweep = self.answer()
        return sweep

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def run(setting: Setting, notebook: Notebook) -> None:
    if setting.on_gpu and not setting.on_real_gpu:
        notebook.skip("two processes", "an emulated device is in one")
        return
    children = [_Child(f"gw{number}", setting) for number in range(2)]
    try:
        for child in children:
            child.answer()  # it is ready
        _compare(children, setting, notebook)
    finally:
        for child in children:
            child.end()


def _compare(children: Sequence[_Child], setting: Setting, notebook: Notebook) -> None:
    alone = _together(children[:1])[0]
    both = _together(children)
    digests = {sweep.digest for sweep in both}
    notebook.check("two at once give the bytes of one alone", digests == {alone.digest})
    notebook.figure(
        "a sweep beside another to one alone",
        [sweep.seconds / alone.seconds for sweep in both],
    )
    rate = sum(1 / sweep.seconds for sweep in both)
    notebook.figure("images per second of both to one alone", rate * alone.seconds)
    if setting.on_real_gpu:
        _with_little_memory(children, setting, notebook)


def _with_little_memory(
    children: Sequence[_Child], setting: Setting, notebook: Notebook
) -> None:
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(setting.device)
    ballast = torch.empty(
        max(0, free - _LEFT), dtype=torch.uint8, device=setting.device
    )
    tight = _together(children)
    del ballast
    notebook.check("both end with little memory", len(tight) == len(children))


def _together(children: Sequence[_Child]) -> list[_Sweep]:
    for child in children:
        child.begin()
    return [child.sweep() for child in children]


def _work(parent: Connection, worker: str, setting: Setting) -> None:
    os.environ["PYTEST_XDIST_WORKER"] = worker
    model = encoder(setting)
    data = decoded(setting.size(2048, 64))
    cells = cells_of("patches")
    batch = setting.size(256, 16)
    options = SweepOptions(batch_size=batch)
    swept(model, decoded(batch), cells, options)  # a warm-up
    parent.send("ready")
    while parent.recv():
        start = time.perf_counter()
        ranks = ranks_of(swept(model, data, cells, options))
        seconds = time.perf_counter() - start
        if setting.on_real_gpu:
            # What is cached would be memory to the next sweep, however little is left.
            torch.cuda.empty_cache()
        parent.send(_Sweep(seconds, hashlib.sha256(ranks).hexdigest()))
