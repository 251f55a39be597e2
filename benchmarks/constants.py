"""The constants of `plan-run`, measured on this machine.

`OMP_WAIT_POLICY=passive python -m benchmarks.constants [--rounds 2] [--write]`

Image and text towers of open_clip with random weights in float32, on one thread and on
two; decoding and preparing of grey pictures; exact ranks in both directions. Seconds
are the processor's own (of all threads together), because they hold on a busy machine
too. Each round measures everything of a kind once in turn, and the quickest counts.
What takes minutes runs once and on one thread.

`--write` puts the table into `docs/scale.md`, and the constants where the planner reads
them (`pytest_retrieval_robust/measure/planning/constants.json`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import torch
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

import pytest_retrieval_robust
from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.measure.timing.hardware import hardware_name
from pytest_retrieval_robust.retrieval.ranking import positive_ranks_both
from pytest_retrieval_robust.retrieval.ranking._precisions import has_bfloat16

from .constants_table import table
from .decoding import model, new_way
from .pages import write_into
from .pictures import radiograph
from .ranks import unit_rows

PACKAGE = Path(pytest_retrieval_robust.__file__).parent
FILE = PACKAGE / "measure" / "planning" / "constants.json"
PAGE = Path("docs") / "scale.md"
COMMAND = "OMP_WAIT_POLICY=passive python -m benchmarks.constants --write"
ARCHITECTURES = ("RN50", "ViT-B-32", "ViT-B-16", "ViT-L-14")
SLOW = ("ViT-L-14",)
"""Measured once, in smaller batches, on one thread."""
THREADS = (1, 2)
BATCH = 32
SLOW_BATCH = 8
PICTURES = 6
SIZES = (5_000, 20_000, 50_000)
LARGE = (2544, 3056)
SMALL = (512, 512)

Actions = dict[str, tuple[Callable[[], object], int]]
"""Name -> (action, how many units it does)."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    parsed = parser.parse_args()
    measured = measure(parsed.rounds)
    print(json.dumps(measured, indent=1))
    if parsed.write:
        FILE.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
        write_into(PAGE, "\n".join(table(measured)))


def measure(rounds: int) -> dict[str, Any]:
    """Every constant, as the planner reads them."""
    torch.set_num_threads(1)
    processor = hardware_name("cpu").partition(" x ")[0]
    instructions = torch.backends.cpu.get_cpu_capability()
    bfloat16 = "with" if has_bfloat16(torch.device("cpu")) else "without"
    hardware = f"{processor} ({instructions}, {bfloat16} bfloat16)"
    with tempfile.TemporaryDirectory() as name:
        files = dict(_kinds_of_files(Path(name)))
        return {
            "hardware": hardware,
            "torch": torch.__version__,
            "command": COMMAND,
            "encoders": _encoders(rounds),
            "files": _files(files, rounds),
            "ranks": _ranks(rounds),
        }


def _quickest(actions: Actions, rounds: int) -> dict[str, float]:
    """Seconds of a core per unit of each action's quickest round; all in turn."""
    seconds: dict[str, float] = {}
    for _ in range(rounds):
        for name, (action, units) in actions.items():
            start = time.process_time()
            action()
            took = (time.process_time() - start) / units
            seconds[name] = min(took, seconds.get(name, took))
    return seconds


@contextmanager
def _threads(count: int) -> Iterator[None]:
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(1)


# Encoders


def _encoders(rounds: int) -> list[dict[str, Any]]:
    """Images and texts per second of each architecture and number of threads."""
    rows = []
    for architecture in ARCHITECTURES:
        actions, width = _actions_of(architecture)
        seconds = _quickest(actions, 1 if architecture in SLOW else rounds)
        for threads in _threads_of(architecture in SLOW):
            rows.append(
                {
                    "architecture": architecture,
                    "threads": threads,
                    "width": width,
                    "image_seconds": _rounded(seconds[f"images {threads}"]),
                    "text_seconds": _rounded(seconds[f"texts {threads}"]),
                }
            )
    return rows


def _actions_of(architecture: str) -> tuple[Actions, int]:
    """What is timed of an architecture, and the width of its embeddings."""
    import open_clip

    torch.manual_seed(0)
    network = open_clip.create_model(architecture, pretrained=None).eval()
    side = network.visual.image_size
    side = side[0] if isinstance(side, tuple) else side
    batch = SLOW_BATCH if architecture in SLOW else BATCH
    images = torch.rand(batch, 3, side, side)
    texts = torch.randint(1, 40_000, (batch, 77))

    def timed(function: Callable[[Any], Any], inputs: Any, threads: int) -> object:
        with _threads(threads), torch.inference_mode():
            return function(inputs)

    actions: Actions = {}
    for threads in _threads_of(architecture in SLOW):
        encode_images = partial(timed, network.encode_image, images, threads)
        encode_texts = partial(timed, network.encode_text, texts, threads)
        actions[f"images {threads}"] = (encode_images, batch)
        actions[f"texts {threads}"] = (encode_texts, batch)
    # The first calls set up what later ones use.
    with torch.inference_mode():
        network.encode_text(texts[:1])
        width = int(network.encode_image(images[:1]).shape[1])
    return actions, width


