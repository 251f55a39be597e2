"""The one procedure: prepare each image once, then hide, encode, rank and measure for every cell.

The task is the occlusion retrieval of arXiv 2501.09134: an image of which a share is hidden is the query, reports are
the gallery, and the other way round.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .case import Json, Scores, Timing
from .clock import Stopwatch
from .errors import DatasetError, EmbeddingError, ModelError, RankingError, RobustError, UnreadableImageError
from .evidence import proportion
from .metrics.median_rank import median_rank
from .metrics.recall import chance_recall, recall_at_k
from .metrics.reciprocal_rank import mean_reciprocal_rank
from .occluders._frames import visible_level
from .occluders._scene import Scene, Setting, broken_encoder, encode, open_image, unit_scale
from .occluders._scene import batch_size as usual_batch
from .query_keys import cluster_labels, id_hash, secret_of
from .ranking import positive_ranks
from .resampling import Clusters, design_effect

if TYPE_CHECKING:
    from .datasets import RetrievalDataset
    from .models import DualEncoder, Prepared
    from .occluders import Occluder

_UNIT_TOLERANCE = 1e-3
DECODERS = min(8, os.cpu_count() or 1)
"""Threads that decode and prepare images: Pillow, NumPy and pydicom's codecs let others run meanwhile."""


@dataclass(frozen=True)
class Cell:
    """What is done to the images: an occluder at a level with a mask seed. Level 0 is the same cell for all."""

    occluder: str
    level: float
    seed: int


CLEAN = Cell("none", 0.0, 0)


@dataclass(frozen=True)
class Pairs:
    """The part of a data set that is evaluated: indices of images, and the reports that belong to them."""

    dataset: RetrievalDataset
    images: NDArray[np.int64]
    reports: NDArray[np.int64]

    @property
    def image_ids(self) -> list[str]:
        return [self.dataset.image_ids[i] for i in self.images]

    @property
    def texts(self) -> list[str]:
        return [self.dataset.reports[i] for i in self.reports]

    @property
    def image_groups(self) -> NDArray[np.int64]:
        return self.dataset.image_groups[self.images]

    @property
    def report_groups(self) -> NDArray[np.int64]:
        return self.dataset.report_groups[self.reports]

    @property
    def patients(self) -> list[str]:
        return [self.dataset.patients[i] for i in self.images]


def pairs_of(dataset: RetrievalDataset, limit: int | None = None) -> Pairs:
    """The whole data set, or its first `limit` images with the reports that are right for them."""
    count = len(dataset.image_ids)
    if count == 0 or len(dataset.reports) == 0:
        raise DatasetError(
            f"Expected a data set with images and reports, got images={count}, reports={len(dataset.reports)} in "
            f"{dataset.name}. Check its paths and filters."
        )
    images = np.arange(count if limit is None else min(limit, count))
    wanted = np.isin(dataset.report_groups, dataset.image_groups[images])
    if limit is None:
        wanted[:] = True
    return Pairs(dataset, images, np.flatnonzero(wanted))


@dataclass(frozen=True)
class Measured:
    """A measured cell: scores and ranks of both directions, the shares hidden, and the time it took."""

    achieved_level: float
    visible_level: float
    image_to_report: Scores
    report_to_image: Scores
    image_ranks: NDArray[np.int64]
    report_ranks: NDArray[np.int64]
    timing: Timing


@dataclass(frozen=True)
class SweepResult:
    """Every cell that was asked for: measured, or the error that it ended with."""

    cells: dict[Cell, Measured | RobustError]
    pairs: Pairs
    """What was evaluated: what was asked for, without the images that the data set skips because they are broken."""
    dataset: Json
    truncated_reports: int | None


@dataclass
class _Progress:
    """What has been gathered of one cell while the batches go by."""

    rows: list[Tensor] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    """Of each image, the share of its source that was hidden."""
    visible: list[float] = field(default_factory=list)
    error: RobustError | None = None


@dataclass(frozen=True)
class _Decoded:
    """An image as the model wants it, and the hash of what it was made from; nothing of one that is skipped."""

    prepared: Prepared | None
    digest: bytes


@dataclass(frozen=True)
class _Batch:
    """Prepared images on the device, and the occluders that have looked at them."""

    scene: Scene
    bound: dict[str, Occluder] = field(default_factory=dict)

    def bind(self, occluder: Occluder) -> Occluder:
        """The occluder for this batch: what it has to find out, it finds out once for all levels and seeds."""
        if occluder.name not in self.bound:
            self.bound[occluder.name] = occluder.bind(self.scene)
        return self.bound[occluder.name]


