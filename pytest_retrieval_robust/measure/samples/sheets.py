"""Sheets of samples: pictures of some images, and what a model retrieves for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.cases import CLEAN, Cell, PlannedPerturbation, level_word
from ...core.encoding import batch_size, encode
from ...core.errors import DatasetError
from ...core.sample_sheets import Retrieved, Sample, SampleSheet
from ...core.words import counted
from ...models import similarity_of
from ...occluders.guided._probe import Probe
from ...occluders.scene import Scene, Setting
from ...retrieval.ranking import top_k
from ..batches import scene_of
from ..breaking import BreakingResult
from ..embeddings.shards import ModelShards
from ..pairs import Pairs, pairs_of
from ..sweep.changes import changed_pixels, is_corruption, word_for
from ..sweep.gallery import encode_gallery
from ..sweep.results import Measured, SweepResult
from ..sweep.scores import in_tiles
from .choice import FALLEN, breakings_to_show, middle_level, queries_to_show
from .pictures import mean_image, picture

if TYPE_CHECKING:
    from torch import Tensor

    from ...datasets import RetrievalDataset
    from ...models import DualEncoder, Precision
    from ..embeddings.store import EmbeddingStore
    from ..sweep.changes import ImageChange

Ranks = NDArray[np.int64]
RETRIEVED = 3
"""Reports that are shown for each image."""


@dataclass(frozen=True, eq=False, repr=False)
class SampleSource:
    """What samples of a run are made from."""

    model: DualEncoder
    dataset: RetrievalDataset
    changes: Mapping[PlannedPerturbation, ImageChange]
    """Occluders, then corruptions, in the order of the run."""
    precision: Precision
    batch_size: int | None
    limit: int | None
    store: EmbeddingStore | None

    def gallery(self, pairs: Pairs) -> Gallery:
        """The pairs' reports, embedded; from the store if it has them."""
        shards = ModelShards.of(self.store, self.model, self.precision)
        size = self.batch_size or batch_size(self.model.device)
        reports = encode_gallery(self.model, pairs.texts, size, shards)
        return Gallery(self.model, pairs, reports)


@dataclass(frozen=True, eq=False, repr=False)
class Gallery:
    """A model among whose embedded reports samples are retrieved."""

    model: DualEncoder
    pairs: Pairs
    reports: Tensor
    """(G, D) the embeddings of the pairs' reports."""

    def scene(self, numbers: Ranks) -> Scene:
        """The images with these numbers in the data set."""
        dataset = self.pairs.dataset
        setting = Setting(self.model, dataset, self.reports, self.pairs.report_groups)
        scene = scene_of(setting, self.model, self.pairs, numbers.tolist())
        if len(scene.ids) != len(numbers):
            raise DatasetError(
                f"Expected to read {counted(len(numbers), 'image')} of {dataset.name} again, got"
                f" {len(scene.ids)}. Keep its files in place during a run."
            )
        return scene

    def best_reports(
        self, pixels: Tensor, groups: NDArray[np.int64]
    ) -> list[tuple[Retrieved, ...]]:
        """The reports that come first for each image, of which (B,) `groups` are right."""
        rows = encode(self.model, pixels)
        count = min(RETRIEVED, len(self.reports))
        similarity = similarity_of(self.model)

        def find(device: str, tile: int) -> Ranks:
            best, _ = top_k(
                rows.to(device),
                self.reports.to(device),
                count,
                similarity=similarity,
                tile=tile,
            )
            return best

        best = in_tiles(self.model, find)
        texts = self.pairs.texts
        is_right = self.pairs.report_groups[best] == groups[:, None]
        retrieved = []
        for reports, right in zip(best.tolist(), is_right.tolist(), strict=True):
            flags = zip(reports, right, strict=True)
            retrieved.append(tuple(Retrieved(texts[r], flag) for r, flag in flags))
        return retrieved

    def sheet(
        self,
        kind: Literal["hidden", "breaking"],
        description: str,
        samples: tuple[Sample, ...],
    ) -> SampleSheet:
        return SampleSheet(
            self.model.name,
            self.pairs.dataset.name,
            kind,
            description,
            len(self.pairs.reports),
            samples,
        )


