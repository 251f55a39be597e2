"""What in a `run.json` must follow from its ranks and masks, and which arrays it has.

`checks` has to have found nothing in `run.json` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.cases import DIRECTIONS, Direction
from ...core.codec import Json
from ...core.outcomes import Scores
from ...core.searches import BreakingOutcome
from ...gate.measurements import Measurements
from ...retrieval.bootstrap import Clusters
from ...retrieval.metrics.recall import chance_recall
from ...retrieval.shares import share_of
from .arrays import ArrayForm
from .checks import ROUNDING, Contradiction, differs

Arrays = Mapping[str, NDArray[Any]]
_CONFIDENCE = 0.975
"""Of each end of an interval."""
_QUERIES: Mapping[Direction, str] = {
    "image-to-report": "image",
    "report-to-image": "report",
}
_CLUSTERS = {"image": "cluster", "report": "report_cluster"}


def forms_of(measured: Measurements) -> dict[str, ArrayForm]:
    """The arrays that a run has by its `run.json`, as `ranks.npz` names them."""
    forms: dict[str, ArrayForm] = {}
    for outcome in measured.outcomes:
        for direction, side in _QUERIES.items():
            queries = outcome.scores(direction).queries
            forms[f"{outcome.ranks_key}/{side}_ranks"] = ArrayForm((queries,))
    measured_datasets = {outcome.case.dataset for outcome in measured.outcomes}
    for dataset in measured.datasets:
        if dataset["name"] in measured_datasets:
            forms |= _dataset_forms(dataset)
    for search in measured.breaking:
        forms |= _search_forms(search)
    return forms


def _dataset_forms(dataset: Json) -> dict[str, ArrayForm]:
    name = dataset["name"]
    forms = {}
    for side, count in (("image", dataset["images"]), ("report", dataset["reports"])):
        forms[f"{name}/{side}_query_key"] = ArrayForm((count,))
        forms[f"{name}/{_CLUSTERS[side]}"] = ArrayForm((count,))
        forms[f"{name}/{side}_right"] = ArrayForm((count,), optional=True)
    return forms


def _search_forms(search: BreakingOutcome) -> dict[str, ArrayForm]:
    key = search.arrays_key
    per_image = ArrayForm((search.images,))
    return {
        f"{key}/image_query_key": per_image,
        f"{key}/breaking_mask": ArrayForm(
            (search.images, search.grid, search.grid), "u1"
        ),
        f"{key}/rank_before": per_image,
        f"{key}/rank_after": per_image,
    }


def array_contradictions(
    measured: Measurements, arrays: Arrays
) -> Iterator[Contradiction]:
    """Where the numbers of `run.json` are not those of the arrays."""
    from ... import __version__

    # Another version may compute intervals otherwise.
    is_same_version = measured.identity.version == __version__
    queries_of: dict[tuple[str, Direction], _Queries] = {}
    for outcome, direction in product(measured.outcomes, DIRECTIONS):
        side = _QUERIES[direction]
        scores = outcome.scores(direction)
        place = (outcome.case.dataset, direction)
        if place not in queries_of:
            queries_of[place] = _queries(arrays, outcome.case.dataset, side, scores)
        ranks = arrays[f"{outcome.ranks_key}/{side}_ranks"]
        for number in _numbers(scores, ranks, queries_of[place], is_same_version):
            if number.expected is None or differs(number.got, number.expected):
                yield Contradiction(
                    f"the {number.name} of {outcome.case} ({direction}) that its ranks"
                    " have",
                    f"{number.name}={number.got}",
                )
    for search in measured.breaking:
        yield from _wrong_shares(search, arrays)


@dataclass(frozen=True)
class _Queries:
    """What is the same for each cell of a data set, in one direction."""

    patients: Clusters
    chances: Mapping[int, float]


def _queries(arrays: Arrays, dataset: str, side: str, scores: Scores) -> _Queries:
    return _Queries(
        patients=Clusters.of(arrays[f"{dataset}/{_CLUSTERS[side]}"]),
        chances=_chances(scores, arrays.get(f"{dataset}/{side}_right")),
    )


@dataclass(frozen=True)
class _Number:
    """A number of `run.json`, and what it is by the ranks."""

    name: str
    got: float
    expected: float | None
    """None where no ranks could give the number."""


def _numbers(
    scores: Scores,
    ranks: NDArray[np.int64],
    queries: _Queries,
    is_same_version: bool,
) -> Iterator[_Number]:
    if ranks.min() < 1 or ranks.max() > scores.gallery:
        yield _Number("largest_rank", float(ranks.max()), None)
        return
    yield _Number("median_rank", scores.median_rank, float(np.median(ranks)))
    yield _Number("mrr", scores.mrr, float((1.0 / ranks).mean()))
    for k, recall in scores.recall.items():
        hits = ranks <= k
        yield _Number(f"recall@{k}", recall, float(hits.mean()))
        low, high = scores.recall_interval[k]
        if is_same_version:
            interval = share_of(hits, queries.patients, _CONFIDENCE)
            yield _Number(f"recall_interval@{k}", low, interval.low)
            yield _Number(f"recall_interval@{k}", high, interval.high)
        elif not low - ROUNDING <= recall <= high + ROUNDING:
            yield _Number(f"recall_interval@{k}", recall, None)
        yield _Number(f"chance@{k}", scores.chance[k], queries.chances[k])


def _chances(scores: Scores, right: NDArray[np.int64] | None) -> Mapping[int, float]:
    """Recall@k of answers in random order.

    Without how many answers are right for each query it cannot be computed. But it is
    the same for each cell of a data set, and no less than with one right answer each.
    """
    if right is None:
        return {
            k: max(chance, min(1.0, k / scores.gallery))
            for k, chance in scores.chance.items()
        }
    if right.min() < 1 or right.max() > scores.gallery:
        # No chance is below 0: every one of the run differs.
        return dict.fromkeys(scores.chance, -1.0)
    return {k: chance_recall(right, scores.gallery, k) for k in scores.chance}


def _wrong_shares(search: BreakingOutcome, arrays: Arrays) -> Iterator[Contradiction]:
    masks = arrays[f"{search.arrays_key}/breaking_mask"]
    before = arrays[f"{search.arrays_key}/rank_before"]
    hidden = masks.reshape(len(masks), -1).astype(np.float64).mean(axis=1)
    shares = np.sort(hidden[before <= search.k])
    if len(shares) != len(search.shares) or not np.allclose(
        shares, search.shares, rtol=0, atol=ROUNDING
    ):
        yield Contradiction(
            f"the breaking shares of {search.model} on {search.dataset} that its masks"
            " have",
            "other shares",
        )
