"""Bounds of Recall@k in groups of queries, of the gap between two of them, and of what is
left of a group's recall.

Groups are small, and a patient may have queries in several of them. So all deviates are
Student's, with the degrees of freedom of the group's patients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .bootstrap import Clusters, design_effect
from .intervals import normal_quantile, wilson_interval
from .student import student_quantile

Bounds: TypeAlias = tuple[float, float]
"""Two one-sided bounds, each at the same error."""
Floats: TypeAlias = NDArray[np.float64]
_NO_VARIANCE = 1e-15


@dataclass(frozen=True, eq=False, repr=False)
class Members:
    """The queries of one group, among those of all groups."""

    rows: NDArray[np.int64]
    """(n,) places of the group's queries; at least one."""
    every: Clusters
    """The patient of each query of all groups."""

    @cached_property
    def clusters(self) -> Clusters:
        """The patients of the group alone."""
        return Clusters.of(self.every.numbers[self.rows])

    @property
    def queries(self) -> int:
        return len(self.rows)

    @property
    def patients(self) -> int:
        return self.clusters.count

    @cached_property
    def degrees_of_freedom(self) -> float:
        """Those of a mean over the group: patients - 1, and fewer where they are unequal."""
        sizes = self.clusters.patient_sizes
        return sizes.count - 1.0 if sizes.are_alone else sizes.degrees_of_freedom


def recall_bounds(hits: Floats, members: Members, error: float) -> Bounds:
    """Bounds of the share of a group's queries that are hit, each at `error`.

    Wilson's score interval of the effective sample size: queries / design effect, and less
    by the square of Student's deviate / the normal one (E. L. Korn and B. I. Graubard,
    Survey Methodology 24, 1998). `hits` (N,) are those of all groups, 0 or 1.
    """
    own = hits[members.rows]
    df = members.degrees_of_freedom
    if df <= 0:
        return 0.0, 1.0
    widening = student_quantile(1 - error, df) / normal_quantile(1 - error)
    effect = design_effect(own, members.clusters) * widening**2
    effective = members.queries / effect
    successes = min(float(own.mean()) * effective, effective)
    return wilson_interval(successes, effective, 1 - 2 * error)


@dataclass(frozen=True, eq=False, repr=False)
class GroupRecalls:
    """Recall@k of several groups, with all that bounds of them and of their gaps need."""

    hits: Floats
    """(N,) of the queries of all groups, 0 or 1."""
    groups: Sequence[Members]

    @cached_property
    def values(self) -> Floats:
        """(G,) the recall of each group."""
        return np.array([self.hits[group.rows].mean() for group in self.groups])

    def bounds(self, error: float) -> list[Bounds]:
        """Those of each group's recall, each at `error`."""
        return [recall_bounds(self.hits, group, error) for group in self.groups]

    @cached_property
    def correlations(self) -> Floats:
        """(G, G) how alike the errors of two recalls are: 0 where groups share no patient."""
        columns = []
        for group, value in zip(self.groups, self.values, strict=True):
            numbers = group.every.numbers[group.rows]
            residuals = self.hits[group.rows] - value
            sums = np.bincount(numbers, weights=residuals, minlength=group.every.count)
            length = math.sqrt(float(sums @ sums))
            columns.append(sums / length if length > _NO_VARIANCE else 0 * sums)
        table = np.stack(columns, axis=1)
        correlations: Floats = table.T @ table
        return correlations

    def gaps(self) -> Floats:
        """(G, G) the recall of the group of a row minus that of a column."""
        gaps: Floats = self.values[:, None] - self.values[None, :]
        return gaps

    def gap_bounds(self, error: float) -> tuple[Floats, Floats]:
        """(G, G) lower and upper bounds of `gaps`, each at `error`.

        From the bounds of both recalls (R. G. Newcombe, Statistics in Medicine 17, 1998),
        and from how alike their errors are (G. Y. Zou and A. Donner, Statistics in
        Medicine 27, 2008): patients of both groups are the same in both.
        """
        low, high = np.array(self.bounds(error)).T
        below = self.values - low
        above = high - self.values
        # Of the pair (row, column): the row's lower bound beside the column's upper one.
        square = below[:, None] ** 2 + above[None, :] ** 2
        square -= 2 * self.correlations * below[:, None] * above[None, :]
        reach = np.sqrt(np.maximum(square, 0.0))
        gaps = self.gaps()
        return gaps - reach, gaps + reach.T


def retention_bounds(
    clean: Floats, hidden: Floats, members: Members, error: float
) -> Bounds:
    """Bounds of a group's recall where something is hidden as a multiple of its clean one,
    each at `error`; inf above where clean recall may be 0.

    E. C. Fieller's (Journal of the Royal Statistical Society B 16, 1954), of sums over
    patients. `clean` and `hidden` (N,) are the hits of all groups. Two patients of average
    size are added, one who loses all and one who gains all, as to every bootstrap sample.
    """
    clusters = members.clusters
    df = members.degrees_of_freedom
    if df <= 0:
        return 0.0, math.inf
    usual = members.queries / clusters.count
    sums = clusters.sums(np.stack([clean, hidden], axis=1)[members.rows])
    sums = np.vstack([sums, [[usual, 0.0], [0.0, usual]]])
    sizes = np.append(clusters.sizes.astype(np.float64), [usual, usual])
    before, after = sums.sum(axis=0) / sizes.sum()
    residuals = (sums - sizes[:, None] * [before, after]) / sizes.sum()
    covariance = residuals.T @ residuals * len(sizes) / (len(sizes) - 1)
    square = student_quantile(1 - error, df) ** 2
    # The ratios R with (after - R before)^2 <= square * variance of (after - R before).
    leading = before**2 - square * covariance[0, 0]
    if leading <= 0:
        return 0.0, math.inf
    middle = before * after - square * covariance[0, 1]
    last = after**2 - square * covariance[1, 1]
    reach = math.sqrt(max(0.0, middle**2 - leading * last))
    observed = _ratio(
        float(clean[members.rows].sum()), float(hidden[members.rows].sum())
    )
    # Two added patients may move a small group's bounds beyond what was observed.
    low = min(max(0.0, (middle - reach) / leading), observed)
    return low, max((middle + reach) / leading, observed)


def _ratio(before: float, after: float) -> float:
    return after / before if before > 0 else 0.0