def run_sweep(
    model: DualEncoder,
    pairs: Pairs,
    cells: Sequence[tuple[Cell, Occluder]],
    ks: Sequence[int],
    *,
    precision: str = "fp32",
    batch_size: int | None = None,
) -> SweepResult:
    """Measure level 0 and every cell of `cells`; a cell that fails leaves the others untouched.

    Raises `RankingError` for a k above a gallery and `EmbeddingError` for reports that cannot be embedded: then no
    cell could be measured.
    """
    _check_ks(pairs, ks)
    size = batch_size or usual_batch(model.device)
    sweep = _Sweep(model, pairs, dict(cells), ks, precision, size)
    return sweep.run()


def _check_ks(pairs: Pairs, ks: Sequence[int]) -> None:
    smallest = min(len(pairs.images), len(pairs.reports))
    if max(ks) > smallest:
        raise RankingError(
            f"Expected every k to be at most the gallery's size of {smallest}, got k={max(ks)} on "
            f"{pairs.dataset.name}. Lower --robust-k or evaluate more pairs."
        )


class _Sweep:
    """One model on one data set."""

    def __init__(
        self,
        model: DualEncoder,
        pairs: Pairs,
        occluders: dict[Cell, Occluder],
        ks: Sequence[int],
        precision: str,
        batch_size: int,
    ) -> None:
        self._model, self._pairs, self._occluders, self._ks = model, pairs, occluders, ks
        self._secret = secret_of(pairs)
        self._precision, self._batch_size = precision, batch_size
        self._progress = {cell: _Progress() for cell in (CLEAN, *occluders)}
        self._encoding = {cell: Stopwatch(model.device) for cell in self._progress}
        self._occluding = {cell: Stopwatch(model.device) for cell in self._progress}
        self._digest = hashlib.sha256()
        self._skipped: list[np.int64] = []

    def run(self) -> SweepResult:
        reports = encode_gallery(self._model, self._pairs.texts, self._batch_size)
        setting = Setting(self._model, self._pairs.dataset, reports, self._pairs.report_groups)
        with ThreadPoolExecutor(max_workers=DECODERS) as pool:
            for number, batch in enumerate(self._batches(pool, setting)):
                if number == 0:
                    self._warm_up(batch)
                self._measure_batch(batch)
        reports = self._without_skipped(reports)
        cells = {cell: self._conclude(cell, progress, reports) for cell, progress in self._progress.items()}
        return SweepResult(cells, self._pairs, self._describe_dataset(), self._truncated())

    def _without_skipped(self, reports: Tensor) -> Tensor:
        """Leave out the skipped images, and the reports that had no other image; the rows of the reports that stay."""
        if not self._skipped:
            return reports
        asked, most = self._pairs, getattr(self._pairs.dataset, "most_skipped", 0.0)
        if len(self._skipped) > most * len(asked.images):
            raise DatasetError(
                f"Expected at most {100 * most:g} % broken images in {asked.dataset.name}, got "
                f"skipped={len(self._skipped)} of {len(asked.images)}. Mend them, or raise most_skipped."
            )
        images = asked.images[~np.isin(asked.images, self._skipped)]
        if len(images) == 0:
            raise DatasetError(
                f"Expected images that can be read in {asked.dataset.name}, got none. Mend its files or its root."
            )
        stay = np.isin(asked.report_groups, asked.dataset.image_groups[images])
        self._pairs = Pairs(asked.dataset, images, asked.reports[stay])
        _check_ks(self._pairs, self._ks)
        return reports[torch.from_numpy(stay).to(reports.device)]

    def _warm_up(self, batch: _Batch) -> None:
        """Lazy set-up stays out of the timing. What fails here fails again where it is measured, and is said there."""
        with suppress(Exception):
            encode(self._model, batch.scene.pixels[:4])

    def _batches(self, pool: ThreadPoolExecutor, setting: Setting) -> Iterator[_Batch]:
        """Batches with fixed boundaries; the next one is decoded and prepared while this one is encoded."""
        starts = range(0, len(self._pairs.images), self._batch_size)
        pending = self._submit(pool, 0)
        for start in starts:
            decoded = [future.result() for future in pending]
            pending = self._submit(pool, start + self._batch_size)
            scene = self._on_device(start, decoded, setting)
            if scene is not None:
                yield _Batch(scene)

    def _submit(self, pool: ThreadPoolExecutor, start: int) -> list[Future[_Decoded]]:
        return [pool.submit(self._decode, index) for index in self._pairs.images[start : start + self._batch_size]]

    def _decode(self, index: np.int64) -> _Decoded:
        dataset = self._pairs.dataset
        name = id_hash(dataset.image_ids[int(index)], self._secret)
        try:
            image = open_image(dataset, int(index), f"the image with id hash {name}")
        except UnreadableImageError:
            if not getattr(dataset, "skips_unreadable", False):
                raise
            return _Decoded(None, b"")
        digest = hashlib.sha256(f"{image.mode}{image.size}".encode() + image.tobytes()).digest()
        return _Decoded(self._model.prepare(image), digest)

    def _on_device(self, start: int, decoded: list[_Decoded], setting: Setting) -> Scene | None:
        indices = self._pairs.images[start : start + len(decoded)]
        kept, prepared = [], []
        for index, one in zip(indices, decoded, strict=True):
            self._digest.update(one.digest)
            if one.prepared is None:
                self._skipped.append(index)
            else:
                kept.append(index)
                prepared.append(one.prepared)
        if not kept:
            return None
        shapes = {one.pixels.shape for one in prepared}
        if len(shapes) != 1:
            raise ModelError(
                f"Expected prepare() of {self._model.name} to give one shape (3, S, S), got shapes={sorted(shapes)}. "
                "Resize to a fixed square."
            )
        return Scene(
            setting,
            [int(number) for number in kept],
            [self._pairs.dataset.image_ids[i] for i in kept],
            unit_scale(np.stack([one.pixels for one in prepared]), self._model.device),
            [one.frame for one in prepared],
            self._pairs.dataset.image_groups[np.array(kept)],
        )

    def _measure_batch(self, batch: _Batch) -> None:
        buffer = torch.empty_like(batch.scene.pixels)
        for cell, progress in self._progress.items():
            if progress.error is None:
                try:
                    self._measure_cell(cell, progress, batch, buffer)
                except RobustError as error:
                    progress.error = error

    def _measure_cell(self, cell: Cell, progress: _Progress, batch: _Batch, buffer: Tensor) -> None:
        pixels = batch.scene.pixels if cell == CLEAN else self._occlude(cell, progress, batch, buffer)
        with self._encoding[cell].running():
            rows = encode(self._model, pixels)
        names = [f"the image with id hash {id_hash(image_id, self._secret)}" for image_id in batch.scene.ids]
        progress.rows.append(_checked(rows, names, self._model))

    def _occlude(self, cell: Cell, progress: _Progress, batch: _Batch, buffer: Tensor) -> Tensor:
        scene, occluder = batch.scene, batch.bind(self._occluders[cell])
        pixels, ids, frames = scene.pixels, scene.ids, scene.frames
        size = (pixels.shape[-2], pixels.shape[-1])
        mask = occluder.mask(ids, cell.level, cell.seed, size, frames, device=self._model.device)
        progress.visible.append(visible_level(mask, frames) * len(ids))
        progress.shares += occluder.shares(ids, cell.level, cell.seed)
        with self._occluding[cell].running():
            return occluder.occlude(pixels, ids, cell.level, cell.seed, frames, out=buffer)

    def _conclude(self, cell: Cell, progress: _Progress, reports: Tensor) -> Measured | RobustError:
        if progress.error is not None:
            return progress.error
        try:
            return self._rank(cell, progress, torch.cat(progress.rows), reports)
        except RobustError as error:
            return error

    def _rank(self, cell: Cell, progress: _Progress, images: Tensor, reports: Tensor) -> Measured:
        if cell == CLEAN:
            _require_variety(images, "images", self._model.name)
        pairs, scorer = self._pairs, getattr(self._model, "similarity", None)
        back = None if scorer is None else lambda queries, gallery: scorer(gallery, queries).T
        image_ranks = positive_ranks(images, reports, pairs.image_groups, pairs.report_groups, similarity=scorer)
        report_ranks = positive_ranks(reports, images, pairs.report_groups, pairs.image_groups, similarity=back)
        hidden, (of_images, of_reports) = cell.level > 0, cluster_labels(pairs)
        return Measured(
            achieved_level=math.fsum(progress.shares) / len(images) if hidden else 0.0,
            visible_level=sum(progress.visible) / len(images) if hidden else 0.0,
            image_to_report=scores_of(
                image_ranks, pairs.image_groups, pairs.report_groups, self._ks, Clusters.of(of_images)
            ),
            report_to_image=scores_of(
                report_ranks, pairs.report_groups, pairs.image_groups, self._ks, Clusters.of(of_reports)
            ),
            image_ranks=image_ranks,
            report_ranks=report_ranks,
            timing=self._timing(cell, len(images)),
        )

    def _timing(self, cell: Cell, images: int) -> Timing:
        seconds = self._encoding[cell].seconds
        return Timing(images / seconds, seconds, self._occluding[cell].seconds, self._model.device, self._precision)

    def _describe_dataset(self) -> Json:
        pairs = self._pairs
        return {
            "name": pairs.dataset.name,
            "split": pairs.dataset.split,
            "text": pairs.dataset.text,
            "relevance": pairs.dataset.relevance,
            "fingerprint": pairs.dataset.fingerprint,
            "pixel_digest": self._digest.hexdigest(),
            "images": len(pairs.images),
            "reports": len(pairs.reports),
            "groups": len(np.unique(pairs.report_groups)),
            "skipped": len(self._skipped),
            "duplicate_share": 1 - len(set(pairs.texts)) / len(pairs.images),
            "ceiling": {str(k): value for k, value in ceiling(pairs, self._ks).items()},
        }

    def _truncated(self) -> int | None:
        count = getattr(self._model, "truncated", None)
        return None if count is None else int(count(self._pairs.texts))


