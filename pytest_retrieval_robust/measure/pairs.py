"""The part of a data set that is evaluated: images, and the reports that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.cases import Json
from ..core.errors import DatasetError, RankingError
from ..datasets.contract import require_dataset

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset


@dataclass(frozen=True, repr=False)
class Pairs:
    """The part of a data set that is evaluated: indices of images, and the reports that
    belong to them.
    """

    dataset: RetrievalDataset
    images: NDArray[np.int64]
    reports: NDArray[np.int64]

    def __repr__(self) -> str:
        """Counts alone: a data set of one's own may print its texts."""
        return f"<Pairs of {len(self.images)} images and {len(self.reports)} reports>"

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
    """The whole data set, or its first `limit` images with the reports that are right for them.

    Raises `DatasetError` for an object that is no data set, and for an empty one.
    """
    require_dataset(dataset)
    count = len(dataset.image_ids)
    if count == 0 or len(dataset.reports) == 0:
        raise DatasetError(
            f"Expected a data set with images and reports, got images={count},"
            f" reports={len(dataset.reports)} in {dataset.name}. Check its paths and"
            " filters."
        )
    images = np.arange(count if limit is None else min(limit, count))
    wanted = np.isin(dataset.report_groups, dataset.image_groups[images])
    if limit is None:
        wanted[:] = True
    return Pairs(dataset, images, np.flatnonzero(wanted))


def check_ks(pairs: Pairs, ks: Sequence[int]) -> None:
    smallest = min(len(pairs.images), len(pairs.reports))
    if max(ks) > smallest:
        raise RankingError(
            f"Expected every k to be at most the gallery's size of {smallest}, got"
            f" k={max(ks)} on {pairs.dataset.name}. Lower --robust-k or evaluate more"
            " pairs."
        )


def ceiling(pairs: Pairs, ks: Sequence[int]) -> dict[int, float]:
    """The image-to-report Recall@k that a perfect encoder reaches: identical wrong
    texts tie, and count against.
    """
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


def duplicate_share(pairs: Pairs) -> float:
    """The share of texts that were there before.

    With several captions per image there are more texts than images.
    """
    return 1 - len(set(pairs.texts)) / max(len(pairs.images), len(pairs.reports))


def describe(
    pairs: Pairs,
    ks: Sequence[int],
    *,
    pixel_digest: str | None = None,
    skipped: int = 0,
) -> Json:
    """What a run's record says of a data set; without a digest where not every image was read."""
    return {
        "name": pairs.dataset.name,
        "split": pairs.dataset.split,
        "text": pairs.dataset.text,
        "relevance": pairs.dataset.relevance,
        "fingerprint": pairs.dataset.fingerprint,
        "pixel_digest": pixel_digest,
        "images": len(pairs.images),
        "reports": len(pairs.reports),
        "groups": len(np.unique(pairs.report_groups)),
        "skipped": skipped,
        "duplicate_share": duplicate_share(pairs),
        "ceiling": {str(k): value for k, value in ceiling(pairs, ks).items()},
    }