def _threads_of(is_slow: bool) -> tuple[int, ...]:
    return THREADS[:1] if is_slow else THREADS


# Files


@dataclass(frozen=True)
class Files:
    """A data set of pictures of one kind."""

    dataset: RetrievalDataset
    bytes: int
    """Of one file."""


def _kinds_of_files(folder: Path) -> Iterator[tuple[str, Files]]:
    """Data sets of the same kind of picture in several formats."""
    for width, height in (LARGE, SMALL):
        for suffix in ("jpg", "png", "dcm"):
            place = folder / f"{suffix}-{width}"
            place.mkdir()
            name = f"{suffix} {width} x {height}"
            dataset = _table_of(place, suffix, width, height)
            yield name, Files(dataset, _mean_size(place))


def _table_of(folder: Path, suffix: str, width: int, height: int) -> RetrievalDataset:
    random = np.random.default_rng(0)
    lines = ["image,report"]
    for number in range(PICTURES):
        picture = radiograph(random, width, height)
        file = folder / f"{number}.{suffix}"
        if suffix == "dcm":
            _write_dicom(file, np.asarray(picture))
        else:
            # Of JPEG alone; PNG has no such setting, and ignores it.
            picture.save(file, quality=90)
        lines.append(f"{file.name},finding number {number}")
    (folder / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    return load_dataset("table", path=str(folder / "table.csv"))


def _write_dicom(file: Path, pixels: np.ndarray[Any, Any]) -> None:
    """An uncompressed picture of 12 bits, as detectors give them."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = FileDataset(str(file), {}, file_meta=meta, preamble=b"\0" * 128)
    written.SOPClassUID = meta.MediaStorageSOPClassUID
    written.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    written.Rows, written.Columns = pixels.shape
    written.SamplesPerPixel = 1
    written.PhotometricInterpretation = "MONOCHROME2"
    written.BitsAllocated = 16
    written.BitsStored = 12
    written.HighBit = 11
    written.PixelRepresentation = 0
    written.PixelData = (pixels.astype(np.uint16) * 16).tobytes()
    written.save_as(file, enforce_file_format=True)


def _files(kinds: dict[str, Files], rounds: int) -> list[dict[str, Any]]:
    """Seconds of a core and bytes per image of each kind of file."""
    encoder = model()

    def decode(dataset: RetrievalDataset) -> None:
        for number in range(PICTURES):
            new_way(encoder, dataset, number)

    def digest(dataset: Any) -> None:
        for number in range(PICTURES):
            dataset.content_digest(number)

    actions: Actions = {}
    for name, files in kinds.items():
        actions[f"decode {name}"] = (partial(decode, files.dataset), PICTURES)
        actions[f"digest {name}"] = (partial(digest, files.dataset), PICTURES)
    seconds = _quickest(actions, rounds)
    return [
        {
            "kind": name,
            "bytes": files.bytes,
            "decode_seconds": _rounded(seconds[f"decode {name}"]),
            "digest_seconds": _rounded(seconds[f"digest {name}"]),
        }
        for name, files in kinds.items()
    ]


def _mean_size(folder: Path) -> int:
    """Bytes of a picture's file."""
    sizes = [file.stat().st_size for file in folder.iterdir() if file.suffix != ".csv"]
    return sum(sizes) // len(sizes)


# Ranks


def _ranks(rounds: int) -> list[dict[str, Any]]:
    """Seconds of exact ranks in both directions, on one thread and on two."""
    rows = []
    for size in SIZES:
        queries, gallery = unit_rows(size, 0.5)
        own = np.arange(size)
        is_slow = size == SIZES[-1]

        def rank(
            threads: int, queries: Any = queries, gallery: Any = gallery, own: Any = own
        ) -> None:
            with _threads(threads):
                positive_ranks_both(queries, gallery, own, own)

        actions: Actions = {
            str(threads): (partial(rank, threads), 1)
            for threads in _threads_of(is_slow)
        }
        seconds = _quickest(actions, 1 if is_slow else rounds)
        for threads in _threads_of(is_slow):
            rows.append(
                {
                    "images": size,
                    "reports": size,
                    "width": int(queries.shape[1]),
                    "threads": threads,
                    "seconds": _rounded(seconds[str(threads)]),
                }
            )
    return rows


def _rounded(value: float) -> float:
    """Three digits: a further one is noise."""
    return float(f"{value:.3g}")


if __name__ == "__main__":
    main()
