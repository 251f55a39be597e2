"""The memory that ranking takes, with its rows in memory and in mapped files.

`OMP_NUM_THREADS=1 python -m benchmarks.rank_memory --size 200000`

Each way runs in a process of its own, which puts rows together as a sweep does, batch by
batch, and ranks both directions. Printed are the largest anonymous memory (`RssAnon`),
which nothing but the process's end gives back, and the pages of mapped files beside it
(`RssFile` and `RssShmem`), which the system may take at any time. What the interpreter
and torch take is measured before the first row. `--gallery` ranks a gallery of so many
rows instead, which is quick: its rows are few, but the queries are as many.

Ranks of both ways are compared by their hash.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Event, Thread

import numpy as np
import torch

from pytest_retrieval_robust.core import host_memory
from pytest_retrieval_robust.measure.sweep.space import RowSpace
from pytest_retrieval_robust.retrieval.ranking import positive_ranks_both

_BATCH = 1000
_INTERVAL = 0.02
"""Seconds between two looks at the memory."""
_WAYS = ("memory", "files")
_FIELDS = ("RssAnon", "RssFile", "RssShmem")


def main() -> None:
    """Print a line per way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=20_000, help="queries")
    parser.add_argument("--gallery", type=int, help="items of the gallery (as queries)")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--way", choices=_WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    gallery = options.gallery or options.size
    if options.way is not None:
        use_files = options.way == "files"
        result = _measure(
            options.size, gallery, options.width, options.folder, use_files
        )
        print(json.dumps(result))
        return
    arrays = (options.size + gallery) * options.width * 4
    print(
        f"{options.size:,} queries, {gallery:,} items, D={options.width}: arrays of"
        f" {arrays / 1e6:,.0f} MB"
    )
    for way in _WAYS:
        print(_line(way, _in_process(way)))


def _in_process(way: str) -> dict[str, float | str]:
    command = [sys.executable, "-m", "benchmarks.rank_memory", *sys.argv[1:]]
    ended = subprocess.run(
        [*command, "--way", way], stdout=subprocess.PIPE, check=True, text=True
    )
    result: dict[str, float | str] = json.loads(ended.stdout)
    return result


def _line(way: str, result: dict[str, float | str]) -> str:
    return (
        f"in {way:6}  anonymous {result['RssAnon']:7.0f} MB at most"
        f" ({result['before']:.0f} before)  of files {result['RssFile']:7.0f} MB"
        f"  shared {result['RssShmem']:5.0f} MB  {result['seconds']:7.1f} s"
        f"  ranks {result['ranks']}"
    )


def _measure(
    size: int, gallery: int, width: int, folder: Path, use_files: bool
) -> dict[str, float | str]:
    # Numba and the first products are loaded before memory is looked at: enough pairs
    # that its loops are worth compiling.
    small = np.eye(4200, 8, dtype=np.float32) + np.float32(0.1)
    positive_ranks_both(small, small, np.arange(4200), np.arange(4200))
    before = _resident()["RssAnon"]
    host_memory.free_bytes = lambda *_: 0 if use_files else None
    space = RowSpace((folder,))
    highest = dict.fromkeys(_FIELDS, 0.0)
    ended = Event()
    watch = Thread(target=_watch, args=(highest, ended), daemon=True)
    watch.start()
    started = time.perf_counter()
    items = _rows(gallery, width, space, noise_seed=1)
    queries = _rows(size, width, space, noise_seed=2)
    groups = np.arange(size) % gallery
    ranks = positive_ranks_both(queries, items, groups, np.arange(gallery))
    seconds = time.perf_counter() - started
    ended.set()
    watch.join()
    digest = hashlib.sha256(ranks[0].tobytes() + ranks[1].tobytes()).hexdigest()
    return {**highest, "before": before, "seconds": seconds, "ranks": digest[:12]}


def _rows(count: int, width: int, space: RowSpace, noise_seed: int) -> torch.Tensor:
    """(count, width) unit rows; those of two seeds are alike at the same number."""
    rows = space.empty((count, width), np.float32)
    for start in range(0, count, _BATCH):
        stop = min(start + _BATCH, count)
        shape = (stop - start, width)
        shared = np.random.default_rng(start).normal(size=shape)
        noise = np.random.default_rng((start, noise_seed)).normal(size=shape)
        batch = shared + 2 * noise
        batch /= np.linalg.norm(batch, axis=1, keepdims=True)
        rows[start:stop] = batch
    return torch.from_numpy(rows)


def _watch(highest: dict[str, float], ended: Event) -> None:
    while not ended.wait(_INTERVAL):
        for name, megabytes in _resident().items():
            highest[name] = max(highest[name], megabytes)


def _resident() -> dict[str, float]:
    """The resident memory of this process by its kind, in MB."""
    kinds = {}
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name in _FIELDS:
            kinds[name] = int(value.split()[0]) * 1024 / 1e6
    return kinds


if __name__ == "__main__":
    main()
