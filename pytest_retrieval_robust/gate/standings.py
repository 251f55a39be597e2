"""Models side by side: in order of their recall, with the ranks that each may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from ..core.cases import Direction, Json, level_word, levels_word
from ..core.words import counted
from ..retrieval.adjusted_p import holm
from ..retrieval.rank_intervals import ALPHA, AllPairs, RankInterval
from .contenders import Contender, Criterion, Setting
from .curve_statistics import Floats

_FIRST = 3
"""Places that the sentence on the order is about."""


@dataclass(frozen=True)
class Question:
    """What the models are ranked by."""

    k: int
    direction: Direction = "image-to-report"
    criterion: Criterion = Criterion.MEAN

    def words(self, setting: Setting) -> str:
        """`mean Recall@10 over 6 levels, image-to-report`."""
        recall = f"Recall@{self.k}"
        levels = setting.levels
        count = counted(
            len(levels), level_word(setting.family), levels_word(setting.family)
        )
        words = {
            Criterion.MEAN: f"mean {recall} over {count}",
            Criterion.CLEAN: f"{recall} at level 0",
            Criterion.HARDEST: f"{recall} at {levels[-1]:g}",
            Criterion.AUC: f"area under {recall} over {count}",
        }
        return f"{words[self.criterion]}, {self.direction}"


@dataclass(frozen=True, repr=False)
class Standing:
    """A model's place among others."""

    contender: Contender
    recalls: Floats
    """(L,) at each level."""
    value: float
    """What it is ranked by, a share in [0, 1]."""
    rank: int | None
    """From 1, among those with ranks of their queries; models of equal value share the
    better one. None without such ranks.
    """
    interval: RankInterval | None
    """The ranks that it may have; None without ranks of its queries."""

    @property
    def name(self) -> str:
        return self.contender.name


@dataclass(frozen=True, repr=False)
class PairDifference:
    """Two models of a table, the one that stands above first."""

    first: Standing
    second: Standing
    low: float
    high: float
    """The intervals of all pairs of the table hold at once with a probability of 0.95."""
    p: float
    """Two-sided, of this pair alone."""
    adjusted_p: float
    """Adjusted for all pairs by the step-down of J. P. Romano and M. Wolf (2005)."""
    holm_p: float

    @property
    def value(self) -> float:
        return self.first.value - self.second.value

    @property
    def told_apart(self) -> bool:
        return self.adjusted_p < ALPHA

    def as_json(self) -> Json:
        return {
            "first": self.first.name,
            "second": self.second.name,
            "difference": self.value,
            "interval": [self.low, self.high],
            "p": self.p,
            "adjusted_p": self.adjusted_p,
            "holm_p": self.holm_p,
            "told_apart": self.told_apart,
        }


@dataclass(frozen=True, repr=False)
class Standings:
    """A table: models that may stand side by side, the best first."""

    setting: Setting
    question: Question
    rows: tuple[Standing, ...]
    pairs: AllPairs | None
    """Of the rows with ranks, in their order; None where fewer than two have any."""
    queries: int | None
    patients: int | None

    @cached_property
    def ranked(self) -> tuple[Standing, ...]:
        """The rows that `pairs` is about."""
        return tuple(row for row in self.rows if row.interval is not None)

    @cached_property
    def differences(self) -> tuple[PairDifference, ...]:
        """Every pair, in the order of the rows."""
        pairs = self.pairs
        if pairs is None:
            return ()
        places = list(combinations(range(pairs.count), 2))
        adjusted = holm([float(pairs.p[place]) for place in places])
        return tuple(
            PairDifference(
                self.ranked[first],
                self.ranked[second],
                low=float(pairs.low[first, second]),
                high=float(pairs.high[first, second]),
                p=float(pairs.p[first, second]),
                adjusted_p=float(pairs.adjusted_p[first, second]),
                holm_p=holm_p,
            )
            for (first, second), holm_p in zip(places, adjusted, strict=True)
        )

    @cached_property
    def bars(self) -> tuple[tuple[int, int], ...]:
        """The longest stretches of `ranked`, first and last place, of two or more rows of
        which no pair is told apart.
        """
        if self.pairs is None:
            return ()
        apart = self.pairs.better | self.pairs.better.T
        stretches: list[tuple[int, int]] = []
        for first in range(self.pairs.count):
            last = first
            while (
                last + 1 < self.pairs.count
                and not apart[first : last + 1, last + 1].any()
            ):
                last += 1
            is_new = not stretches or last > stretches[-1][1]
            if last > first and is_new:
                stretches.append((first, last))
        return tuple(stretches)

    @cached_property
    def order_sentence(self) -> str:
        """How much is known of the order of the first three."""
        rows = self.ranked
        if self.pairs is None:
            return (
                "Nothing is known of the order: fewer than two models have the ranks of"
                " their queries."
            )
        names = [row.name for row in rows]
        known = [row.interval is not None and row.interval.is_known for row in rows]
        first = min(_FIRST, len(rows))
        if all(known[:first]):
            return (
                f"The order of the first {first} is known: {', '.join(names[:first])}."
            )
        if not known[0]:
            may_lead = [
                row.name for row in rows if row.interval and row.interval.best == 1
            ]
            return (
                f"The order of the first {first} is not known: any of"
                f" {counted(len(may_lead), 'model')} may be the first"
                f" ({_some(may_lead)})."
            )
        if len(rows) > 1 and known[1]:
            may_follow = [
                row.name for row in rows if row.interval and row.interval.best == _FIRST
            ]
            return (
                f"The first two are known: {names[0]}, {names[1]}. The third is one of"
                f" {counted(len(may_follow), 'model')} ({_some(may_follow)})."
            )
        may_follow = [
            row.name for row in rows[1:] if row.interval and row.interval.best == 2
        ]
        return (
            f"The first is known: {names[0]}. The second is one of"
            f" {counted(len(may_follow), 'model')} ({_some(may_follow)})."
        )

    def as_json(self) -> Json:
        """The table without its pairs, which `differences` are."""
        setting = self.setting
        return {
            "dataset": setting.dataset,
            "fingerprint": setting.fingerprint,
            "family": setting.family,
            "perturbation": setting.perturbation,
            "levels": list(setting.levels),
            "seeds": list(setting.seeds),
            "precision": setting.precision,
            "limit": setting.limit,
            "k": self.question.k,
            "direction": self.question.direction,
            "criterion": self.question.criterion.value,
            "queries": self.queries,
            "patients": self.patients,
            "order": self.order_sentence,
            "models": [_row_json(row) for row in self.rows],
        }


def _row_json(row: Standing) -> Json:
    interval = row.interval
    measured = row.contender.run.measured
    return {
        "name": row.name,
        "model": row.contender.model,
        "rank": row.rank,
        "rank_interval": None if interval is None else [interval.best, interval.worst],
        "value": row.value,
        "recall": [float(recall) for recall in row.recalls],
        "run": measured.identity.id,
        "started": measured.identity.started,
        "version": measured.identity.version,
        "partial": measured.scope.partial is not None,
    }


def _some(names: Sequence[str]) -> str:
    if len(names) <= _FIRST + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_FIRST])} and {len(names) - _FIRST} more"