def encode_gallery(model: DualEncoder, texts: Sequence[str], size: int) -> Tensor:
    """(G, D) the checked embeddings of a gallery of reports, `size` at a time."""
    rows = torch.cat(
        [_encode_reports(model, texts[start : start + size], start) for start in range(0, len(texts), size)]
    )
    _require_variety(rows, "reports", model.name)
    return rows


def _encode_reports(model: DualEncoder, texts: Sequence[str], start: int) -> Tensor:
    try:
        rows = model.encode_reports(texts)
    except Exception as error:
        raise broken_encoder(model.name, "encode_reports", error) from error
    return _checked(rows, [f"report {start + i}" for i in range(len(texts))], model)


def _checked(rows: Tensor, names: Sequence[str], encoder: DualEncoder) -> Tensor:
    """The rows, if they are what the contract asks for: (B, D), finite, of length 1 where similarity is their dot
    product."""
    model = encoder.name
    if rows.ndim != 2 or len(rows) != len(names):
        raise EmbeddingError(
            f"Expected embeddings of shape ({len(names)}, D) from {model}, got shape={tuple(rows.shape)}. "
            "Return one row for each input."
        )
    lengths = rows.float().norm(dim=1)
    scored = hasattr(encoder, "similarity")  # then a row may hold anything, a mean and a variance for one
    bad = torch.nonzero(~(lengths.isfinite() if scored else (lengths - 1).abs() <= _UNIT_TOLERANCE))
    if len(bad):
        first = int(bad[0])
        raise EmbeddingError(
            f"Expected finite {'' if scored else 'unit '}rows from {model}, got length={float(lengths[first]):g} for "
            f"{names[first]} ({len(bad)} of {len(names)} rows in its batch). Look for NaN or zero outputs, and "
            "normalise the rows."
        )
    return rows.float()


