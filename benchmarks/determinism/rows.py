"""Rows of the embedded encoders, made in batches of one size, and how far they move.

    python -m benchmarks.determinism.rows OUT.npz --batch-size 64

writes them; `--robust-batch-size` and the number of threads change how a row is rounded.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .runs import ROOT

_MODELS = (
    "tiny-cxr-clip",
    "tiny-cxr-clip-robust",
    "tiny-cxr-openclip",
    "tiny-general-clip",
)
_PAIRS = 120
USUAL_BATCH = 64


@dataclass(frozen=True)
class Way:
    """One way to encode the same inputs."""

    what: str
    batch_size: int = USUAL_BATCH
    threads: int = 1


WAYS = (
    Way("once more"),
    Way("one image or report at a time", batch_size=1),
    Way("batches of 7", batch_size=7),
    Way("batches of 120", batch_size=120),
    Way("two threads", threads=2),
    Way("two threads, batches of 7", batch_size=7, threads=2),
)


@dataclass(frozen=True)
class Moved:
    """How far numbers of float32 are from those of the reference way."""

    share: float
    """Of the numbers, those with other bits."""
    largest: float
    """The largest difference; rows have length 1."""


def table(folder: Path) -> str:
    """Encode in every way, and say how far images and reports move."""
    reference = _rows(Way(""), folder / "reference.npz")
    lines = [
        "| way | images: numbers with other bits | largest difference"
        " | reports: numbers with other bits | largest difference |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for number, way in enumerate(WAYS):
        rows = _rows(way, folder / f"{number}.npz")
        cells = [way.what]
        for kind in ("images", "reports"):
            moved = moved_between(rows[kind], reference[kind])
            cells += [f"{moved.share:.1%}", f"{moved.largest:.0e}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def moved_between(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> Moved:
    """Compare rows of the same inputs."""
    differences = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    others = ours.view(np.uint32) != theirs.view(np.uint32)
    return Moved(float(others.mean()), float(differences.max()))


def _rows(way: Way, file: Path) -> dict[str, NDArray[np.float32]]:
    """The rows that a new process makes, of all models one after the other."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(way.threads)}
    words = [str(file), "--batch-size", str(way.batch_size)]
    subprocess.run(
        [sys.executable, "-m", "benchmarks.determinism.rows", *words],
        cwd=ROOT,
        env=environment,
        check=True,
    )
    with np.load(file) as archive:
        return {name: archive[name] for name in archive.files}


def _encode(batch_size: int) -> dict[str, NDArray[np.float32]]:
    import torch

    from pytest_retrieval_robust import load_dataset, load_model

    data = load_dataset("synthetic-cxr", pairs=_PAIRS)
    rows: dict[str, list[NDArray[np.float32]]] = {"images": [], "reports": []}
    for name in _MODELS:
        model = load_model(name, device="cpu")
        prepared = [model.prepare(data.image(index)).pixels for index in range(_PAIRS)]
        pixels = torch.from_numpy(np.stack(prepared)).float() / 255
        reports = list(data.reports)
        with torch.inference_mode():
            for begin in range(0, _PAIRS, batch_size):
                end = begin + batch_size
                images = model.encode_images(pixels[begin:end])
                texts = model.encode_reports(reports[begin:end])
                rows["images"].append(images.float().numpy().ravel())
                rows["reports"].append(texts.float().numpy().ravel())
    return {kind: np.concatenate(parts) for kind, parts in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--batch-size", type=int, default=USUAL_BATCH)
    parsed = parser.parse_args()
    arrays: Any = _encode(parsed.batch_size)
    np.savez(parsed.out, **arrays)


if __name__ == "__main__":
    main()
