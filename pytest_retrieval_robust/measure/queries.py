"""What is the same of a data set's queries in every cell: their right answers and patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..retrieval.bootstrap import Clusters
from ..retrieval.metrics.recall import chance_recall

if TYPE_CHECKING:
    from .pairs import Pairs


@dataclass(frozen=True, eq=False, repr=False)
class Queries:
    """The queries of one direction."""

    right_answers: NDArray[np.int64]
    """(N,) how many items of the gallery are right for each."""
    gallery: int
    """Items that are ranked."""
    patients: Clusters | None = None
    """The patient of each; None where each has one of its own."""
    _chances: dict[tuple[int, ...], dict[int, float]] = field(
        default_factory=dict, init=False
    )

    @classmethod
    def of(
        cls,
        query_groups: NDArray[np.int64],
        gallery_groups: NDArray[np.int64],
        patients: Clusters | None = None,
    ) -> Queries:
        """The queries of these groups; an item of the same group is a right answer."""
        groups, counts = np.unique(gallery_groups, return_counts=True)
        right_answers = counts[np.searchsorted(groups, query_groups)]
        return cls(right_answers, len(gallery_groups), patients)

    def chance(self, ks: Sequence[int]) -> dict[int, float]:
        """Recall@k of answers in random order, by k.

        It follows from how many answers are right for each query: all cells get the same
        one, which is not to be changed.
        """
        key = tuple(ks)
        if key not in self._chances:
            self._chances[key] = {
                k: chance_recall(self.right_answers, self.gallery, k) for k in ks
            }
        return self._chances[key]


@dataclass(frozen=True, eq=False, repr=False)
class BothQueries:
    """The queries of both directions."""

    images: Queries
    reports: Queries

    @classmethod
    def of(cls, pairs: Pairs) -> BothQueries:
        image_patients, report_patients = cluster_labels(pairs)
        return cls(
            images=Queries.of(
                pairs.image_groups, pairs.report_groups, Clusters.of(image_patients)
            ),
            reports=Queries.of(
                pairs.report_groups, pairs.image_groups, Clusters.of(report_patients)
            ),
        )


def cluster_labels(pairs: Pairs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The patient of each image, and of each report: that of the first image it is right for.

    A text that several patients share is one query, and can belong to one of them only.
    A text that no image matches is a cluster of its own.
    """
    numbers: dict[str, int] = {}
    labels = [numbers.setdefault(patient, len(numbers)) for patient in pairs.patients]
    of_images = np.array(labels, dtype=np.int64)
    # The first image of each group gives its patient to the group's reports.
    groups, first_images = np.unique(pairs.image_groups, return_index=True)
    index = nearest_index(groups, pairs.report_groups)
    is_matched = groups[index] == pairs.report_groups
    alone = len(numbers) + np.arange(len(is_matched))
    of_reports = np.where(is_matched, of_images[first_images[index]], alone)
    return of_images, of_reports.astype(np.int64)


def nearest_index(
    sorted_groups: NDArray[np.int64], queries: NDArray[np.int64]
) -> NDArray[np.intp]:
    """(N,) where each query is in `sorted_groups`, if it is in them at all."""
    return np.searchsorted(sorted_groups, queries).clip(max=len(sorted_groups) - 1)
