"""What searches in images have in common: which images, which cells, and what hides them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

from ..core.encoding import batch_size as usual_batch_size
from ..core.errors import DatasetError
from ..core.memory import in_pieces, limits_of, or_device_error
from ..occluders._checks import check_whole
from ..occluders.fills import check_fill
from ..occluders.guided._probe import Probe
from .arguments import check_optional_whole
from .batches import (
    PreparedImages,
    part_size,
    sampled_parts,
    scene_on,
    setting_of,
    setting_on,
)
from .in_turn import Stop, in_turn
from .named import check_kinds
from .pairs import Pairs, pairs_of

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder
    from ..occluders.scene import Setting
    from .embeddings.shards import ModelShards

T = TypeVar("T")

USUAL_FILL = "black"
"""What hides in a search, unless another fill is asked for."""


def _no_copies() -> Sequence[DualEncoder]:
    """A model that is on one device alone."""
    return ()


def check_numbers(
    grid: int, images: int, limit: int | None, batch_size: int | None
) -> None:
    """The numbers that every search takes; raises for one out of range."""
    check_optional_whole("limit", limit)
    check_optional_whole("batch_size", batch_size)
    check_whole("grid", grid, 2, 256)
    check_whole("images", images, 1)


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
        copies: Loads the same model on further devices, if there is work for them.
        shards: What the embedding store has of the model: reports are taken from it.

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
    copies: Callable[[], Sequence[DualEncoder]] = _no_copies
    shards: ModelShards | None = None

    def __post_init__(self) -> None:
        check_kinds(self.model, self.dataset)
        check_numbers(self.grid, self.images, self.limit, self.batch_size)
        check_fill(self.fill)
        check_whole("k", self.k, 1)

    @property
    def cells(self) -> int:
        """Cells of an image."""
        return self.grid * self.grid

    @cached_property
    def pairs(self) -> Pairs:
        """The images to choose from, and the gallery."""
        return pairs_of(self.dataset, self.limit)

    def results(
        self,
        pairs: Pairs,
        work: Callable[[Probe], T],
        count: Callable[[int], None] | None = None,
    ) -> list[T]:
        """What `work` makes of the searched images of `pairs`, a part of them at a time.

        The parts are shared out among the copies of the model. `count` is called from
        their threads, with how many versions were encoded.

        Raises:
            DatasetError: No image can be read.
        """
        stop = Stop()

        def encoded(versions: int) -> None:
            stop.check()
            if count is not None:
                count(versions)

        models = self._models(pairs)
        setting = setting_of(self.model, pairs, self.shards)
        settings = [setting, *(setting_on(setting, copy) for copy in models[1:])]
        workers = [
            partial(self._work_on_part, pairs, work, encoded, own_setting)
            for own_setting in settings
        ]
        devices = [model.device for model in models]
        parts = sampled_parts(self.model, pairs, self.images)
        with closing(in_turn(devices, workers, parts, stop)) as done:
            results = [result for of_part in done for result in of_part]
        if not results:
            raise DatasetError(
                f"Expected images that can be read in {pairs.dataset.name}, got none."
                " Fix its files or its root."
            )
        return results

    def _models(self, pairs: Pairs) -> list[DualEncoder]:
        """The model, and its copies where there is work for more than one."""
        images = min(self.images, len(pairs.images))
        if images <= part_size(self.model.device):
            return [self.model]
        return [self.model, *self.copies()]

    def _work_on_part(
        self,
        pairs: Pairs,
        work: Callable[[Probe], T],
        encoded: Callable[[int], None],
        setting: Setting,
        images: PreparedImages,
    ) -> list[T]:
        """The results of a part, or of several smaller ones where memory is short."""
        encoder = setting.encoder
        batch_size = self.batch_size or usual_batch_size(encoder.device)

        def probe(part: slice) -> Probe:
            scene = scene_on(setting, pairs, images[part])
            of_part = Probe(
                scene, self.grid, self.fill, self.k, batch=batch_size, tell=encoded
            )
            of_part.prepare()
            return of_part

        limits = limits_of(encoder)
        probes = in_pieces(len(images), limits, "scene", probe, encoder.device)
        return or_device_error(
            lambda: [work(of_part) for of_part in probes],
            f"{encoder.name} to be searched",
            encoder.device,
        )
