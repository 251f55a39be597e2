"""The part of a data set that is evaluated: images, and the reports that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.cases import Json
from ..core.errors import DatasetError, RankingError
from ..core.words import counted
from ..datasets.contract import require_dataset
from .columns import DatasetColumns
from .queries import BothQueries
from .same_texts import SameTexts
from .strata import EvaluatedStrata, evaluated_strata

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset


@dataclass(frozen=True, repr=False)
class Pairs:
    """The part of a data set that is evaluated."""

    dataset: RetrievalDataset
    images: NDArray[np.int64]
    """(N,) the images' numbers in the data set."""
    reports: NDArray[np.int64]
    """(G,) the numbers of the reports, which are the gallery."""

    def __repr__(self) -> str:
        """Counts alone: the repr of a user's data set may hold its texts."""
        images = counted(len(self.images), "image")
        return f"<Pairs of {images} and {counted(len(self.reports), 'report')}>"

    # Each list is made once: every cell, and much of what is said of a run, asks again.

    @cached_property
    def columns(self) -> DatasetColumns:
        """The lists of the whole data set, by the numbers of its images and reports."""
        return DatasetColumns(self.dataset)

    @cached_property
    def image_ids(self) -> list[str]:
        ids = self.columns.image_ids
        return [ids[number] for number in self.images.tolist()]

    @cached_property
    def texts(self) -> list[str]:
        reports = self.columns.reports
        return [reports[number] for number in self.reports.tolist()]

    @cached_property
    def image_groups(self) -> NDArray[np.int64]:
        return self.columns.image_groups[self.images]

    @cached_property
    def report_groups(self) -> NDArray[np.int64]:
        return self.columns.report_groups[self.reports]

    @cached_property
    def patients(self) -> list[str]:
        patients = self.columns.patients
        return [patients[number] for number in self.images.tolist()]

    @cached_property
    def queries(self) -> BothQueries:
        """What is the same of the queries in every cell."""
        return BothQueries.of(self)

    @cached_property
    def strata(self) -> EvaluatedStrata:
        """The groups that the data set tells its images and reports apart by."""
        return evaluated_strata(self)

    @cached_property
    def same_texts(self) -> SameTexts:
        """How often each text occurs, and for how many groups it is right."""
        return SameTexts.of(self.texts, self.report_groups)


def pairs_of(dataset: RetrievalDataset, limit: int | None = None) -> Pairs:
    """The whole data set, or its first `limit` images with the reports that are right for them.

    Raises `DatasetError` for an object that is no data set, and for an empty one.
    """
    require_dataset(dataset)
    count = len(dataset.image_ids)
    reports = len(dataset.reports)
    if count == 0 or reports == 0:
        raise DatasetError(
            f"Expected a data set with images and reports, got images={count},"
            f" reports={reports} in {dataset.name}. Check its paths and filters."
        )
    if limit is None:
        pairs = Pairs(dataset, np.arange(count), np.arange(reports))
    else:
        images = np.arange(min(limit, count))
        is_right = np.isin(dataset.report_groups, dataset.image_groups[images])
        pairs = Pairs(dataset, images, np.flatnonzero(is_right))
    # Wrong strata are an error now, before anything is encoded.
    _ = pairs.strata
    return pairs


def check_ks(pairs: Pairs, ks: Sequence[int]) -> None:
    """Raise `RankingError` if a k is above the gallery of either direction."""
    smallest = min(len(pairs.images), len(pairs.reports))
    if max(ks) > smallest:
        raise RankingError(
            f"Expected every k to be at most the gallery's size of {smallest}, got"
            f" k={max(ks)} on {pairs.dataset.name}. Lower --robust-k (ks= of evaluate),"
            " or measure more pairs."
        )


def ceiling(pairs: Pairs, ks: Sequence[int]) -> dict[int, float]:
    """The image-to-report Recall@k that a perfect encoder reaches.

    It gives identical texts the same score: wrong ones tie, and count against it.
    """
    same_texts = pairs.same_texts
    # An encoder cannot tell identical texts apart: of those with a text, the ones that
    # are wrong for an image tie with the right one, and rank before it.
    ranks = 1 + same_texts.wrong
    best_ranks = np.full(len(same_texts.groups), len(pairs.reports) + 1)
    np.minimum.at(best_ranks, same_texts.group_numbers, ranks)
    # An image without a right report counts as missed.
    found = best_ranks[same_texts.numbers_of(pairs.image_groups)]
    return {k: int((found <= k).sum()) / len(pairs.images) for k in ks}


def duplicate_share(pairs: Pairs) -> float:
    """The share of texts that repeat an earlier one."""
    # With several captions per image there are more texts than images.
    return 1 - pairs.same_texts.different / max(len(pairs.images), len(pairs.reports))


def describe(
    pairs: Pairs,
    ks: Sequence[int],
    *,
    pixel_digest: str | None = None,
    skipped: int = 0,
) -> Json:
    """What a run's record says of a data set.

    `pixel_digest` is None if not every image was read.
    """
    dataset = pairs.dataset
    ceilings = {str(k): recall for k, recall in ceiling(pairs, ks).items()}
    strata = [stratum.as_json() for stratum in pairs.strata.strata]
    described: Json = {
        "name": dataset.name,
        "split": dataset.split,
        "text": dataset.text,
        "relevance": dataset.relevance,
        "fingerprint": dataset.fingerprint,
        "pixel_digest": pixel_digest,
        "images": len(pairs.images),
        "reports": len(pairs.reports),
        "groups": len(np.unique(pairs.report_groups)),
        "skipped": skipped,
        "duplicate_share": duplicate_share(pairs),
        "ceiling": ceilings,
    }
    # A data set without strata is described as by earlier versions.
    return {**described, "strata": strata} if strata else described
