"""Batches of images that a model sees outside of a sweep: for timing, and for searches."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..core.encoding import Prepares, batch_size, stacked, unit_scale
from ..core.errors import DatasetError
from ..occluders.hashing import by_hash
from ..occluders.scene import Scene, Setting
from .pairs import Pairs
from .readable import ReadableImage, readable_images
from .sweep.gallery import encode_gallery

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder


Part: TypeAlias = tuple[list[int], list[Prepares]]
"""Images by their numbers in the data set, and as a model prepared them."""
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
    candidates = [int(pairs.images[index]) for index in order]
    with closing(_parts(model, dataset, candidates, images)) as parts:
        for numbers, prepared in parts:
            yield _scene(setting, dataset, numbers, prepared)


def _parts(
    model: DualEncoder, dataset: RetrievalDataset, numbers: Iterable[int], images: int
) -> Generator[Part]:
    """The first `images` of these that can be read, at most `PART` at a time."""
    # While an accelerator works on one part, the next one is prepared.
    if model.device != "cpu":
        with closing(readable_images(model, dataset, numbers, images)) as readable:
            while in_part := list(islice(readable, PART)):
                yield _part_of(in_part)
        return
    # On a processor the search uses every core, so that none is prepared beside it.
    remaining = iter(numbers)
    missing = images
    while missing > 0:
        # Each part goes on where the iterator stopped.
        part = _prepared(model, dataset, remaining, min(missing, PART))
        if not part[0]:
            return
        yield part
        missing -= len(part[0])


def _prepared(
    model: DualEncoder, dataset: RetrievalDataset, numbers: Iterable[int], images: int
) -> Part:
    """The first `images` of these that can be read.

    Broken ones are left out if the data set skips them.
    """
    with closing(readable_images(model, dataset, numbers, images)) as readable:
        return _part_of(list(readable))


def _part_of(images: Sequence[ReadableImage]) -> Part:
    numbers = [image.number for image in images]
    return numbers, [image.prepared for image in images]


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
