"""Draws the picture and writes the table of distances of `docs/corruptions.md`.

`python -m training.corruption_sheet`
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.corruptions import Corruption
from pytest_retrieval_robust.occluders.scene import Scene
from training.contact_sheet import DOCS, replace_part
from training.occluder_sheet import Sheet, scene_of

PAGE = DOCS / "corruptions.md"
PICTURE = DOCS / "images" / "corruptions.png"
STEPS = (0.2, 0.4, 0.6, 0.8, 1.0)
_DRAWN_STEPS = (0.2, 0.6, 1.0)
_PER_ROW = 2
_MANY = 64
"""Films that the table takes its means over."""
_SHOWN = 11
"""The number of the film in the picture: consolidation and a nodule, no devices."""
_GREYS = 64
"""What is left of 256 grey levels in the picture, for the sake of its size."""


def main() -> None:
    """Write the picture and the table."""
    data = load_dataset("synthetic-cxr")
    corruptions = [entry.build() for entry in Catalogues().corruptions.entries()]
    draw(scene_of(data, [_SHOWN]), corruptions)
    scene = scene_of(data, range(_MANY))
    replace_part(PAGE, "distances", distances_table(scene, corruptions))


def draw(scene: Scene, corruptions: Sequence[Corruption]) -> None:
    """Every corruption of one film at the first, third and fifth step."""
    sheet = Sheet(112, [], label=0)
    for start in range(0, len(corruptions), _PER_ROW):
        tiles = [
            (f"{corruption.name} {severity:g}", _tile(scene, corruption, severity))
            for corruption in corruptions[start : start + _PER_ROW]
            for severity in _DRAWN_STEPS
        ]
        sheet.rows.append(("", tiles))
    coarse = np.asarray(sheet.draw()).astype(np.float64) * (_GREYS - 1) / 255
    levels = np.rint(np.rint(coarse) * 255 / (_GREYS - 1)).astype(np.uint8)
    Image.fromarray(levels).save(PICTURE, optimize=True)


def _tile(scene: Scene, corruption: Corruption, severity: float) -> Image.Image:
    after = corruption.corrupt(scene.pixels, scene.ids, severity, 0, scene.frames)
    greys = (after[0, 0] * 255).round().to(torch.uint8)
    return Image.fromarray(greys.numpy())


def distances_table(scene: Scene, corruptions: Sequence[Corruption]) -> str:
    """Mean distances to the clean films, in grey levels of 255."""
    severities = " | ".join(f"{step:g}" for step in STEPS)
    lines = [f"| corruption | {severities} |", "| --- |" + " --- |" * len(STEPS)]
    for corruption in corruptions:
        bound = corruption.bind(scene)
        shown = []
        for step in STEPS:
            after = bound.corrupt(scene.pixels, scene.ids, step, 0, scene.frames)
            distance = float((after - scene.pixels).abs().mean()) * 255
            shown.append(f"{distance:.1f}")
        lines.append(f"| `{corruption.name}` | {' | '.join(shown)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
