"""Batches of images that a model sees outside of a sweep: for timing, and for searches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.encoding import (
    Prepares,
    batch_size,
    open_image,
    prepare_image,
    stacked,
    unit_scale,
)
from ..core.errors import DatasetError, UnreadableImageError
from ..occluders.hashing import by_hash
from ..occluders.scene import Scene, Setting
from .abilities import skips_unreadable
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
    """The data set's first `images` readable images.

    The gallery is the reports that are right for one of them, or for one of the data
    set's first `gallery` images.
    """
    count = len(dataset.image_ids)
    numbers, prepared = _prepared(model, dataset, range(count), images)
    if not numbers:
        raise DatasetError(
            f"Expected images that can be read in {dataset.name}, got none. Fix its"
            " files or its root."
        )
    answered = [*numbers, *range(min(gallery, count))]
    is_right = np.isin(dataset.report_groups, dataset.image_groups[answered])
    pairs = Pairs(dataset, np.array(numbers), np.flatnonzero(is_right))
    scene = _scene(setting_of(model, pairs), dataset, numbers, prepared)
    return scene, pairs


def scene_of(
    setting: Setting,
    model: DualEncoder,
    dataset: RetrievalDataset,
    numbers: Sequence[int],
) -> Scene:
    """The images with these numbers, without broken ones that the data set skips."""
    readable, prepared = _prepared(model, dataset, numbers, len(numbers))
    return _scene(setting, dataset, readable, prepared)


def sampled_images(
    setting: Setting, model: DualEncoder, pairs: Pairs, images: int
) -> Iterator[Scene]:
    """`images` of the pairs' images, chosen by their ids alone.

    They are the same in every run, in any order of the data. They come in scenes of at
    most `PART` images, so that memory does not grow with their number.
    """
    dataset = pairs.dataset
    # By a hash of the id, an image's place in the data does not matter.
    order = by_hash(pairs.image_ids, "sample")
    candidates = iter([int(pairs.images[index]) for index in order])
    missing = images
    while missing > 0:
        # Each part goes on where the iterator stopped.
        size = min(missing, PART)
        numbers, prepared = _prepared(model, dataset, candidates, size)
        if not numbers:
            return
        yield _scene(setting, dataset, numbers, prepared)
        missing -= len(numbers)


def _prepared(
    model: DualEncoder, dataset: RetrievalDataset, numbers: Iterable[int], images: int
) -> tuple[list[int], list[Prepares]]:
    """The first `images` of these that can be read, with their numbers.

    Broken ones are left out if the data set skips them.
    """
    readable: list[int] = []
    prepared: list[Prepares] = []
    for number in numbers:
        try:
            image = open_image(dataset, number, f"its image number {number}")
        except UnreadableImageError:
            if not skips_unreadable(dataset):
                raise
            continue
        prepared.append(prepare_image(model, image))
        readable.append(number)
        if len(readable) == images:
            break
    return readable, prepared


def _scene(
    setting: Setting,
    dataset: RetrievalDataset,
    numbers: list[int],
    prepared: list[Prepares],
) -> Scene:
    pixels = stacked(prepared, setting.encoder.name)
    return Scene(
        setting=setting,
        numbers=numbers,
        ids=[dataset.image_ids[number] for number in numbers],
        pixels=unit_scale(pixels, setting.encoder.device),
        frames=[image.frame for image in prepared],
        groups=dataset.image_groups[numbers],
    )
