"""What a sweep is to measure, fixed before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from ...core.cases import CLEAN, Cell
from ..query_keys import id_hash, secret_of
from .noised_texts import noised_texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...models import DualEncoder
    from ...retrieval.metrics.named import NamedMetric
    from ...texts.noise import TextNoise
    from ..pairs import Pairs
    from .changes import ImageChange
    from .kept_pictures import PicturesOfOneWay

Decoding: TypeAlias = Literal["host", "device"]


@dataclass(frozen=True, repr=False)
class BatchPlan:
    """Which images a batch has."""

    number: int
    """The batch's number in the sweep."""
    images: NDArray[np.int64]
    """(B,) numbers in the data set."""


@dataclass(frozen=True, eq=False, repr=False)
class SweepPlan:
    """One model on one data set, and the cells to measure."""

    model: DualEncoder
    pairs: Pairs
    changes: Mapping[Cell, ImageChange]
    """The occluder or corruption of every cell that changes images."""
    ks: Sequence[int]
    precision: str
    batch_size: int
    """Images per batch. Boundaries of batches depend on nothing else."""
    metrics: Sequence[NamedMetric] = ()
    """Computed of the ranks of every cell, beside Recall@k."""
    decoding: Decoding = "host"
    """Where JPEGs are decoded."""
    pictures: PicturesOfOneWay | None = None
    """What models that prepare alike have prepared already; None if nobody else will ask."""
    noises: Mapping[Cell, TextNoise] = field(default_factory=dict)
    """The noise of every cell that changes reports. Its images are those of level 0."""
    _noised_last: dict[Cell, list[str]] = field(default_factory=dict, init=False)
    """The reports of the cell that was asked for last."""

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell for which images are encoded, level 0 first."""
        return tuple(dict.fromkeys((CLEAN, *self.changes)))

    @property
    def galleries(self) -> tuple[Cell, ...]:
        """Every cell for which reports are encoded, those without noise first."""
        return (CLEAN, *self.noises)

    def texts_of(self, cell: Cell) -> list[str]:
        """The gallery's reports as a cell has them, in the order of `pairs.texts`.

        Raises `CorruptionError` where a noise gives something else, and whatever the
        noise raises.
        """
        if cell not in self.noises:
            return self.pairs.texts
        # They are asked for by what encodes them and by what counts the changed ones.
        if cell not in self._noised_last:
            texts = noised_texts(self.noises[cell], self.pairs.texts, cell)
            self._noised_last.clear()
            self._noised_last[cell] = texts
        return list(self._noised_last[cell])

    @cached_property
    def batches(self) -> tuple[BatchPlan, ...]:
        """Every batch, in order. Images of a batch depend on nothing but the batch size."""
        images = self.pairs.images
        starts = range(0, len(images), self.batch_size)
        return tuple(
            BatchPlan(number, images[start : start + self.batch_size])
            for number, start in enumerate(starts)
        )

    def by_fill(self, cells: Iterable[Cell]) -> list[Cell]:
        """The cells in an order in which those of one occluder and seed follow each other.

        They share fills and masks, of which one seed's are kept at a time.
        """
        changes = [(cell.family, cell.occluder) for cell in self.cells]
        turn = {what: number for number, what in enumerate(dict.fromkeys(changes))}
        return sorted(
            cells, key=lambda cell: (turn[cell.family, cell.occluder], cell.seed)
        )

    @cached_property
    def _secret(self) -> bytes:
        return secret_of(self.pairs)

    def image_name(self, number: int | np.int64) -> str:
        """What messages call an image: its id may be a patient's, so it is hashed."""
        image_id = self.pairs.columns.image_ids[int(number)]
        return f"the image with id hash {id_hash(image_id, self._secret)}"
