"""Batches of a data set's images that a model looks at outside of a sweep: for timing, and for searches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from .errors import DatasetError, UnreadableImageError
from .occluders._donors import by_hash
from .occluders._scene import Scene, Setting, unit_scale
from .sweep import Pairs

if TYPE_CHECKING:
    from .datasets import RetrievalDataset
    from .models import DualEncoder, Prepared


def setting_of(model: DualEncoder, pairs: Pairs) -> Setting:
    """The model on the data, with the gallery's embeddings."""
    return Setting(model, pairs.dataset, model.encode_reports(pairs.texts), pairs.report_groups)


def first_images(model: DualEncoder, dataset: RetrievalDataset, images: int) -> tuple[Scene, Pairs]:
    """The data set's first `images` images, and the reports that are right for them as the gallery."""
    kept, prepared = _prepared(model, dataset, range(len(dataset.image_ids)), images)
    right = np.isin(dataset.report_groups, dataset.image_groups[kept])
    pairs = Pairs(dataset, np.array(kept), np.flatnonzero(right))
    return _scene(setting_of(model, pairs), pairs.dataset, kept, prepared), pairs


def sampled_images(setting: Setting, model: DualEncoder, pairs: Pairs, images: int) -> Scene:
    """`images` of the pairs' images, chosen by their ids alone: the same in every run, in any order of the data."""
    dataset = pairs.dataset
    numbers = [int(pairs.images[place]) for place in by_hash(pairs.image_ids, "sample")]
    return _scene(setting, dataset, *_prepared(model, dataset, numbers, images))


def _prepared(
    model: DualEncoder, dataset: RetrievalDataset, numbers: Iterable[int], images: int
) -> tuple[list[int], list[Prepared]]:
    """The first `images` of these that can be read; broken ones are left out where the data set skips them."""
    kept: list[int] = []
    prepared: list[Prepared] = []
    for number in numbers:
        try:
            prepared.append(model.prepare(dataset.image(number)))
        except UnreadableImageError:
            if not getattr(dataset, "skips_unreadable", False):
                raise
            continue
        kept.append(number)
        if len(kept) == images:
            break
    if not kept:
        raise DatasetError(f"Expected images that can be read in {dataset.name}, got none. Mend its files or its root.")
    return kept, prepared


def _scene(setting: Setting, dataset: RetrievalDataset, kept: list[int], prepared: list[Prepared]) -> Scene:
    return Scene(
        setting,
        kept,
        [dataset.image_ids[number] for number in kept],
        unit_scale(np.stack([one.pixels for one in prepared]), setting.encoder.device),
        [one.frame for one in prepared],
        dataset.image_groups[kept],
    )
