"""What it takes to make a model's pixels of a file, beside the way of version 0.1.

`python -m benchmarks.decoding [--images 12] [--rounds 5] [--threads 1]`,
`python -m benchmarks.decoding --deviation [--device cuda]`

Grey and colour JPEGs of 1,024 x 1,024 and of 2,544 x 3,056, as MIMIC-CXR-JPG has them,
and the resize of CLIP: bicubic, 224 on the short side, cropped. Each part of the way is
timed by itself, with the old way of that part in the same round: reading the file's
bytes, decoding them, copying the picture, hashing it, preparing it. Then the whole way,
as a sweep goes it. The median over rounds is printed with the least and the largest.
The last line is what an image costs that another model of the run has prepared.

`--deviation` shows instead how far the pixels of `--robust-decode device` lie from
Pillow's, and the embeddings of `tiny-cxr-clip` with them, and the images per second of
both, on `--device`. On a processor torchvision's own decoder and resize take the place
of nvJPEG and of the resize on a card.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pytest_retrieval_robust import (
    encoder_from_callables,
    load_dataset,
    load_model,
)
from pytest_retrieval_robust.core.encoding import open_image, prepare_image
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.measure.sweep.decode import DecodedImage, picture_digest
from pytest_retrieval_robust.measure.sweep.device_decode import decoded_on_device
from pytest_retrieval_robust.measure.sweep.kept_pictures import KeptPictures
from pytest_retrieval_robust.models import DualEncoder
from pytest_retrieval_robust.models._formats.geometry import Geometry

from .pictures import radiograph

SIDE = 224
GEOMETRY = Geometry("shortest", SIDE, SIDE)
BICUBIC = Image.Resampling.BICUBIC


@dataclass(frozen=True)
class Kind:
    """A kind of pictures."""

    mode: str
    width: int
    height: int

    def __str__(self) -> str:
        colour = "grey" if self.mode == "L" else "colour"
        return f"{colour} JPEG, {self.width:,} x {self.height:,}"


KINDS = (
    Kind("L", 1024, 1024),
    Kind("L", 2544, 3056),
    Kind("RGB", 1024, 1024),
    Kind("RGB", 2544, 3056),
)


@dataclass(frozen=True)
class Part:
    """A part of the way, for image number `number`; the old way of it, if it has changed."""

    name: str
    new: Callable[[int], object]
    old: Callable[[int], object] | None = None


# Pictures


def jpegs(folder: Path, kind: Kind, count: int) -> RetrievalDataset:
    """Smooth pictures with some grain, as a radiograph has, and a text of its own each."""
    random = np.random.default_rng(0)
    lines = ["image,report"]
    for number in range(count):
        grey = radiograph(random, kind.width, kind.height)
        picture = grey.convert(kind.mode)
        picture.save(folder / f"{number}.jpg", quality=90)
        lines.append(f"{number}.jpg,finding number {number}")
    (folder / "table.csv").write_text("\n".join(lines))
    return load_dataset("table", path=str(folder / "table.csv"))


def model() -> DualEncoder:
    """A model that prepares as CLIP does; it encodes nothing."""

    def refuse(_: Any) -> Any:
        raise RuntimeError("this model only prepares")

    return encoder_from_callables(
        "prepares", encode_images=refuse, encode_reports=refuse, size=SIDE
    )


# The way of version 0.1


def old_digest(image: Image.Image) -> bytes:
    """All bytes at once, twice: as Pillow hands them out, and behind the header."""
    header = f"{image.mode}{image.size}".encode()
    return hashlib.sha256(header + image.tobytes()).digest()


def old_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """A grey image in three channels before its resize."""
    width, height = GEOMETRY.resized(*image.size)
    left = GEOMETRY.offset(width)
    top = GEOMETRY.offset(height)
    resized = image.convert("RGB").resize((width, height), BICUBIC)
    cut = resized.crop((left, top, left + SIDE, top + SIDE))
    return np.array(np.ascontiguousarray(np.asarray(cut).transpose(2, 0, 1)))


def old_way(dataset: RetrievalDataset, number: int) -> tuple[NDArray[Any], bytes]:
    """The pixels and the digest of an image, copied once more."""
    image = dataset.image(number).copy()
    return old_pixels(image), old_digest(image)


def new_way(
    encoder: DualEncoder, dataset: RetrievalDataset, number: int
) -> tuple[NDArray[Any], bytes]:
    """The same as a sweep makes them."""
    image = open_image(dataset, number, "an image")
    digest = picture_digest(image)
    return prepare_image(encoder, image).pixels, digest


# Times


def parts_of(
    folder: Path, dataset: RetrievalDataset, encoder: DualEncoder, count: int
) -> list[Part]:
    """What is timed; the first call of each has been made."""
    files = [folder / f"{number}.jpg" for number in range(count)]
    contents = [file.read_bytes() for file in files]
    pictures = [dataset.image(number) for number in range(count)]
    kept = KeptPictures(dataset).for_model(encoder, dataset)
    assert kept is not None
    for number, picture in enumerate(pictures):
        pixels, digest = old_way(dataset, number)
        same_pixels, same_digest = new_way(encoder, dataset, number)
        assert np.array_equal(pixels, same_pixels)
        assert digest == same_digest
        prepared = prepare_image(encoder, picture)
        kept.put(number, DecodedImage(prepared, digest))

    def decoded(number: int) -> None:
        Image.open(BytesIO(contents[number])).load()

    return [
        Part("read", lambda number: files[number].read_bytes()),
        Part("decode", decoded),
        Part("copy, which is no longer made", lambda number: pictures[number].copy()),
        Part(
            "digest",
            lambda number: picture_digest(pictures[number]),
            lambda number: old_digest(pictures[number]),
        ),
        Part(
            "prepare",
            lambda number: prepare_image(encoder, pictures[number]),
            lambda number: old_pixels(pictures[number]),
        ),
        Part(
            "whole",
            lambda number: new_way(encoder, dataset, number),
            lambda number: old_way(dataset, number),
        ),
        Part(
            "taken from another model",
            kept.get,
            lambda number: new_way(encoder, dataset, number),
        ),
    ]


def seconds_per_image(
    action: Callable[[int], object], count: int, threads: int
) -> float:
    """Seconds per image, of as many threads as decode at a time."""
    numbers = range(count)
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        list(pool.map(action, numbers))
        return (time.perf_counter() - start) / count


def measure(
    parts: Sequence[Part], count: int, rounds: int, threads: int
) -> dict[str, list[tuple[float, float]]]:
    """(new, old) seconds per image of each part and round; in turns, so that a busy
    machine slows both.
    """
    times: dict[str, list[tuple[float, float]]] = {part.name: [] for part in parts}
    for _ in range(rounds):
        for part in parts:
            old = seconds_per_image(part.old or part.new, count, threads)
            new = seconds_per_image(part.new, count, threads)
            times[part.name].append((new, old))
    return times


# The decoding on a device


@dataclass(frozen=True)
class Deviation:
    """How far what a device decodes lies from what Pillow decodes."""

    largest_level: int
    """Of 255 levels, over all pixels of all images."""
    mean_level: float
    lowest_cosine: float
    """Of an embedding from the one and from the other."""
    ratio: float
    """Seconds per image on the device to seconds with Pillow, one thread each."""


def deviation(folder: Path, kind: Kind, count: int, device: str) -> Deviation:
    """The deviation of JPEGs of that kind for `tiny-cxr-clip`."""
    encoder = load_model("tiny-cxr-clip", device=device)
    dataset = jpegs(folder, kind, count)

    def on_host(number: int) -> NDArray[Any]:
        return new_way(encoder, dataset, number)[0]

    def on_device(number: int) -> NDArray[Any]:
        decoded = decoded_on_device(encoder, dataset, number)
        assert decoded is not None
        assert decoded.prepared is not None
        return decoded.prepared.pixels

    expected = np.stack([on_host(number) for number in range(count)])
    pixels = np.stack([on_device(number) for number in range(count)])
    difference = np.abs(pixels.astype(np.int64) - expected)
    rows = [
        encoder.encode_images(torch.from_numpy(batch).to(device) / 255).double()
        for batch in (expected, pixels)
    ]
    cosines = (rows[0] * rows[1]).sum(dim=1)
    seconds = [
        seconds_per_image(action, count, threads=1) for action in (on_host, on_device)
    ]
    return Deviation(
        int(difference.max()),
        float(difference.mean()),
        float(cosines.min()),
        seconds[1] / seconds[0],
    )


def print_deviations(count: int, device: str) -> None:
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as name:
            measured = deviation(Path(name), kind, count, device)
        print(
            f"{kind}, on {device}: at most {measured.largest_level} levels, mean"
            f" {measured.mean_level:.5f}, cosine at least {measured.lowest_cosine:.7f},"
            f" time to Pillow's {measured.ratio:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--deviation", action="store_true")
    parser.add_argument("--device", default="cpu")
    parsed = parser.parse_args()
    if parsed.deviation:
        print_deviations(parsed.images, parsed.device)
        return
    encoder = model()
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            dataset = jpegs(folder, kind, parsed.images)
            parts = parts_of(folder, dataset, encoder, parsed.images)
            times = measure(parts, parsed.images, parsed.rounds, parsed.threads)
        print(f"{kind}, threads: {parsed.threads}")
        for part in parts:
            print(_line(part, times[part.name]))


def _line(part: Part, times: Sequence[tuple[float, float]]) -> str:
    new = median(seconds for seconds, _ in times)
    line = f"  {part.name}: {1000 * new:.2f} ms"
    if part.name == "whole":
        line += f", {1 / new:.0f} images/s"
    if part.old is None:
        return line
    old = median(seconds for _, seconds in times)
    ratios = [after / before for after, before in times]
    spread = f"[{min(ratios):.3f}-{max(ratios):.3f}]"
    return f"{line}, before {1000 * old:.2f} ms, ratio {median(ratios):.3f} {spread}"


if __name__ == "__main__":
    main()
