"""What hiding costs, beside a copy of the same bytes and other libraries' erasing.

`python -m benchmarks.occlusion` (peers: `pip install
'pytest-retrieval-robust[benchmarks]'`). All is timed in turns on one thread; each
figure is the median over rounds of a ratio to the copy of that round. `first` is the
first level of a batch, whose order of cells is drawn; `further` is any other level of
it, which only moves the threshold. On a CUDA device the same is measured there: `python
-m benchmarks.occlusion cuda`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.occluders import WHOLE, Occluder
from pytest_retrieval_robust.occluders.cells import _priorities

Action = Callable[[], object]
AREA = ("patches", "box", "boxes", "blobs", "grid", "border", "side")
FILLS = ("black", "white", "grey", "noise", "mean", "blur", "shuffled")
ROUNDS = 41
LEVEL = 0.3


def in_turns(
    actions: dict[str, Action], device: str, rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """Seconds of each action in each round; every round runs all of them, one after another."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds + 2):
        for name, action in actions.items():
            _wait(device)
            start = time.perf_counter()
            action()
            _wait(device)
            # Two rounds warm caches up.
            if number >= 2:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def show(
    title: str, actions: dict[str, Action], to: str, device: str, rounds: int = ROUNDS
) -> None:
    """Print each action's median milliseconds and its ratio to the action `to`."""
    seconds = in_turns(actions, device, rounds)
    print(f"\n{title}")
    for name, values in seconds.items():
        ratio = median(a / b for a, b in zip(values, seconds[to], strict=True))
        print(f"  {name:28}{1e3 * median(values):9.3f} ms   {ratio:7.2f} x {to}")


def first(occluder: Occluder, pixels: Tensor, ids: list[str], out: Tensor) -> Action:
    """Masks and fill with nothing remembered of the batch."""

    def run() -> None:
        _priorities.cache_clear()
        occluder.occlude(pixels, ids, LEVEL, 0, WHOLE, out=out)

    return run


def further(occluder: Occluder, pixels: Tensor, ids: list[str], out: Tensor) -> Action:
    """Masks and fill of another level of the same batch."""
    return lambda: occluder.occlude(pixels, ids, LEVEL, 0, WHOLE, out=out)


def peers(pixels: Tensor) -> dict[str, Action]:
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
        if pixels.is_floating_point():
            actions["kornia RandomErasing"] = lambda: augment(pixels)
    except ImportError:
        print("kornia is not installed")
    return actions


def against_copies(device: str, batch: int) -> None:
    for dtype in (torch.float32, torch.uint8):
        pixels = (torch.rand(batch, 3, 224, 224, device=device) * 255).to(dtype)
        pixels = pixels / 255 if dtype.is_floating_point else pixels
        out = torch.empty_like(pixels)
        ids = _ids(batch)
        patches = load_occluder("patches")
        actions: dict[str, Action] = {
            "copy_": lambda out=out, pixels=pixels: out.copy_(pixels),  # type: ignore[misc]
            "patches, first": first(patches, pixels, ids, out),
            "patches, further": further(patches, pixels, ids, out),
            **peers(pixels),
        }
        show(
            f"30 % of [{batch}, 3, 224, 224] {dtype} on {device}",
            actions,
            "copy_",
            device,
        )


def _ids(count: int) -> list[str]:
    return [f"image-{number}" for number in range(count)]


def generators(device: str) -> None:
    ids = _ids(64)

    def order(occluder: Occluder) -> Action:
        return lambda: occluder.order(ids, 0, device)  # type: ignore[attr-defined]

    actions = {name: order(load_occluder(name)) for name in AREA}
    show(f"the order of the cells of 64 images on {device}", actions, "patches", device)


def fills(device: str) -> None:
    pixels = torch.rand(64, 3, 224, 224, device=device)
    out = torch.empty_like(pixels)
    ids = _ids(64)
    actions = {}
    for fill in FILLS:
        occluder = load_occluder(f"patches(fill={fill})")
        actions[fill] = further(occluder, pixels, ids, out)
    title = f"fills of [64, 3, 224, 224] float32 on {device}"
    show(title, actions, "black", device, rounds=9)


def sizes(device: str) -> None:
    """A mask costs what its cells cost, whatever the size of the image."""
    ids = _ids(64)
    patches = load_occluder("patches")

    def mask(size: int) -> Action:
        def run() -> None:
            _priorities.cache_clear()
            patches.mask(ids, LEVEL, 0, size, WHOLE, device)

        return run

    actions = {f"{size} px": mask(size) for size in (16, 224, 448)}
    show(f"masks of 64 images, 16 x 16 cells, on {device}", actions, "16 px", device)


def main(device: str) -> None:
    torch.set_num_threads(1)
    batch = 64
    name = ""
    if device == "cuda":
        batch = 256
        name = torch.cuda.get_device_name()
    print(f"torch {torch.__version__}, {device} {name}")
    against_copies(device, batch)
    generators(device)
    fills(device)
    sizes(device)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "cpu")
