"""What hiding costs, beside a copy of the same bytes and other libraries' erasing.

`python -m benchmarks.occlusion [DEVICE]` (peers: `pip install
'pytest-retrieval-robust[benchmarks]'`). All is timed in turns; each figure is the
median over rounds of a ratio to the copy of that round. On a CUDA device `device` is
the time of its own work, by events around calls that are queued, and `waited` that of
a call whose end is waited for; on a processor both are the wall clock. `first` is the
first level of a batch, for which the order of cells and the fill are made; `further` is
any other level of it, which only moves the threshold. `hiding_ratios` and
`whole_path_ratios` give the same to other scripts.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.normalisation import Normalisation
from pytest_retrieval_robust.occluders import WHOLE, Box, _compiled
from pytest_retrieval_robust.occluders._donors import Donors
from pytest_retrieval_robust.occluders.cells import CellOccluder
from pytest_retrieval_robust.occluders.fused import EightBitImages, hidden_normalised
from pytest_retrieval_robust.occluders.scene import Scene, Setting

from .side_by_side import Action, Ratio, ratios_of

AREA = ("patches", "box", "boxes", "blobs", "grid", "border", "side")
FILLS = ("black", "white", "noise", "mean", "blur", "shuffled", "donor")
OF_PATCHES = tuple([f"patches(fill={fill})" for fill in FILLS])
DTYPES = (torch.float32, torch.bfloat16, torch.uint8)
FRAMES = ("whole", "per image")
ROUNDS = 11
LEVEL = 0.3


def hiding_ratios(
    device: str,
    *,
    images: int = 256,
    side: int = 224,
    rounds: int = ROUNDS,
    names: Sequence[str] = OF_PATCHES,
    dtypes: Sequence[torch.dtype] = DTYPES,
) -> list[Ratio]:
    """`occlude` of the first and a further level against `copy_` of the same dtype, for
    frames that are whole and frames that differ by image.
    """
    found = []
    for dtype in dtypes:
        pixels = _pixels(images, side, dtype, device)
        out = torch.empty_like(pixels)
        actions: dict[str, Action] = {"copy": lambda: out.copy_(pixels)}  # noqa: B023
        for name in names:
            for kind in FRAMES:
                scene = _scene(pixels, _frames(kind, images))
                label = f"{name}, {kind}, {str(dtype).removeprefix('torch.')}"
                actions[f"{label}, first"] = _first(name, scene, out)
                actions[f"{label}, further"] = _further(name, scene, out)
        found += ratios_of(actions, "copy", device, rounds)
    return found


def whole_path_ratios(
    device: str,
    *,
    images: int = 256,
    side: int = 224,
    rounds: int = ROUNDS,
    names: Sequence[str] = OF_PATCHES,
    dtype: torch.dtype = torch.bfloat16,
) -> list[Ratio]:
    """From bytes to a network's normalised input in one pass, against one copy that
    converts; beside it the long way: to float32, hidden, normalised, rounded.
    """
    levels = _pixels(images, side, torch.uint8, device)
    pixels = levels.float() / 255
    out = torch.empty_like(levels, dtype=dtype)
    normalisation = Normalisation(
        torch.full((1, 3, 1, 1), 0.48, device=device),
        torch.full((1, 3, 1, 1), 0.27, device=device),
        dtype,
    )
    buffer = torch.empty_like(pixels)
    actions: dict[str, Action] = {"copy": lambda: out.copy_(levels)}
    for name in names:
        for kind in FRAMES:
            scene = _scene(pixels, _frames(kind, images))
            bound = _bound(name, scene)
            batch = EightBitImages(levels, scene.ids, scene.frames, pixels)

            def one_pass(
                bound: CellOccluder = bound, batch: EightBitImages = batch
            ) -> object:
                return hidden_normalised(bound, batch, LEVEL, 0, normalisation, out)

            def long_way(bound: CellOccluder = bound, scene: Scene = scene) -> object:
                floats = levels.float() / 255
                hidden = bound.occlude(
                    floats, scene.ids, LEVEL, 0, scene.frames, out=buffer
                )
                return normalisation(hidden)

            actions[f"{name}, {kind}, bytes to {dtype}"] = one_pass
            actions[f"{name}, {kind}, the long way"] = long_way
    return ratios_of(actions, "copy", device, rounds)


def _first(name: str, scene: Scene, out: Tensor) -> Action:
    """Masks and fill with nothing remembered of the batch."""

    def run() -> None:
        scene.kept_fills.clear()
        bound = _bound(name, scene)
        bound.occlude(scene.pixels, scene.ids, LEVEL, 0, scene.frames, out=out)

    return run


def _further(name: str, scene: Scene, out: Tensor) -> Action:
    """Masks and fill of another level of the same batch."""
    # A scene of its own: the fills of this one are cleared.
    own = _scene(scene.pixels, scene.frames)
    bound = _bound(name, own)
    return lambda: bound.occlude(own.pixels, own.ids, LEVEL, 0, own.frames, out=out)


def _bound(name: str, scene: Scene) -> CellOccluder:
    occluder = load_occluder(name)
    assert isinstance(occluder, CellOccluder)
    return occluder.bind(scene)


def _scene(pixels: Tensor, frames: Sequence[Box]) -> Scene:
    nothing = cast(Any, None)
    no_reports = torch.zeros(0, 1)
    setting = Setting(nothing, nothing, no_reports, np.zeros(0, dtype=np.int64))
    # Where `Setting.donors` keeps what a data set would give.
    donors = pixels[:16] if pixels.is_floating_point() else pixels[:16].float() / 255
    ids = _ids(len(pixels))
    vars(setting)["donors"] = Donors(ids[:16], donors, frames[:16])
    groups = np.arange(len(pixels))
    return Scene(setting, range(len(pixels)), ids, pixels, frames, groups)


def _frames(kind: str, images: int) -> list[Box]:
    if kind == "whole":
        return [WHOLE] * images
    # As a square cut from films of many shapes: each is cropped a little otherwise.
    return [(-n / 2000, -0.1, 1 + n / 2000, 1.1) for n in range(images)]


def _pixels(images: int, side: int, dtype: torch.dtype, device: str) -> Tensor:
    drawn = torch.rand(images, 3, side, side, device=device)
    return (drawn * 256).to(dtype) if dtype == torch.uint8 else drawn.to(dtype)


def _ids(count: int) -> list[str]:
    return [f"image-{number}" for number in range(count)]


def _peers(pixels: Tensor) -> dict[str, Action]:
    """Random erasing of the same share by the libraries that are installed."""
    actions: dict[str, Action] = {}
    try:
        from torchvision.transforms import v2

        erase = v2.RandomErasing(p=1.0, scale=(LEVEL, LEVEL))
        actions["torchvision RandomErasing"] = lambda: torch.stack(
            [erase(image) for image in pixels]
        )
    except ImportError:
        print("torchvision is not installed")
    try:
        from kornia.augmentation import RandomErasing

        augment = RandomErasing(scale=(LEVEL, LEVEL), p=1.0)
        actions["kornia RandomErasing"] = lambda: augment(pixels)
    except ImportError:
        print("kornia is not installed")
    return actions


def _against_peers(device: str, images: int) -> list[Ratio]:
    pixels = _pixels(images, 224, torch.float32, device)
    out = torch.empty_like(pixels)
    actions: dict[str, Action] = {"copy": lambda: out.copy_(pixels), **_peers(pixels)}
    return ratios_of(actions, "copy", device, ROUNDS)


def _orders(device: str) -> list[Ratio]:
    """What the order of the cells of 64 images costs, as a multiple of that of `patches`."""

    def order(name: str) -> Action:
        occluder = load_occluder(name)
        return lambda: occluder.order(_ids(64), 0, device)  # type: ignore[attr-defined]

    actions = {name: order(name) for name in AREA}
    return ratios_of(actions, "patches", device, ROUNDS)


def _drawing(device: str) -> list[Ratio]:
    """What masks and shares of drawn occluders cost, as a multiple of a copy's time."""
    pixels = _pixels(64, 224, torch.float32, device)
    out = torch.empty_like(pixels)
    actions: dict[str, Action] = {"copy": lambda: out.copy_(pixels)}
    for name in ("lines", "marker", "pacemaker"):
        scene = _scene(pixels, _frames("whole", 64))
        bound = _bound(name, scene)

        def shares(bound: CellOccluder = bound, scene: Scene = scene) -> object:
            return bound.shares(scene.ids, LEVEL, 0)

        actions[f"{name}, further, {out.dtype}"] = _further(name, scene, out)
        actions[f"{name}, further, shares"] = shares
    return ratios_of(actions, "copy", device, ROUNDS)


def _show(title: str, ratios: Sequence[Ratio]) -> None:
    print(f"\n{title}")
    for ratio in ratios:
        print(f"  {ratio.name:56}{ratio.device:9.2f} device{ratio.waited:9.2f} waited")


def main(device: str) -> None:
    torch.set_num_threads(1)
    # On a processor the ratios are those of any batch.
    is_gpu = device.startswith("cuda")
    images = 256 if is_gpu else 32
    name = torch.cuda.get_device_name(device) if is_gpu else ""
    print(f"torch {torch.__version__}, {device} {name}")
    shape = f"[{images}, 3, 224, 224]"
    _show(f"30 % of {shape} to a copy", hiding_ratios(device, images=images))
    _show(
        f"30 % of {shape}, bytes to normalised bfloat16, to a copy that converts",
        whole_path_ratios(device, images=images),
    )
    _show(f"peers, {shape} float32 to a copy", _against_peers(device, images))
    _show("the order of the cells of 64 images, to that of patches", _orders(device))
    _show("drawn occluders, 64 images, to a copy", _drawing(device))
    why = _compiled.why_not_compiled()
    if why is not None:
        print(f"\nNothing was compiled: {why}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "cpu")
