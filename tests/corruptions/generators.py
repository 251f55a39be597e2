"""Every corruption of the catalogue, and batches of small pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import strategies as st

from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.corruptions import WHOLE, Corruption, CorruptionEntry
from pytest_retrieval_robust.corruptions import Box as Frame

ENTRIES: dict[str, CorruptionEntry] = {
    entry.name: entry for entry in Catalogues().corruptions.entries()
}
CORRUPTIONS: dict[str, Corruption] = {
    name: entry.build() for name, entry in ENTRIES.items()
}
BY_PIXEL = (
    "contrast",
    "electronic-noise",
    "impulse-noise",
    "overexposure",
    "quantum-noise",
    "speckle",
    "underexposure",
    "window-shift",
)
"""Those that never bring a pixel nearer to the clean one as the severity rises."""
BY_FILMS = ("crop", "pixelation", "shift", "zoom")
"""Those whose distance to the clean film rises in the mean of films, while a single one may
come a little nearer: by chance its edges lie on blocks, or a part looks like another.
"""
STEPS = (0.2, 0.4, 0.6, 0.8, 1.0)
IDS = ["a", "b", "c", "d", "e"]
CROPPED: Frame = (-0.25, -0.125, 1.25, 1.125)
PADDED: Frame = (0.0, 0.2, 1.0, 0.8)
FRAMES = [WHOLE, CROPPED, PADDED]
MIXED: Sequence[Frame] = [WHOLE, PADDED, WHOLE, CROPPED, PADDED]
"""One frame per image of `IDS`."""

names = st.sampled_from(sorted(CORRUPTIONS))
severities = st.integers(0, 1000).map(lambda n: n / 1000)
seeds = st.integers(0, 2**64 - 1)
frames = st.sampled_from(FRAMES)


def pictures(images: int = 5, side: int = 16, seed: int = 0) -> torch.Tensor:
    """(images, 3, side, side) random pixels in [0, 1), with some black and white."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(images, 3, side, side, generator=generator)
    return (drawn * 1.2 - 0.1).clamp(0, 1)


def outside(frame: Frame, side: int) -> torch.Tensor:
    """(side, side) bool: whether a pixel's centre lies in the padding."""
    left, top, right, bottom = frame
    centres = (torch.arange(side) + 0.5) / side
    rows = (centres >= top) & (centres < bottom)
    columns = (centres >= left) & (centres < right)
    return ~(rows[:, None] & columns)
