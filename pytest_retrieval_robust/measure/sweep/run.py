"""The one procedure: prepare each image once, then hide, encode, rank and measure for every cell.

The task is the occlusion retrieval of arXiv 2501.09134: an image of which a share is
hidden is the query, reports are the gallery, and the other way round.

A batch goes through four hands: `Feed` reads it, a `Lane` hides and encodes it on a
device, the `Writer` checks, gathers and stores it, and `CellRanking` ranks what was
gathered of a cell. Boundaries of batches depend on nothing but the batch size, so that
a killed run, resumed from the store, ends with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...core.cases import Cell
from ...core.encoding import batch_size as usual_batch_size
from ...core.errors import DatasetError, RobustError
from ...core.progress import Counter, Tell
from ...occluders.scene import Setting
from ..abilities import most_skipped
from ..embeddings.shards import ModelShards
from ..pairs import Pairs, check_ks, describe
from .batch import Batch, digests_of
from .conclude import CellRanking
from .feed import Feed
from .gallery import encode_gallery
from .gathered import CellBatches
from .lanes import Lanes
from .plan import Decoding, SweepPlan
from .results import Measured, SweepResult
from .spill import Spill
from .stored import StoredBatches
from .truncated import truncated_once
from .writer import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from ...models import DualEncoder
    from ...occluders import Occluder
    from ...retrieval.metrics.named import NamedMetric
    from ..embeddings.store import EmbeddingStore
    from .kept_pictures import KeptPictures, PicturesOfOneWay

__all__ = ["Measured", "SweepOptions", "SweepResult", "run_sweep"]


@dataclass(frozen=True, eq=False, repr=False)
class SweepOptions:
    """How a sweep measures, and what it does besides."""

    precision: str = "fp32"
    batch_size: int | None = None
    """Images per batch; None for what is usual on the device."""
    store: EmbeddingStore | None = None
    """Embeddings that it has are taken from it, and new ones are saved there as they come."""
    copies: Callable[[], Sequence[DualEncoder]] = tuple
    """The same model on further devices, among which batches are shared out.

    It is called once there is something to encode.
    """
    tell: Tell | None = None
    """Called with the progress after each batch of a cell, from any thread, one at a time."""
    metrics: Sequence[NamedMetric] = ()
    """Computed from the ranks of every cell, beside Recall@k."""
    decoding: Decoding = "host"
    """Where JPEGs are decoded: with Pillow, or with torchvision on the model's device,
    whose pixels differ by rounding.
    """
    pictures: KeptPictures | None = None
    """Prepared images are taken from it, and put there for further models of a run."""


def run_sweep(
    model: DualEncoder,
    pairs: Pairs,
    cells: Sequence[tuple[Cell, Occluder]],
    ks: Sequence[int],
    options: SweepOptions = SweepOptions(),
) -> SweepResult:
    """Measure level 0 and every cell of `cells`; a cell that fails leaves the others untouched.

    Raises `RankingError` for a k above a gallery and `EmbeddingError` for reports that
    cannot be embedded: then no cell could be measured.
    """
    check_ks(pairs, ks)
    plan = SweepPlan(
        model,
        pairs,
        dict(cells),
        ks,
        options.precision,
        options.batch_size or usual_batch_size(model.device),
        options.metrics,
        options.decoding,
        _kept_pictures(options.pictures, model, pairs),
    )
    # Every image is encoded once with nothing hidden, and once per cell.
    encodings = len(pairs.images) * (1 + len(cells))
    counter = Counter(model.name, pairs.dataset.name, encodings, options.tell)
    with closing(counter):
        return _Sweep(plan, options.store, counter).run(options.copies)


class _Sweep:
    """A sweep under way."""

    def __init__(
        self, plan: SweepPlan, store: EmbeddingStore | None, counter: Counter
    ) -> None:
        self._plan = plan
        self._counter = counter
        self._shards = ModelShards.of(store, plan.model, plan.precision, plan.decoding)
        self._spill = Spill(folders_beside(store))
        self._gathered = {cell: CellBatches() for cell in plan.cells}

    def run(self, copies: Callable[[], Sequence[DualEncoder]]) -> SweepResult:
        plan = self._plan
        # Reports come first: without them no cell can be measured, and a model-guided
        # occluder searches among them.
        reports = encode_gallery(
            plan.model, plan.pairs.texts, plan.batch_size, self._shards
        )
        dataset = plan.pairs.dataset
        setting = Setting(plan.model, dataset, reports, plan.pairs.report_groups)
        with closing(self._spill):
            with Writer(
                plan, self._gathered, self._spill, self._counter, self._shards
            ) as writer:
                lanes = Lanes(plan, setting, copies, writer)
                batches = self._gather(self._feed(setting), lanes, writer)
            return self._conclude(batches, lanes, reports)

    def _feed(self, setting: Setting) -> Feed:
        store = None
        if self._shards is not None:
            store = StoredBatches(self._plan, setting, self._shards)
        return Feed(self._plan, store)

    def _gather(self, feed: Feed, lanes: Lanes, writer: Writer) -> list[Batch]:
        """Take every batch from the store, or through a lane.

        Returns what is known of the images, without their pixels.
        """
        read: list[Batch] = []
        # The feed has threads: it is closed here, and not when the error of an
        # interrupted run is forgotten.
        with closing(iter(feed)) as batches, lanes:
            for batch in batches:
                read.append(batch.without_data())
                writer.keep_stored(batch)
                if batch.pixels is not None:
                    lanes.encode(batch)
            lanes.finish()
        return read

    def _conclude(
        self, batches: Sequence[Batch], lanes: Lanes, reports: Tensor
    ) -> SweepResult:
        plan = self._plan
        pairs, reports = _without_skipped(plan, batches, reports)
        ranking = CellRanking(plan, pairs, reports, self._spill, lanes)
        cells: dict[Cell, Measured | RobustError] = {}
        for cell, gathered in self._gathered.items():
            cells[cell] = ranking.conclude(cell, gathered)
            # What waits in memory, because no disk took it, is freed cell by cell.
            gathered.batches.clear()
        skipped = sum(int((~batch.is_readable).sum()) for batch in batches)
        digest = digests_of(batches)
        dataset = describe(pairs, plan.ks, pixel_digest=digest, skipped=skipped)
        # What was decoded as ever has nothing to say.
        if plan.decoding != "host":
            dataset["decoding"] = plan.decoding
        truncated = truncated_once(plan.model, pairs.texts)
        return SweepResult(cells, pairs, dataset, truncated)


def _kept_pictures(
    kept: KeptPictures | None, model: DualEncoder, pairs: Pairs
) -> PicturesOfOneWay | None:
    return None if kept is None else kept.for_model(model, pairs.dataset)


def folders_beside(store: EmbeddingStore | None) -> tuple[Path, ...]:
    """Where files without a name go, the first choice first.

    Beside the shards there is room for much; the temporary folder may be memory.
    """
    if store is None:
        return ()
    return (store.folder, *store.folder.parents[:2])


def _without_skipped(
    plan: SweepPlan, batches: Sequence[Batch], reports: Tensor
) -> tuple[Pairs, Tensor]:
    """The readable images and the reports that are right for one, with their rows."""
    pairs = plan.pairs
    dataset = pairs.dataset
    images = np.concatenate([batch.images for batch in batches])
    skipped = len(pairs.images) - len(images)
    # Nearly always: then the pairs stay as they are, reports without an image included.
    if not skipped:
        return pairs, reports
    most = most_skipped(dataset)
    if skipped > most * len(pairs.images):
        raise DatasetError(
            f"Expected at most {100 * most:g} % broken images in {dataset.name}, got"
            f" skipped={skipped} of {len(pairs.images)}. Fix them, or raise"
            " most_skipped."
        )
    if len(images) == 0:
        raise DatasetError(
            f"Expected images that can be read in {dataset.name}, got none. Fix its"
            " files or its root."
        )
    remain = np.isin(pairs.report_groups, pairs.columns.image_groups[images])
    readable = Pairs(dataset, images, pairs.reports[remain])
    check_ks(readable, plan.ks)
    return readable, reports[torch.from_numpy(remain).to(reports.device)]
