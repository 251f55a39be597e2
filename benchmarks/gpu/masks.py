"""Masks and fills on the device are the processor's, bit for bit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pytest_retrieval_robust import load_dataset, load_occluder
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.occluders import WHOLE, Box, Occluder
from pytest_retrieval_robust.occluders._frames import visible_level
from pytest_retrieval_robust.occluders.area.box import PLACES
from pytest_retrieval_robust.occluders.area.side import EDGES
from pytest_retrieval_robust.occluders.hashing import mix
from pytest_retrieval_robust.occluders.scene import Scene

from .encoders import Projection
from .steps import Deadline, Notebook
from .steps import Setting as Where

_AREA = ("patches", "box", "boxes", "blobs", "grid", "border", "side")
_DRAWN = ("lines", "marker", "pacemaker", "ecg-leads", "burned-in-text")
_FILLS = ("black", "white", "grey", "noise", "mean", "shuffled", "donor")
_CROPPED: Box = (-0.25, -0.125, 1.25, 1.125)
_PADDED: Box = (0.0, 0.2, 1.0, 0.8)
_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.uint8)
_SECONDS = 12.0
"""For the masks of each kind of occluder."""
_BLUR_TOLERANCE = 1e-5
"""Of a fill that is a weighted mean in float32: the order of its sums is the device's."""


@dataclass(frozen=True)
class _Case:
    """One mask to be made on both sides."""

    occluder: Occluder
    ids: Sequence[str]
    level: float
    seed: int
    size: tuple[int, int]
    frame: Box

    def mask(self, device: str) -> Tensor:
        return self.occluder.mask(
            self.ids, self.level, self.seed, self.size, self.frame, device
        )


def run(where: Where, notebook: Notebook) -> None:
    _words(where, notebook)
    _area(where, notebook)
    _drawn(where, notebook)
    _fills(where, notebook)


def _words(where: Where, notebook: Notebook) -> None:
    """The hash that all masks are drawn from."""
    count = where.size(2**24, 2**16)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(0, 2**32, (count,), generator=generator)
    ends = torch.tensor([0, 1, 2**32 - 1, 2**31, 2**16 - 1, 2**16])
    words = torch.cat([ends, drawn])
    mixed = mix(words.to(where.device)).cpu()
    differing = int((mixed != mix(words)).sum())
    notebook.check("words of the hash", differing == 0, f"{len(words):,} words")


def _area(where: Where, notebook: Notebook) -> None:
    source = random.Random(0)
    fine = load_occluder("patches(grid=256)")
    cases = [_Case(fine, _ids(where.size(256, 4)), 0.37, 5, (256, 256), WHOLE)]
    for _ in range(where.size(10_000, 60)):
        cases.append(_random_case(source, _random_area(source)))
    _compare("masks of area occluders", cases, where, notebook)


def _drawn(where: Where, notebook: Notebook) -> None:
    source = random.Random(1)
    cases = []
    for name in _DRAWN:
        for _ in range(where.size(20, 1)):
            cases.append(_random_case(source, load_occluder(name)))
    _compare("masks of drawn occluders", cases, where, notebook)


def _compare(
    name: str, cases: Sequence[_Case], where: Where, notebook: Notebook
) -> None:
    """Masks and visible levels, compared on the device, as many as there is time for."""
    deadline = Deadline(_SECONDS)
    tried = 0
    differing = torch.zeros((), dtype=torch.int64, device=where.device)
    levels = 0
    for case in cases:
        if deadline.is_over:
            break
        tried += 1
        mask = case.mask(where.device)
        expected = case.mask("cpu")
        differing += (mask != expected.to(where.device)).sum()
        visible = visible_level(mask, case.frame)
        levels += visible != visible_level(expected, case.frame)
    notebook.check(name, int(differing) == 0, f"{tried:,} masks")
    notebook.check(f"visible levels: {name}", levels == 0)


def _fills(where: Where, notebook: Notebook) -> None:
    """Fills of several pictures, in every dtype and kind of frame."""
    dataset = load_dataset("synthetic-cxr", pairs=20)
    # Of 64 each cell is of whole pixels, of 70 it is not.
    sides = (70,) if where.quick else (64, 70)
    frames: dict[str, Sequence[Box]] = {
        "whole": [WHOLE] * 4,
        "cropped": [_CROPPED] * 4,
        "padded": [_PADDED] * 4,
        "one box per image": [WHOLE, _CROPPED, _PADDED, (0.1, 0.0, 0.9, 1.0)],
    }
    differing = []
    worst_blur = 0.0
    count = 0
    for side in sides:
        scene = _scene(dataset, "cpu", side)
        on_device = _scene(dataset, where.device, side)
        for frame_name, boxes in frames.items():
            for dtype in _DTYPES:
                for fill in (*_FILLS, "blur"):
                    occluder = load_occluder(f"patches(fill={fill})")
                    expected = _hidden(occluder, scene, dtype, boxes)
                    got = _hidden(occluder, on_device, dtype, boxes).cpu()
                    count += 1
                    difference = (got.double() - expected.double()).abs().max()
                    if fill == "blur":
                        if dtype == torch.float32:
                            worst_blur = max(worst_blur, float(difference))
                    elif not torch.equal(got, expected):
                        differing.append(f"{fill}, {frame_name}, {dtype}, {side}")
    notebook.check("fills", not differing, f"{count} tried {differing[:4]}")
    notebook.check("blur", worst_blur <= _BLUR_TOLERANCE, f"largest {worst_blur:.1e}")


def _hidden(
    occluder: Occluder, scene: Scene, dtype: torch.dtype, boxes: Sequence[Box]
) -> Tensor:
    pixels = scene.pixels
    pixels = (pixels * 255).to(dtype) if dtype == torch.uint8 else pixels.to(dtype)
    bound = occluder.bind(replace(scene, frames=boxes))
    return bound.occlude(pixels, scene.ids, 0.4, 3, boxes)


def _scene(dataset: RetrievalDataset, device: str, side: int) -> Scene:
    """Four pictures on a device, with the donors of their data set."""
    model = Projection(device, side)
    return model.scene(dataset, range(4))


def _random_case(source: random.Random, occluder: Occluder) -> _Case:
    frame = (
        source.uniform(-1, 0.4),
        source.uniform(-1, 0.4),
        source.uniform(0.6, 2),
        source.uniform(0.6, 2),
    )
    return _Case(
        occluder,
        _ids(source.randint(1, 3)),
        source.randint(0, 1000) / 1000,
        source.getrandbits(64),
        (source.randint(1, 96), source.randint(1, 96)),
        source.choice([WHOLE, _CROPPED, _PADDED, frame]),
    )


def _random_area(source: random.Random) -> Occluder:
    family = source.choice(_AREA)
    grid = source.randint(2, 20)
    further = {
        "box": f",at={source.choice(PLACES)}",
        "boxes": f",count={source.randint(1, 9)}",
        "blobs": f",size={source.randint(1, 64)}",
        "grid": f",period={source.randint(2, grid)}",
        "side": f",edge={source.choice(EDGES)}",
    }
    return load_occluder(f"{family}(grid={grid}{further.get(family, '')})")


def _ids(count: int) -> list[str]:
    return [f"image-{number}" for number in range(count)]
