"""What corrupting costs beside imagecorruptions and torchvision, in one run.

`python -m benchmarks.corruptions [DEVICE [NAME ...]]` (peers: `pip install
imagecorruptions torchvision`; what is missing is left out). All is timed in turns on one
thread, on [64, 3, 224, 224], on a processor by the time that it computed, so that other
work on the machine counts for little. `first` is the first severity of a batch, for which random
numbers are drawn; `further` is any other one. Each figure is the median over rounds of
the peer's time by ours in that round, so that 5 means five times as fast.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from statistics import median
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.corruptions import WHOLE, Corruption

from .side_by_side import Action, in_turns, waited

IMAGES = 64
SIDE = 224
ROUNDS = 5
PEER_IMAGES = 8
"""Images that a peer changes one by one, whose time is multiplied."""
IN_IMAGECORRUPTIONS: Mapping[str, str] = {
    "contrast": "contrast",
    "electronic-noise": "gaussian_noise",
    "focus-blur": "defocus_blur",
    "impulse-noise": "impulse_noise",
    "jpeg": "jpeg_compression",
    "motion-blur": "motion_blur",
    "pixelation": "pixelate",
    "quantum-noise": "shot_noise",
    "speckle": "speckle_noise",
    "window-shift": "brightness",
}
"""By our names. Its Gaussian blur does not run with today's scikit-image."""


@dataclass(frozen=True)
class Peer:
    """What another library does to the batch, or to a part of it."""

    library: str
    function: str
    action: Action
    scale: float = 1
    """How often the part goes into the batch."""


@dataclass(frozen=True)
class Row:
    """A corruption beside one peer."""

    corruption: str
    dtype: str
    peer: str
    milliseconds: float
    """Of a further severity."""
    first: float
    """The peer's time by that of the first severity."""
    further: float
    """The peer's time by that of a further one."""


def rows(
    device: str,
    dtype: torch.dtype,
    rounds: int = ROUNDS,
    only: Sequence[str] = (),
) -> list[Row]:
    """Every corruption of the catalogue, or only those named, beside every peer that has
    it and a copy of the batch.
    """
    pixels = films(dtype).to(device)
    out = torch.empty_like(pixels)
    ids = [f"image-{number}" for number in range(IMAGES)]
    found = []
    catalogue = Catalogues().corruptions
    for entry in map(catalogue.get, only or catalogue.names()):
        bound = entry.build().bind(cast(Any, None))

        def first(build: Any = entry.build) -> object:
            fresh: Corruption = build().bind(None)
            return fresh.corrupt(pixels, ids, 0.6, 0, WHOLE, out)

        def further(bound: Corruption = bound) -> object:
            return bound.corrupt(pixels, ids, 0.6, 0, WHOLE, out)

        peers = [*_of_imagecorruptions(entry.name, pixels)]
        peers += _of_torchvision(entry.name, pixels)
        peers += [Peer("torch", "copy", lambda: out.copy_(pixels))]
        actions: dict[str, Action] = {"first": first, "further": further}
        actions |= {f"{peer.library} {peer.function}": peer.action for peer in peers}
        seconds = in_turns(actions, device, rounds, _clock)
        for peer in peers:
            name = f"{peer.library} {peer.function}"
            found.append(
                Row(
                    entry.name,
                    str(dtype).removeprefix("torch."),
                    name,
                    median(seconds["further"]) * 1000,
                    _ratio(seconds[name], seconds["first"]) * peer.scale,
                    _ratio(seconds[name], seconds["further"]) * peer.scale,
                )
            )
    return found


def films(dtype: torch.dtype) -> Tensor:
    """(64, 3, 224, 224) smooth grey pictures with a little grain."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(IMAGES, 1, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
    grain = torch.rand(smooth.shape, generator=generator) * 0.05
    levels = ((smooth * 0.95 + grain) * 255).to(torch.uint8).expand(-1, 3, -1, -1)
    levels = levels.contiguous()
    return levels if dtype == torch.uint8 else (levels.float() / 255).to(dtype)


def _clock(action: Action, device: str) -> float:
    """Seconds that the processor computed for one call; on a card those of waiting."""
    if device.startswith("cuda"):
        return waited(action, device)
    start = time.process_time()
    action()
    return time.process_time() - start


def _ratio(theirs: list[float], ours: list[float]) -> float:
    return median(a / b for a, b in zip(theirs, ours, strict=True))


def _of_imagecorruptions(name: str, pixels: Tensor) -> list[Peer]:
    """It takes one image of bytes at a time."""
    if name not in IN_IMAGECORRUPTIONS or pixels.dtype != torch.uint8:
        return []
    try:
        corrupt = import_module("imagecorruptions").corrupt
    except ImportError:
        return []
    images = pixels[:PEER_IMAGES].permute(0, 2, 3, 1).cpu().numpy()
    function = IN_IMAGECORRUPTIONS[name]

    def act() -> object:
        return np.stack([corrupt(image, 3, function) for image in images])

    return [Peer("imagecorruptions", function, act, IMAGES / PEER_IMAGES)]


def _of_torchvision(name: str, pixels: Tensor) -> list[Peer]:
    """Its functions of batches."""
    try:
        F = import_module("torchvision.transforms.v2.functional")
    except ImportError:
        return []
    functions: dict[str, tuple[str, Action]] = {
        "overexposure": ("adjust_gamma", lambda: F.adjust_gamma(pixels, 1.3)),
        "underexposure": ("adjust_gamma", lambda: F.adjust_gamma(pixels, 0.7)),
        "contrast": ("adjust_contrast", lambda: F.adjust_contrast(pixels, 0.7)),
        "inverted-polarity": ("invert", lambda: F.invert(pixels)),
        "electronic-noise": (
            "gaussian_noise",
            lambda: F.gaussian_noise(pixels, 0.0, 0.12),
        ),
        "focus-blur": ("gaussian_blur", lambda: F.gaussian_blur(pixels, [13, 13])),
        "mirrored": ("horizontal_flip", lambda: F.horizontal_flip(pixels)),
        "rotation": (
            "rotate",
            lambda: F.rotate(pixels, 9.0, F.InterpolationMode.BILINEAR),
        ),
        "jpeg": ("jpeg", lambda: F.jpeg(pixels, 15)),
    }
    if name not in functions:
        return []
    takes_bytes_alone = name == "jpeg"
    if takes_bytes_alone and pixels.dtype != torch.uint8:
        return []
    function, action = functions[name]
    if name == "jpeg":
        images = [*pixels.cpu()]
        return [
            Peer(
                "torchvision",
                function,
                lambda: torch.stack([F.jpeg(image, 15) for image in images]),
            )
        ]
    return [Peer("torchvision", function, action)]


def main(device: str, only: Sequence[str]) -> None:
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {device}, [{IMAGES}, 3, {SIDE}, {SIDE}]")
    print(
        f"{'corruption':20}{'dtype':9}{'beside':36}{'ms':>8}{'first':>8}{'further':>9}"
    )
    for dtype in (torch.uint8, torch.float32):
        for row in rows(device, dtype, only=only):
            print(
                f"{row.corruption:20}{row.dtype:9}{row.peer:36}"
                f"{row.milliseconds:8.1f}{row.first:8.2f}{row.further:9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "cpu", sys.argv[2:])
