"""The training pairs: pictures are drawn once, kept in files, and shared by later runs."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from training.sources import SOURCES, Drawn, Source

CHUNK = 500


@dataclass(frozen=True)
class Corpus:
    """Pictures (pairs, size, size) or (pairs, size, size, 3) uint8, reports, and labels
    (pairs, slots).

    `sizes` holds for each slot the number of its states; a label is the number of a state.
    """

    pictures: NDArray[np.uint8]
    reports: list[str]
    labels: NDArray[np.int64]
    sizes: tuple[int, ...]


def make_corpus(
    source: str,
    pairs: int,
    size: int,
    folder: Path,
    workers: int,
    say: Callable[[str], None] = print,
) -> Corpus:
    """The first `pairs` training pairs of `source`, from the files under `folder` or
    drawn into them.

    A run that is killed while it draws goes on where it stopped. The result does not
    depend on the number of `workers`, nor on other processes that draw the same pairs
    at the same time.
    """
    drawing = SOURCES[source]
    chunks = folder / f"corpus-{source}-{fingerprint(drawing.package, size)}"
    chunks.mkdir(parents=True, exist_ok=True)
    files = [chunks / f"{start:07d}.npz" for start in range(0, pairs, CHUNK)]
    missing = [file for file in files if not file.exists()]
    if missing:
        say(f"drawing {len(missing) * CHUNK} pairs into {chunks.name}")
        _draw_chunks(missing, source, size, workers)
    return _gather(files, pairs, drawing)


def fingerprint(package: ModuleType, size: int) -> str:
    """Changes with the picture size and with every change of the code that draws."""
    module = Path(inspect.getfile(package))
    files = [module]
    if module.name == "__init__.py":
        files = sorted(module.parent.glob("*.py"))
    content = b"".join(file.name.encode() + file.read_bytes() for file in files)
    return sha256(f"{size} {CHUNK} ".encode() + content).hexdigest()[:12]


def _draw_chunks(files: list[Path], source: str, size: int, workers: int) -> None:
    draw = partial(_draw_chunk, source=source, size=size)
    # One worker needs no process of its own, which would have to import everything.
    if workers == 1:
        for file in files:
            draw(file)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(draw, files):
            pass


def _draw_chunk(file: Path, source: str, size: int) -> None:
    start = int(file.stem)
    drawn = SOURCES[source].draw(range(start, start + CHUNK), size)
    # Named apart, then moved: a reader never sees half a file, and two writers do not mix.
    written = file.with_name(f".{uuid4().hex}.npz")
    texts = np.frombuffer(json.dumps(drawn.reports).encode(), dtype=np.uint8)
    np.savez(written, pictures=drawn.pictures, labels=drawn.labels, reports=texts)
    os.replace(written, file)


def _gather(files: list[Path], pairs: int, source: Source) -> Corpus:
    parts = [_read(file) for file in files]
    pictures = np.concatenate([part.pictures for part in parts])[:pairs]
    labels = np.concatenate([part.labels for part in parts])[:pairs]
    reports = [report for part in parts for report in part.reports][:pairs]
    return Corpus(pictures, reports, labels, source.sizes)


def _read(file: Path) -> Drawn:
    with np.load(file) as stored:
        return Drawn(
            stored["pictures"],
            json.loads(stored["reports"].tobytes()),
            stored["labels"],
        )
