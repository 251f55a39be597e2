"""Two processes on one card, as two workers of pytest-xdist are."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pytest_retrieval_robust.measure.sweep.run import SweepOptions

from .parity import ranks_of, swept
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
        command = [sys.executable, "-m", f"{__package__}.two_processes"]
        self._process = subprocess.Popen(
            [*command, setting.device, str(setting.folder), f"{int(setting.quick)}"],
            env={**os.environ, "PYTEST_XDIST_WORKER": worker},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("sweep\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """The next line of the child; raises where it has died."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def sweep(self) -> _Sweep:
        return _Sweep(**self.answer())

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


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


def _child(device: str, folder: Path, *, quick: bool) -> None:
    setting = Setting(device, quick, folder)
    model = encoder(setting)
    data = decoded(setting.size(2048, 64))
    cells = cells_of("patches")
    batch = setting.size(256, 16)
    options = SweepOptions(batch_size=batch)
    swept(model, decoded(batch), cells, options)  # a warm-up
    print("{}", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        ranks = ranks_of(swept(model, data, cells, options))
        seconds = time.perf_counter() - start
        if setting.on_real_gpu:
            # What is cached would be memory to the next sweep, however little is left.
            torch.cuda.empty_cache()
        digest = hashlib.sha256(ranks).hexdigest()
        print(json.dumps({"seconds": seconds, "digest": digest}), flush=True)


if __name__ == "__main__":
    _child(sys.argv[1], Path(sys.argv[2]), quick=sys.argv[3] == "1")
