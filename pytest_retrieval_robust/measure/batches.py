"""Batches of images that a model sees outside of a sweep: for timing, and for searches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

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
    from .embeddings.shards import ModelShards


PART = 64
"""Images of a search whose pixels are held at a time."""
PART_ON_CUDA = 16
"""The same where there may be several devices, which share the parts out. It does not
depend on their number, because an image's rows may be rounded otherwise in another batch.
"""


@dataclass(frozen=True, repr=False)
class PreparedImages:
    """Some of a data set's images as a model prepared them, on the host."""

    numbers: Sequence[int]
    """Theirs in the data set."""
    prepared: Sequence[Prepares]

    @classmethod
    def of(cls, images: Iterable[ReadableImage]) -> PreparedImages:
        numbers: list[int] = []
        prepared: list[Prepares] = []
        for image in images:
            numbers.append(image.number)
            prepared.append(image.prepared)
        return cls(numbers, prepared)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, part: slice) -> PreparedImages:
        return PreparedImages(self.numbers[part], self.prepared[part])


def setting_of(
    model: DualEncoder, pairs: Pairs, shards: ModelShards | None = None
) -> Setting:
    """The model on the data, with the gallery's embeddings.

    `shards` is what the embedding store has of the model: a sweep before this one, such
    as that of the same run, has stored the gallery.
    """
    size = batch_size(model.device)
    reports = encode_gallery(model, pairs.texts, size, shards)
    return Setting(model, pairs.dataset, reports, pairs.report_groups)


def first_images(
    model: DualEncoder, dataset: RetrievalDataset, images: int, gallery: int = 0
) -> tuple[Scene, Pairs]:
    """The data set's first `images` readable images.

    The gallery is the reports that are right for one of them, or for one of the data
    set's first `gallery` images.
    """
    count = len(dataset.image_ids)
    readable = first_prepared(model, dataset, images)
    answered = [*readable.numbers, *range(min(gallery, count))]
    is_right = np.isin(dataset.report_groups, dataset.image_groups[answered])
    pairs = Pairs(dataset, np.array(readable.numbers), np.flatnonzero(is_right))
    return scene_on(setting_of(model, pairs), pairs, readable), pairs


def first_prepared(
    model: DualEncoder, dataset: RetrievalDataset, images: int
) -> PreparedImages:
    """The data set's first `images` readable images; `DatasetError` if there is none."""
    numbers = range(len(dataset.image_ids))
    readable = _prepared(model, dataset, numbers, images)
    if not readable:
        raise DatasetError(
            f"Expected images that can be read in {dataset.name}, got none. Fix its"
            " files or its root."
        )
    return readable


def scene_of(
    setting: Setting, model: DualEncoder, pairs: Pairs, numbers: Sequence[int]
) -> Scene:
    """The images with these numbers in the data set of `pairs`, without broken ones that
    it skips.
    """
    readable = _prepared(model, pairs.dataset, numbers, len(numbers))
    return scene_on(setting, pairs, readable)


def sampled_images(
    setting: Setting, model: DualEncoder, pairs: Pairs, images: int
) -> Iterator[Scene]:
    """The images of `sampled_parts` on the model's device, a part at a time."""
    for part in sampled_parts(model, pairs, images):
        yield scene_on(setting, pairs, part)


def part_size(device: str) -> int:
    """How many images of a search are held at a time on a device."""
    return PART_ON_CUDA if device.startswith("cuda") else PART


def sampled_parts(
    model: DualEncoder, pairs: Pairs, images: int
) -> Iterator[PreparedImages]:
    """`images` of the pairs' images, chosen by their ids alone.

    They are the same in every run, in any order of the data. They come in parts of at
    most `part_size`, so that memory does not grow with their number.
    """
    # By a hash of the id, an image's place in the data does not matter.
    order = by_hash(pairs.image_ids, "sample")
    candidates = iter([int(pairs.images[index]) for index in order])
    most = part_size(model.device)
    # While an accelerator works on one part, the next ones are prepared.
    if model.device != "cpu":
        readable = readable_images(model, pairs.dataset, candidates, images)
        with closing(readable):
            while part := PreparedImages.of(islice(readable, most)):
                yield part
        return
    # On a processor the search uses every core, so that none is prepared beside it.
    missing = images
    while missing > 0:
        # Each part goes on where the iterator stopped.
        part = _prepared(model, pairs.dataset, candidates, min(missing, most))
        if not part:
            return
        yield part
        missing -= len(part)


def scene_on(setting: Setting, pairs: Pairs, images: PreparedImages) -> Scene:
    """Prepared images of the data set of `pairs`, on the device of the setting's encoder."""
    columns = pairs.columns
    pixels = stacked(images.prepared, setting.encoder.name)
    return Scene(
        setting=setting,
        numbers=images.numbers,
        ids=[columns.image_ids[number] for number in images.numbers],
        pixels=unit_scale(pixels, setting.encoder.device),
        frames=[image.frame for image in images.prepared],
        groups=columns.image_groups[list(images.numbers)],
    )


def setting_on(setting: Setting, model: DualEncoder) -> Setting:
    """The same data and gallery for a copy of the setting's model, on its own device."""
    return replace(setting, encoder=model, reports=setting.reports.to(model.device))


def _prepared(
    model: DualEncoder, dataset: RetrievalDataset, numbers: Iterable[int], images: int
) -> PreparedImages:
    """The first `images` of these that can be read.

    Broken ones are left out if the data set skips them.
    """
    readable = readable_images(model, dataset, numbers, images)
    with closing(readable):
        return PreparedImages.of(readable)
