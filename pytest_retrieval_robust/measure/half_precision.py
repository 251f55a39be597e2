"""What half precision changes in a model's embeddings, against the same weights in float32.

Ranks are exact for any precision of the encoder; the embeddings that they rank are not.
On embeddings with a large common component a change of 1e-3 can swap neighbours, so a
run reports how large the change is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.calling import encode_reports
from ..core.cases import Json
from ..core.encoding import encode
from .batches import first_images

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder

SAMPLE = 32
"""Images, and at most as many reports, that both precisions encode."""


def precision_effect(
    model: DualEncoder, reference: DualEncoder, dataset: RetrievalDataset
) -> Json:
    """How far a model's embeddings are from those of `reference`, the same in float32.

    For the data set's first images, and for their reports: how many, the lowest and the
    mean cosine between the two embeddings of an input, and the largest difference of
    any component.
    """
    scene, pairs = first_images(model, dataset, SAMPLE)
    texts = pairs.texts[:SAMPLE]
    # Both see the same pixels. The reference may be on another device.
    reference_pixels = scene.pixels.to(reference.device)
    images = _difference(
        encode(model, scene.pixels), encode(reference, reference_pixels)
    )
    reports = _difference(
        encode_reports(model, texts).rows, encode_reports(reference, texts).rows
    )
    return {"images": images, "reports": reports}


def _difference(rows: Tensor, reference_rows: Tensor) -> Json:
    # To the host first: Apple GPUs have no float64.
    low = rows.cpu().double()
    high = reference_rows.cpu().double()
    cosines = torch.nn.functional.cosine_similarity(low, high)
    return {
        "count": len(low),
        "lowest_cosine": float(cosines.min()),
        "mean_cosine": float(cosines.mean()),
        "largest_difference": float((low - high).abs().max()),
    }
