"""Pictures that cost what radiographs cost to decode."""

from __future__ import annotations

import numpy as np
from PIL import Image


def radiograph(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """A smooth grey picture with some grain."""
    coarse = random.integers(0, 255, (16, 16), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height))
    grain = random.integers(-6, 7, (height, width), dtype=np.int16)
    levels = (np.asarray(smooth, dtype=np.int16) + grain).clip(0, 255)
    return Image.fromarray(levels.astype(np.uint8))