def _require_variety(rows: Tensor, what: str, model: str) -> None:
    if len(rows) > 1 and bool(((rows - rows[0]).abs().amax(dim=1) < 1e-6).all()):
        raise EmbeddingError(
            f"Expected embeddings of {model} that differ between {what}, got the same row for all {len(rows)}. "
            "Its weights were probably not loaded, or its input is not passed on."
        )


def scores_of(
    ranks: NDArray[np.int64],
    query_groups: NDArray[np.int64],
    gallery_groups: NDArray[np.int64],
    ks: Sequence[int],
    patients: Clusters | None = None,
) -> Scores:
    """Recall@k with Wilson intervals, chance, median rank and mean reciprocal rank of one direction.

    Where patients repeat, the intervals are those of as many independent queries as theirs are worth.
    """
    groups, counts = np.unique(gallery_groups, return_counts=True)
    right = counts[np.searchsorted(groups, query_groups)]
    recall = {k: recall_at_k(ranks, k) for k in ks}
    return Scores(
        queries=len(ranks),
        gallery=len(gallery_groups),
        chance={k: chance_recall(right, len(gallery_groups), k) for k in ks},
        recall=recall,
        recall_interval={k: _interval(ranks <= k, patients) for k in ks},
        median_rank=median_rank(ranks),
        mrr=mean_reciprocal_rank(ranks),
    )


def _interval(hits: NDArray[np.bool_], patients: Clusters | None) -> tuple[float, float]:
    effect = 1.0 if patients is None else design_effect(hits.astype(np.float64), patients)
    found = proportion(float(hits.mean()), len(hits), 0.975, effect)
    return found.low, found.high


def ceiling(pairs: Pairs, ks: Sequence[int]) -> dict[int, float]:
    """The image-to-report Recall@k that a perfect encoder reaches: identical wrong texts tie, and count against."""
    best: dict[int, int] = {}
    texts = list(zip(pairs.texts, pairs.report_groups.tolist(), strict=True))
    same_text: dict[str, int] = {}
    same_text_and_group: dict[tuple[str, int], int] = {}
    for text, group in texts:
        same_text[text] = same_text.get(text, 0) + 1
        same_text_and_group[text, group] = same_text_and_group.get((text, group), 0) + 1
    for text, group in texts:
        rank = 1 + same_text[text] - same_text_and_group[text, group]
        best[group] = min(rank, best.get(group, rank))
    ranks = [best[group] for group in pairs.image_groups.tolist() if group in best]
    return {k: sum(rank <= k for rank in ranks) / len(pairs.images) for k in ks}
