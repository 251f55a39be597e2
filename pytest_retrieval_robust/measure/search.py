"""What searches in images have in common: which images, which cells, and what hides them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..core.encoding import batch_size as usual_batch_size
from ..core.errors import DatasetError
from ..occluders._checks import check_whole
from ..occluders.fills import check_fill
from ..occluders.guided._probe import Probe
from .arguments import check_dataset, check_model, check_optional_whole
from .batches import sampled_images, setting_of
from .pairs import Pairs, pairs_of

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder


@dataclass(frozen=True, eq=False, repr=False)
class Search:
    """Hides cells of a data set's images, and asks a model about each version.

    Args:
        model: A loaded model.
        dataset: An opened data set. All of its reports are the gallery.
        grid: Cells along each side of the source image, 2 to 256.
        fill: What hides: one of `fills.FILLS`.
        images: How many images are searched, chosen by their ids alone.
        k: The right report counts as found among the k best.
        limit: Only the first so many images of the data set, with their reports.
        batch_size: Hidden versions that are encoded at a time.

    Raises:
        ArgumentError: An argument is of the wrong kind.
        OcclusionError: An argument is out of range.
    """

    model: DualEncoder
    dataset: RetrievalDataset
    grid: int
    fill: str
    images: int
    k: int = 1
    limit: int | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        check_model(self.model)
        check_dataset(self.dataset)
        check_optional_whole("limit", self.limit)
        check_optional_whole("batch_size", self.batch_size)
        check_whole("grid", self.grid, 2, 256)
        check_fill(self.fill)
        check_whole("images", self.images, 1)
        check_whole("k", self.k, 1)

    @property
    def cells(self) -> int:
        """Cells of an image."""
        return self.grid * self.grid

    @cached_property
    def pairs(self) -> Pairs:
        """The images to choose from, and the gallery."""
        return pairs_of(self.dataset, self.limit)

    def probes(self, pairs: Pairs) -> Iterator[Probe]:
        """The searched images of `pairs`, a part of them at a time.

        Raises `DatasetError` if none can be read.
        """
        batch_size = self.batch_size or usual_batch_size(self.model.device)
        setting = setting_of(self.model, pairs)
        count = 0
        for scene in sampled_images(setting, self.model, pairs, self.images):
            count += len(scene.ids)
            yield Probe(scene, self.grid, self.fill, self.k, batch=batch_size)
        if count == 0:
            raise DatasetError(
                f"Expected images that can be read in {pairs.dataset.name}, got none."
                " Fix its files or its root."
            )
