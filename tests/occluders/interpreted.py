"""Compares the compiled pass with plain operations, bit for bit, in Triton's interpreter.

`TRITON_INTERPRET=1 python -m tests.occluders.interpreted`: the variable has to be set
before Triton is loaded, so this runs in a process of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.normalisation import Normalisation, on_unit_scale
from pytest_retrieval_robust.occluders import WHOLE, Frame, _compiled, _kernels
from pytest_retrieval_robust.occluders._donors import Donors
from pytest_retrieval_robust.occluders._frames import view_of
from pytest_retrieval_robust.occluders._hide import HiddenCells, hide_cells
from pytest_retrieval_robust.occluders.cells import CellOccluder
from pytest_retrieval_robust.occluders.fills import FILLS
from pytest_retrieval_robust.occluders.fused import (
    EightBitImages,
    hidden_normalised,
    normalised,
)

from .generators import CROPPED, PADDED, bits, picture

launches: list[Any] = []
"""The inputs of each launch of the kernel."""
IDS = ["a", "b", "c"]
FRAMES: list[Frame] = [WHOLE, CROPPED, PADDED, [WHOLE, CROPPED, (-3.0, 0.1, -2.0, 0.9)]]
SIZES = [(32, 48), (31, 37), (1, 1), (64, 80)]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
OCCLUDERS = ["patches(grid=4", "box(at=top-left,grid=8", "lines(count=2", "side(grid=5"]
SEED = 3


def main() -> None:
    # Programs of 1024 pixels, so that small images have several.
    _kernels.BLOCK = 1024
    _compiled._DEVICES.add("cpu")
    launch = _compiled._launch

    def counted(*inputs: Any) -> None:
        launches.append(inputs)
        launch(*inputs)

    setattr(_compiled, "_launch", counted)  # noqa: B010 - mypy knows its signature
    checks = 0
    for check in (same_dtype, from_bytes, memory):
        for name in check():
            assert _compiled.why_not_compiled() is None, _compiled.why_not_compiled()
            checks += 1
            print(name)
    print(f"{checks} equal")


def same_dtype() -> Iterator[str]:
    """Pixels of any dtype, with each fill."""
    dtypes = [*DTYPES, torch.float64, torch.uint8]
    for number, (fill, frame) in enumerate(itertools.product(FILLS, FRAMES)):
        size = SIZES[(number + number // 4) % len(SIZES)]
        dtype = dtypes[number % len(dtypes)]
        occluder = occluder_of(number + number // 8, fill)
        pixels = pixels_of(size, dtype)
        compare(
            both_ways(lambda: occluder.occlude(pixels, IDS, 0.4, SEED, frame)),  # noqa: B023
        )
        yield f"{occluder.name} {frame} {size} {dtype}"


def from_bytes() -> Iterator[str]:
    """Bytes to a network's input: every two of fill, frame and dtype meet."""
    for number, (fill, frame) in enumerate(itertools.product(FILLS, FRAMES)):
        dtype = DTYPES[(number + number // 4) % len(DTYPES)]
        size = SIZES[(number + number // 4) % len(SIZES)]
        occluder = occluder_of(number + number // 8, fill)
        levels = pixels_of(size, torch.uint8)
        normalisation = normalisation_of(dtype)
        images = EightBitImages(levels, IDS, frame)
        found = both_ways(
            lambda: hidden_normalised(occluder, images, 0.4, SEED, normalisation)  # noqa: B023
        )
        compare(found)
        hidden = occluder.occlude(on_unit_scale(levels), IDS, 0.4, SEED, frame)
        compare((found[0], normalisation(hidden)))
        compare(both_ways(lambda: normalised(levels, normalisation)))  # noqa: B023
        yield f"{occluder.name} {frame} {size} bytes to {dtype}"


def memory() -> Iterator[str]:
    """In place, into a part of a larger batch, and where memory is shared otherwise."""
    occluder = occluder_of(0, "mean")
    pixels = pixels_of((32, 48), torch.float32)
    expected = occluder.occlude(pixels, IDS, 0.4, SEED, WHOLE)

    own = pixels.clone()
    before = own._version
    occluder.occlude(own, IDS, 0.4, SEED, WHOLE, out=own)
    compare((own, expected))
    assert own._version > before
    yield "in place"

    larger = torch.full((5, 3, 32, 48), 7.0)
    larger[1:4] = pixels
    occluder.occlude(larger[1:4], IDS, 0.4, SEED, WHOLE, out=larger[1:4])
    compare((larger[1:4], expected))
    assert (larger[[0, 4]] == 7).all()
    yield "into a part"

    shifted = torch.cat([pixels.flatten(), torch.zeros(1)])
    source = shifted[:-1].view_as(pixels)
    target = shifted[1:].view_as(pixels)
    view = view_of(WHOLE, 3, (32, 48))
    cells = HiddenCells(torch.zeros(3, 4, 4, dtype=torch.int64), 1)
    assert not _compiled.was_hidden(source, None, None, target, cells, view, never)
    yield "shifted memory is left alone"

    last = pixels.contiguous(memory_format=torch.channels_last)
    assert not _compiled.was_hidden(last, None, None, last, cells, view, never)
    compare((occluder.occlude(last, IDS, 0.4, SEED, WHOLE), expected))
    yield "channels last"

    elsewhere = HiddenCells(torch.zeros(3, 4, 4, device="meta"), 1)
    assert not _compiled.was_hidden(pixels, None, None, pixels, elsewhere, view, never)
    yield "another device"

    needs_gradient = pixels.clone().requires_grad_()
    out = torch.empty_like(pixels)
    assert not _compiled.was_hidden(needs_gradient, None, None, out, cells, view, never)
    yield "gradients"

    for many in (1, 300):
        pixels = torch.rand(many, 3, 8, 8)
        hidden = HiddenCells(torch.randint(0, 9, (many, 4, 4)), 4)
        found = both_ways(
            lambda: hide_cells(
                pixels,  # noqa: B023
                torch.arange(3.0).reshape(1, 3, 1, 1),
                torch.empty_like(pixels),  # noqa: B023
                hidden,  # noqa: B023
                view_of(WHOLE, len(pixels), 8),  # noqa: B023
            )
        )
        compare(found)
        yield f"{many} images"


def never() -> torch.Tensor:
    raise AssertionError("nothing is to be compared where nothing is launched")


def both_ways(make: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """By the compiled pass, and by plain operations."""
    before = len(launches)
    compiled = make()
    assert len(launches) == before + 1
    _compiled._DEVICES.remove("cpu")
    plain = make()
    _compiled._DEVICES.add("cpu")
    assert len(launches) == before + 1
    return compiled, plain


def compare(tensors: tuple[torch.Tensor, torch.Tensor]) -> None:
    first, second = tensors
    assert first.dtype == second.dtype
    assert torch.equal(bits(first), bits(second))


def occluder_of(number: int, fill: str) -> CellOccluder:
    name = OCCLUDERS[number % len(OCCLUDERS)]
    occluder = load_occluder(f"{name},fill={fill})")
    assert isinstance(occluder, CellOccluder)
    donors = Donors(["a", "x"], picture(2, 3, 9, 9, seed=5), [WHOLE, CROPPED])
    return replace(occluder, donors=donors)


def pixels_of(size: tuple[int, int], dtype: torch.dtype) -> torch.Tensor:
    drawn = picture(len(IDS), 3, *size)
    if dtype == torch.uint8:
        return (drawn * 256).to(dtype)
    drawn.view(-1)[0] = torch.nan
    return drawn.to(dtype)


def normalisation_of(dtype: torch.dtype) -> Normalisation:
    mean = torch.tensor([0.481, 0.458, 0.408]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.269, 0.261, 0.276]).reshape(1, 3, 1, 1)
    return Normalisation(mean, std, dtype)


if __name__ == "__main__":
    main()
