"""Which contenders may stand in one table, and the table that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..retrieval.rank_intervals import RankInterval, compare_all
from .contenders import Contender, Setting
from .curve_statistics import Floats
from .difference import NotComparable
from .pairing import matched
from .standings import Question, Standing, Standings

_EQUAL = 1e-9
"""Values that differ by less are the same: they are sums in another order."""


def stand(
    setting: Setting, contenders: Sequence[Contender], question: Question
) -> tuple[Standings, tuple[tuple[Contender, NotComparable], ...]]:
    """The table of the contenders of one setting, and those that it leaves out, with the
    reason.

    Queries are paired by their keys, and patients are those of the first contender.
    """
    measured: list[Contender] = []
    left_out: list[tuple[Contender, NotComparable]] = []
    for contender in contenders:
        if question.k in contender.ks:
            measured.append(contender)
            continue
        reason = (
            f"Expected Recall@{question.k}, got k={sorted(contender.ks)}. Choose another"
            " --k, or measure it with --robust-k."
        )
        left_out.append((contender, NotComparable(reason)))
    aligned = _Aligned.of(setting, measured, question)
    left_out += aligned.left_out
    excluded = {id(contender) for contender, _ in aligned.left_out}
    rows = [each for each in measured if id(each) not in excluded]
    return _table(setting, rows, question, aligned), tuple(left_out)


@dataclass(frozen=True, repr=False)
class _Aligned:
    """Scores of contenders, in the order of the queries of the first that has ranks."""

    reference: Contender | None
    scores: dict[int, Floats]
    """(N,) by the `id` of the contender."""
    left_out: tuple[tuple[Contender, NotComparable], ...]

    @classmethod
    def of(
        cls, setting: Setting, contenders: Sequence[Contender], question: Question
    ) -> _Aligned:
        weights = question.criterion.weights(setting.levels)
        reference: Contender | None = None
        scores: dict[int, Floats] = {}
        left_out = []
        for contender in contenders:
            own = contender.scores(question.direction, question.k, weights)
            keys = contender.keys(question.direction)
            if own is None or keys is None or len(keys) != len(own):
                continue
            if reference is None:
                reference = contender
            reference_keys = reference.keys(question.direction)
            assert reference_keys is not None
            order = matched(reference_keys, keys)
            if order is None:
                reason = (
                    f"Expected the {len(reference_keys)} queries of {reference.name},"
                    f" got {len(keys)} of which not all are the same. Measure both on"
                    " the same data."
                )
                left_out.append((contender, NotComparable(reason)))
                continue
            scores[id(contender)] = own[order]
        return cls(reference, scores, tuple(left_out))


def _table(
    setting: Setting,
    contenders: Sequence[Contender],
    question: Question,
    aligned: _Aligned,
) -> Standings:
    weights = question.criterion.weights(setting.levels)
    recalls = {
        id(each): each.recalls(question.direction, question.k) for each in contenders
    }
    values = {key: float(weights @ of_levels) for key, of_levels in recalls.items()}
    # Equal values in the order of their names, whatever the order of the runs.
    ordered = sorted(
        contenders, key=lambda each: (-round(values[id(each)], 9), each.name)
    )
    ranked = [each for each in ordered if id(each) in aligned.scores]
    pairs = None
    intervals: dict[int, RankInterval] = {}
    queries = patients = None
    if aligned.reference is not None and len(ranked) > 1:
        scores = np.column_stack([aligned.scores[id(each)] for each in ranked])
        queries = len(scores)
        clusters = aligned.reference.run.evidence.clusters(
            aligned.reference.dataset, question.direction, queries
        )
        patients = clusters.count
        pairs = compare_all(scores, clusters)
        intervals = dict(zip(map(id, ranked), pairs.intervals, strict=True))
    ranks = {
        id(each): 1
        + sum(values[id(other)] > values[id(each)] + _EQUAL for other in ranked)
        for each in ranked
        if pairs is not None
    }
    rows = tuple(
        Standing(
            each,
            recalls[id(each)],
            values[id(each)],
            ranks.get(id(each)),
            intervals.get(id(each)),
        )
        for each in ordered
    )
    return Standings(setting, question, rows, pairs, queries, patients)


def shared_k(contenders: Sequence[Contender]) -> int | None:
    """The largest k that all have; else the largest that any has."""
    every = [contender.ks for contender in contenders]
    shared = frozenset.intersection(*every) if every else frozenset[int]()
    return max(shared or frozenset[int]().union(*every), default=None)
