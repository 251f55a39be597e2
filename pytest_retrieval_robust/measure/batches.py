"""Batches of a data set's images that a model looks at outside of a sweep: for timing,
and for searches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import DatasetError, UnreadableImageError
from ..occluders._scene import (
    Prepares,
    Scene,
    Setting,
    batch_size,
    open_image,
    prepare_image,
    stacked,
    unit_scale,
)
from ..occluders.hashing import by_hash
from .pairs import Pairs
from .sweep.gallery import encode_gallery

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder


PART = 64
"""Images of a search whose pixels are held at a time."""


def setting_of(model: DualEncoder, pairs: Pairs) -> Setting:
    """The model on the data, with the gallery's embeddings."""
    reports = encode_gallery(model, pairs.texts, batch_size(model.device))
    return Setting(model, pairs.dataset, reports, pairs.report_groups)


def first_images(
    model: DualEncoder, dataset: RetrievalDataset, images: int, gallery: int = 0
) -> tuple[Scene, Pairs]:
    """The data set's first `images` images.

    The gallery: the reports right for them, and for the first `gallery`.
    """
    kept, prepared = _prepared(model, dataset, range(len(dataset.image_ids)), images)
    if not kept:
        raise DatasetError(
            f"Expected images that can be read in {dataset.name}, got none. Fix its"
            " files or its root."
        )
    answered = [*kept, *range(min(gallery, len(dataset.image_ids)))]
    right = np.isin(dataset.report_groups, dataset.image_groups[answered])
    pairs = Pairs(dataset, np.array(kept), np.flatnonzero(right))
    return _scene(setting_of(model, pairs), pairs.dataset, kept, prepared), pairs


def scene_of(
    setting: Setting,
    model: DualEncoder,
    dataset: RetrievalDataset,
    numbers: Sequence[int],
) -> Scene:
    """The images of these numbers, which can be read."""
    return _scene(setting, dataset, *_prepared(model, dataset, numbers, len(numbers)))


def sampled_images(
    setting: Setting, model: DualEncoder, pairs: Pairs, images: int
) -> Iterator[Scene]:
    """`images` of the pairs' images, chosen by their ids alone: the same in every run,
    in any order of the data.

    They come in scenes of at most `PART` images, so that memory does not grow with their number.
    """
    dataset = pairs.dataset
    left = iter(
        [int(pairs.images[place]) for place in by_hash(pairs.image_ids, "sample")]
    )
    while images > 0:
        kept, prepared = _prepared(model, dataset, left, min(images, PART))
        if not kept:
            return
        yield _scene(setting, dataset, kept, prepared)
        images -= len(kept)


def _prepared(
    model: DualEncoder, dataset: RetrievalDataset, numbers: Iterable[int], images: int
) -> tuple[list[int], list[Prepares]]:
    """The first `images` of these that can be read; broken ones are left out where the
    data set skips them.
    """
    kept: list[int] = []
    prepared: list[Prepares] = []
    for number in numbers:
        try:
            image = open_image(dataset, number, f"its image number {number}")
        except UnreadableImageError:
            if not getattr(dataset, "skips_unreadable", False):
                raise
            continue
        prepared.append(prepare_image(model, image))
        kept.append(number)
        if len(kept) == images:
            break
    return kept, prepared


def _scene(
    setting: Setting,
    dataset: RetrievalDataset,
    kept: list[int],
    prepared: list[Prepares],
) -> Scene:
    return Scene(
        setting,
        kept,
        [dataset.image_ids[number] for number in kept],
        unit_scale(stacked(prepared, setting.encoder.name), setting.encoder.device),
        [one.frame for one in prepared],
        dataset.image_groups[kept],
    )