def sheet_of(
    result: SweepResult | BreakingResult, source: SampleSource
) -> SampleSheet | None:
    """Samples of a sweep or a search; None if a sweep changed no image."""
    if isinstance(result, BreakingResult):
        pairs = pairs_of(source.dataset, source.limit)
        return breaking_sheet(source.gallery(pairs), result)
    measured: dict[Cell, Measured] = {}
    for cell, outcome in result.cells.items():
        if isinstance(outcome, Measured):
            measured[cell] = outcome
    shown_cell = middle_level(measured, list(source.changes))
    if shown_cell is None or CLEAN not in measured:
        return None
    return hidden_sheet(
        source.gallery(result.pairs),
        source.changes[PlannedPerturbation(shown_cell.family, shown_cell.occluder)],
        shown_cell,
        measured[CLEAN].image_ranks,
        measured[shown_cell].image_ranks,
    )


def hidden_sheet(
    gallery: Gallery, change: ImageChange, cell: Cell, before: Ranks, after: Ranks
) -> SampleSheet:
    """Samples of a measured cell; `before` and `after`, (N,), are the images' ranks."""
    chosen = queries_to_show(before, after)
    queries = list(chosen)
    scene = gallery.scene(gallery.pairs.images[queries])
    bound = change.bind(scene)
    hidden = changed_pixels(
        bound,
        cell,
        scene.pixels,
        scene.ids,
        scene.frames,
        out=torch.empty_like(scene.pixels),
    )
    shares: Sequence[float] = [cell.level] * len(queries)
    if not is_corruption(bound):
        shares = bound.shares(scene.ids, cell.level, cell.seed)
    changes = _changes(chosen, before[queries], after[queries], shares)
    level = level_word(cell.family)
    description = (
        f"{cell.occluder} at {level} {cell.level:g}, seed {cell.seed}: the middle {level}"
        f" of the first {word_for(change)}. Of {counted(len(before), 'image')} at most"
        f" {FALLEN} whose rank fell furthest, one that stayed first, and one with the"
        " median rank after hiding; of equals the first in the data."
    )
    samples = _samples(gallery, scene, hidden, changes)
    return gallery.sheet("hidden", description, samples)


def breaking_sheet(gallery: Gallery, result: BreakingResult) -> SampleSheet:
    """The smallest, the median and the greatest breaking occlusion, and the mean image."""
    outcome = result.outcome
    # Of all searched images, shown or not: the ground of the sensitivity maps.
    mean = mean_image(gallery.pairs.dataset, result.numbers.tolist())
    chosen = breakings_to_show(result.shares)
    if not chosen:
        description = (
            "No occlusion was found that pushes a right report out of the top"
            f" {outcome.k}."
        )
        return replace(gallery.sheet("breaking", description, ()), mean=mean)
    queries = list(chosen)
    scene = gallery.scene(result.numbers[queries])
    cells = result.masks[queries].reshape(len(queries), -1)
    probe = Probe(scene, outcome.grid, outcome.fill, outcome.k)
    hidden = probe.hidden(np.arange(len(queries)), cells)
    changes = _changes(
        chosen,
        result.ranks_before[queries],
        result.ranks_after[queries],
        result.shares[queries].tolist(),
    )
    broken = int((np.isfinite(result.shares) & (result.shares < 1)).sum())
    description = (
        "The smallest occlusions found that push the right report out of the top"
        f" {outcome.k}, {outcome.grid} x {outcome.grid} cells, {outcome.fill}: of"
        f" {counted(broken, 'image')} the one with the smallest share, the median, and the one"
        " with the greatest."
    )
    samples = _samples(gallery, scene, hidden, changes)
    return replace(gallery.sheet("breaking", description, samples), mean=mean)


@dataclass(frozen=True)
class _Change:
    """What hiding a share of an image did to its rank, and why it is shown."""

    reason: str
    before: int
    after: int
    share: float


def _changes(
    chosen: Mapping[int, str], before: Ranks, after: Ranks, shares: Sequence[float]
) -> list[_Change]:
    ranks = zip(chosen.values(), before.tolist(), after.tolist(), shares, strict=True)
    return [
        _Change(reason, rank_before, rank_after, float(share))
        for reason, rank_before, rank_after, share in ranks
    ]


def _samples(
    gallery: Gallery, scene: Scene, hidden: Tensor, changes: Sequence[_Change]
) -> tuple[Sample, ...]:
    reports_before = gallery.best_reports(scene.pixels, scene.groups)
    reports_after = gallery.best_reports(hidden, scene.groups)
    samples = []
    for index, change in enumerate(changes):
        sample = Sample(
            change.reason,
            change.before,
            change.after,
            change.share,
            picture(scene.pixels[index]),
            picture(hidden[index]),
            reports_before[index],
            reports_after[index],
        )
        samples.append(sample)
    return tuple(samples)
