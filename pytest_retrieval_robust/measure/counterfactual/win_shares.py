"""From won comparisons to a share with an interval over patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...core.counterfactual_outcomes import WinShare
from ...retrieval.bootstrap import Clusters, design_effect
from ...retrieval.intervals import proportion

if TYPE_CHECKING:
    from .edits import Comparisons

CONFIDENCE = 0.975
"""Of each end: both together hold 95 %."""


def win_share(
    kind: str,
    wins: NDArray[np.bool_],
    comparisons: Comparisons,
    patients: Clusters | None,
    chosen: NDArray[np.bool_],
) -> WinShare:
    """The share over the chosen comparisons, of which there is at least one.

    Args:
        kind: What the share is called.
        wins: (P,) whether the right report scored higher.
        comparisons: Their images and edits.
        patients: The patient of each image; None where each has one of its own.
        chosen: (P,) the comparisons of the kind.
    """
    images = comparisons.duels.queries[chosen]
    counts = np.bincount(images)
    compared = np.flatnonzero(counts)
    won = np.bincount(images, weights=wins[chosen].astype(np.float64))
    per_image = won[compared] / counts[compared]
    labels = compared if patients is None else patients.numbers[compared]
    clusters = Clusters.of(labels.astype(np.int64))
    sizes = clusters.patient_sizes
    effective = effective_images(per_image, clusters)
    share = min(1.0, float(per_image.mean()))
    estimate = proportion(
        share,
        len(per_image),
        CONFIDENCE,
        len(per_image) / effective,
        sizes.degrees_of_freedom,
    )
    return WinShare(
        kind=kind,
        edits=len(np.unique(comparisons.duels.wrong[chosen])),
        comparisons=int(chosen.sum()),
        images=len(per_image),
        share=share,
        interval=(estimate.low, estimate.high),
        effective=effective,
        patients=None if sizes.are_alone else sizes.count,
        degrees_of_freedom=None if sizes.are_alone else sizes.degrees_of_freedom,
    )


def effective_images(per_image: NDArray[np.float64], patients: Clusters) -> float:
    """How many independent hits or misses the mean of (N,) shares is worth.

    Images of one patient are worth fewer: the design effect. An image with several
    comparisons is worth more than a single one, as far as shares vary less than hits
    and misses with the same mean do. One image that won everything and one that lost
    everything are added to that ratio, so that it is 1 where nothing varies (as A.
    Agresti and Y. Min do for pairs, Statistics in Medicine 24, 2005).
    """
    count = len(per_image)
    padded = np.concatenate([per_image, [0.0, 1.0]])
    mean = float(padded.mean())
    ratio = min(1.0, float(padded.var()) / (mean * (1 - mean)))
    return count / (ratio * design_effect(per_image, patients))
