"""How many images or reports a cell changes at all: what changed nothing says nothing of a
model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from .gathered import WaitingBatch
    from .inputs import SceneOnDevice

NOTICED = 0.5 / 255
"""By how much a pixel must differ: half a grey level of 8 bits. Less is rounding."""


def altered_images(shown: SceneOnDevice, part: slice, changed: Tensor) -> Tensor:
    """(K,) bool on the device: which images of a part a corruption changed.

    `changed` are their pixels on the 0..1 scale. Nothing waits for the device.
    """
    clean = shown.scene.pixels[part]
    # A corruption clamps what a resize left beyond the scale, which alone changes nothing.
    if shown.levels is None:
        clean = clean.clamp(0, 1)
        changed = changed.clamp(0, 1)
    differences = torch.sub(changed, clean).abs_().flatten(1).amax(1)
    # What is no number on one side alone counts as changed.
    return ~(differences <= NOTICED)


def altered_share(batches: Iterable[WaitingBatch], images: int) -> float | None:
    """The share of a cell's images that were changed; None where a batch does not know."""
    altered = 0
    for batch in batches:
        # A batch of broken images has nothing to change.
        if batch.rows.shape[0] == 0:
            continue
        if batch.altered is None:
            return None
        altered += batch.altered
    return altered / images


def altered_texts(
    texts: Sequence[str], noised: Sequence[str], ranked: Sequence[str]
) -> float:
    """The share of the ranked reports that a noise changed.

    `noised` are the texts of the whole gallery under the noise; equal texts are noised
    alike.
    """
    different = {
        text for text, other in zip(texts, noised, strict=True) if text != other
    }
    return sum(text in different for text in ranked) / len(ranked)
