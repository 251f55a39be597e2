"""What the packages that published the severities make of a grey ramp.

`python -m tests.corruptions.published` prints these tables anew. It needs medmnistc 0.1.0
and imagecorruptions 1.1.2, installed with --no-deps beside opencv-python-headless and
scikit-image: medmnistc pins scikit-image 0.23.2 and needs ImageMagick, so neither is a
tool of development here. The tables were made with numpy 2.4.6, scikit-image 0.26.0,
opencv 5.0.0 and torchvision 0.29.2.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Moments = tuple[float, float]
"""Mean and standard deviation of what was added, on the 0..1 scale."""

BANDS = (slice(0, 64), slice(64, 192), slice(192, 256))
"""Dark, middle and bright columns of the ramp."""
POINTS = [0, 32, 64, 128, 192, 255]
"""Columns of the ramp whose grey values are kept."""

NOISE: dict[tuple[str, float], tuple[Moments, Moments, Moments]] = {
    ("electronic-noise", 0.2): ((0.0, 0.0381), (-0.0019, 0.04), (-0.0034, 0.0381)),
    ("electronic-noise", 0.6): ((0.0134, 0.1026), (-0.0017, 0.1196), (-0.0158, 0.1026)),
    ("electronic-noise", 1.0): ((0.0564, 0.1923), (-0.0013, 0.2394), (-0.0575, 0.192)),
    ("quantum-noise", 0.2): ((-0.0015, 0.0453), (-0.0016, 0.0915), (-0.0167, 0.1011)),
    ("quantum-noise", 0.6): ((-0.0012, 0.0827), (-0.0034, 0.162), (-0.0465, 0.1631)),
    ("quantum-noise", 1.0): ((-0.0003, 0.1569), (-0.0196, 0.2774), (-0.1157, 0.2667)),
    ("speckle", 0.2): ((-0.0019, 0.0073), (-0.0019, 0.026), (-0.0041, 0.041)),
    ("speckle", 0.6): ((-0.0019, 0.0287), (-0.002, 0.1034), (-0.0316, 0.1386)),
    ("speckle", 1.0): ((-0.0016, 0.0636), (-0.0083, 0.2151), (-0.1047, 0.266)),
    ("impulse-noise", 0.2): ((0.0036, 0.0618), (0.0001, 0.052), (-0.004, 0.064)),
    ("impulse-noise", 0.6): ((0.0222, 0.1519), (0.0001, 0.1269), (-0.0235, 0.1551)),
    ("impulse-noise", 1.0): ((0.0638, 0.2511), (-0.0002, 0.2146), (-0.0639, 0.2516)),
    ("electronic-noise(preset=robustmedclip)", 0.2): (
        (0.0, 0.0381),
        (-0.0019, 0.04),
        (-0.0034, 0.0381),
    ),
    ("electronic-noise(preset=robustmedclip)", 0.6): (
        (0.0022, 0.0558),
        (-0.0018, 0.06),
        (-0.0053, 0.0557),
    ),
    ("electronic-noise(preset=robustmedclip)", 1.0): (
        (0.0052, 0.0723),
        (-0.0018, 0.08),
        (-0.0081, 0.0724),
    ),
    ("quantum-noise(preset=robustmedclip)", 0.2): (
        (-0.0018, 0.0203),
        (-0.0019, 0.0409),
        (-0.005, 0.0503),
    ),
    ("quantum-noise(preset=robustmedclip)", 0.6): (
        (-0.0017, 0.0288),
        (-0.0019, 0.0577),
        (-0.0081, 0.0689),
    ),
    ("quantum-noise(preset=robustmedclip)", 1.0): (
        (-0.0018, 0.0394),
        (-0.002, 0.0792),
        (-0.0135, 0.0901),
    ),
    ("speckle(preset=robustmedclip)", 0.2): (
        (-0.0019, 0.0073),
        (-0.0019, 0.026),
        (-0.0041, 0.041),
    ),
    ("speckle(preset=robustmedclip)", 0.6): (
        (-0.0019, 0.0144),
        (-0.0019, 0.0521),
        (-0.0103, 0.0771),
    ),
    ("speckle(preset=robustmedclip)", 1.0): (
        (-0.0019, 0.0287),
        (-0.002, 0.1034),
        (-0.0316, 0.1386),
    ),
    ("impulse-noise(preset=robustmedclip)", 0.2): (
        (0.0017, 0.0433),
        (0.0, 0.0372),
        (-0.002, 0.0456),
    ),
    ("impulse-noise(preset=robustmedclip)", 0.6): (
        (0.0045, 0.0692),
        (0.0002, 0.0581),
        (-0.0052, 0.0739),
    ),
    ("impulse-noise(preset=robustmedclip)", 1.0): (
        (0.0072, 0.0876),
        (-0.0, 0.074),
        (-0.0073, 0.0876),
    ),
    ("electronic-noise(preset=imagenet-c)", 0.2): (
        (0.0048, 0.0721),
        (-0.002, 0.0799),
        (-0.0084, 0.0728),
    ),
    ("electronic-noise(preset=imagenet-c)", 0.6): (
        (0.0292, 0.1422),
        (-0.002, 0.1756),
        (-0.0326, 0.1439),
    ),
    ("electronic-noise(preset=imagenet-c)", 1.0): (
        (0.0969, 0.2578),
        (-0.0017, 0.3091),
        (-0.1007, 0.2599),
    ),
    ("quantum-noise(preset=imagenet-c)", 0.2): (
        (-0.0014, 0.0452),
        (-0.0015, 0.091),
        (-0.0171, 0.1013),
    ),
    ("quantum-noise(preset=imagenet-c)", 0.6): (
        (-0.0014, 0.1008),
        (-0.0064, 0.1942),
        (-0.0633, 0.19),
    ),
    ("quantum-noise(preset=imagenet-c)", 1.0): (
        (-0.0003, 0.2002),
        (-0.0378, 0.3347),
        (-0.1606, 0.3251),
    ),
    ("speckle(preset=imagenet-c)", 0.2): (
        (-0.0019, 0.0215),
        (-0.0021, 0.0778),
        (-0.0204, 0.11),
    ),
    ("speckle(preset=imagenet-c)", 0.6): (
        (-0.0019, 0.05),
        (-0.0052, 0.1741),
        (-0.0761, 0.2208),
    ),
    ("speckle(preset=imagenet-c)", 1.0): (
        (-0.0003, 0.0821),
        (-0.0142, 0.2649),
        (-0.1478, 0.3227),
    ),
    ("impulse-noise(preset=imagenet-c)", 0.2): (
        (0.0115, 0.1094),
        (0.0004, 0.0909),
        (-0.0112, 0.1084),
    ),
    ("impulse-noise(preset=imagenet-c)", 0.6): (
        (0.0337, 0.1861),
        (0.0004, 0.1559),
        (-0.033, 0.1841),
    ),
    ("impulse-noise(preset=imagenet-c)", 1.0): (
        (0.1021, 0.3114),
        (-0.0004, 0.2707),
        (-0.1012, 0.3104),
    ),
}
"""By corruption and severity, of each band; eight draws."""

EXACT: dict[tuple[str, float], list[int]] = {
    ("overexposure", 0.2): [0, 26, 55, 119, 187, 255],
    ("overexposure", 0.6): [0, 17, 42, 104, 177, 255],
    ("overexposure", 1.0): [0, 9, 28, 84, 162, 255],
    ("underexposure", 0.2): [0, 39, 73, 137, 198, 255],
    ("underexposure", 0.6): [0, 59, 97, 158, 209, 255],
    ("underexposure", 1.0): [0, 111, 147, 194, 228, 255],
    ("contrast", 0.2): [12, 41, 70, 128, 185, 242],
    ("contrast", 0.6): [38, 60, 83, 128, 172, 216],
    ("contrast", 1.0): [76, 89, 102, 128, 153, 178],
    ("contrast(direction=up)", 0.2): [0, 22, 57, 128, 198, 255],
    ("contrast(direction=up)", 0.6): [0, 3, 44, 128, 211, 255],
    ("contrast(direction=up)", 1.0): [0, 0, 25, 128, 230, 255],
    ("overexposure(preset=robustmedclip)", 0.2): [0, 26, 55, 119, 187, 255],
    ("overexposure(preset=robustmedclip)", 0.6): [0, 17, 42, 104, 177, 255],
    ("overexposure(preset=robustmedclip)", 1.0): [0, 9, 28, 84, 162, 255],
    ("underexposure(preset=robustmedclip)", 0.2): [0, 39, 73, 137, 198, 255],
    ("underexposure(preset=robustmedclip)", 0.6): [0, 59, 97, 158, 209, 255],
    ("underexposure(preset=robustmedclip)", 1.0): [0, 111, 147, 194, 228, 255],
    ("contrast(preset=robustmedclip)", 0.2): [12, 41, 70, 128, 185, 242],
    ("contrast(preset=robustmedclip)", 0.6): [38, 60, 83, 128, 172, 216],
    ("contrast(preset=robustmedclip)", 1.0): [76, 89, 102, 128, 153, 178],
    ("contrast(direction=up,preset=robustmedclip)", 0.2): [0, 22, 57, 128, 198, 255],
    ("contrast(direction=up,preset=robustmedclip)", 0.6): [0, 3, 44, 128, 211, 255],
    ("contrast(direction=up,preset=robustmedclip)", 1.0): [0, 0, 25, 128, 230, 255],
    ("contrast(preset=imagenet-c)", 0.2): [76, 89, 102, 127, 153, 178],
    ("contrast(preset=imagenet-c)", 0.6): [102, 108, 114, 127, 140, 153],
    ("contrast(preset=imagenet-c)", 1.0): [121, 122, 124, 127, 130, 133],
    ("window-shift(direction=brighter)", 0.2): [25, 57, 89, 153, 217, 255],
    ("window-shift(direction=brighter)", 0.6): [76, 108, 140, 204, 255, 255],
    ("window-shift(direction=brighter)", 1.0): [127, 159, 191, 255, 255, 255],
}
"""By corruption and severity, the grey values at `POINTS`."""

_NOISES = {
    "electronic-noise": "gaussian_noise",
    "quantum-noise": "shot_noise",
    "speckle": "speckle_noise",
    "impulse-noise": "impulse_noise",
}
_CURVES = {
    "overexposure": ("gamma_corr_up", "{}"),
    "underexposure": ("gamma_corr_down", "{}"),
    "contrast": ("contrast_down", "{}"),
    "contrast(direction=up)": ("contrast_up", "direction=up,{}"),
}
_CHEST_SETS = {"medmnist-c": "chestmnist", "robustmedclip": "pneumoniamnist"}
_DRAWS = 8


def ramp() -> NDArray[np.uint8]:
    """(256, 256): each column has the grey value of its number."""
    return np.tile(np.arange(256, dtype=np.uint8), (256, 1))


def moments(
    changed: Callable[[], NDArray[Any]], draws: int = _DRAWS
) -> tuple[Moments, Moments, Moments]:
    """Of what `changed`, a changed ramp of bytes, adds in each band."""
    clean = ramp() / 255
    added = np.stack([changed() / 255 - clean for _ in range(draws)])
    dark, middle, bright = (
        (round(float(part.mean()), 4), round(float(part.std()), 4))
        for part in (added[..., band] for band in BANDS)
    )
    return dark, middle, bright


def _of_medmnistc() -> Iterator[str]:
    # Its registry imports what needs ImageMagick and the data.
    absent = (
        "wand",
        "wand.image",
        "wand.api",
        "wand.color",
        "medmnist",
        "medmnist.info",
    )
    with mock.patch.dict(sys.modules, {name: mock.MagicMock() for name in absent}):
        registry = import_module("medmnistc.corruptions.registry").CORRUPTIONS_DS
    grey = Image.fromarray(ramp())
    for preset, data in _CHEST_SETS.items():
        for ours, theirs in _NOISES.items():
            corruption = registry[data][theirs]
            corruption.rng = np.random.default_rng(0)
            for step in (0, 2, 4):
                found = moments(lambda: corruption.apply(grey, step))  # noqa: B023
                yield f'("{ours}(preset={preset})", {(step + 1) / 5}): {found},'
        for ours, (theirs, parameters) in _CURVES.items():
            for step in (0, 2, 4):
                values = registry[data][theirs].apply(grey, step)[0][POINTS].tolist()
                call = (
                    f"{ours.partition('(')[0]}({parameters.format(f'preset={preset}')})"
                )
                yield f'("{call}", {(step + 1) / 5}): {values},'


def _of_imagecorruptions() -> Iterator[str]:
    corrupt = import_module("imagecorruptions").corrupt
    colour = np.repeat(ramp()[..., None], 3, axis=2)
    for ours, theirs in _NOISES.items():
        for step in (1, 3, 5):
            found = moments(lambda: corrupt(colour, step, theirs)[..., 0])  # noqa: B023
            yield f'("{ours}(preset=imagenet-c)", {step / 5}): {found},'
    for ours, theirs in (
        ("contrast(preset=imagenet-c)", "contrast"),
        ("window-shift(direction=brighter)", "brightness"),
    ):
        for step in (1, 3, 5):
            values = corrupt(colour, step, theirs)[0, POINTS, 0].tolist()
            yield f'("{ours}", {step / 5}): {values},'


if __name__ == "__main__":
    np.random.seed(0)
    for line in [*_of_medmnistc(), *_of_imagecorruptions()]:
        print(line)
