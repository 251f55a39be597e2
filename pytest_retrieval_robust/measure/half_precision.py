"""What encoding in half precision does to a model's embeddings, beside the same weights in float32.

Ranks are exact whatever the encoder's precision; the embeddings that they rank are not.
On embeddings with a large common component a change of 1e-3 can swap neighbours, so a
run says how large the change is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.calling import encode_reports
from ..core.cases import Json
from ..occluders._scene import encode
from .batches import first_images

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder

SAMPLE = 32
"""Images, and at most as many reports, that both precisions encode."""


def precision_effect(
    model: DualEncoder, reference: DualEncoder, dataset: RetrievalDataset
) -> Json:
    """Of a model against `reference`, the same in float32: for the data set's first
    images and their reports the number of each, the lowest and the mean cosine between
    the two embeddings of one input, and the largest difference of any component.
    """
    scene, pairs = first_images(model, dataset, SAMPLE)
    texts = pairs.texts[:SAMPLE]
    return {
        "images": _between(
            encode(model, scene.pixels),
            encode(reference, scene.pixels.to(reference.device)),
        ),
        "reports": _between(
            encode_reports(model, texts).rows, encode_reports(reference, texts).rows
        ),
    }


def _between(rows: Tensor, exact: Tensor) -> Json:
    # To the host first: Apple GPUs have no float64.
    low, high = rows.cpu().double(), exact.cpu().double()
    cosines = torch.nn.functional.cosine_similarity(low, high)
    return {
        "count": len(low),
        "lowest_cosine": float(cosines.min()),
        "mean_cosine": float(cosines.mean()),
        "largest_difference": float((low - high).abs().max()),
    }
