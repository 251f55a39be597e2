"""What in a saved run must follow from something else in it: a place where it does not
was changed afterwards.

This finds accidents and careless edits. Whoever makes ranks, numbers and digests anew
makes another run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.cases import DIRECTIONS, Direction, Json
from ...core.costs import CostMeasurement
from ...core.outcomes import Outcome, Scores
from ...core.searches import BreakingOutcome
from ...gate.arrays import case_key
from ...gate.measurements import Measurements
from ...retrieval.bootstrap import Clusters, design_effect
from ...retrieval.intervals import proportion
from ...retrieval.metrics.recall import chance_recall
from .arrays import ArrayForm

Arrays = Mapping[str, NDArray[Any]]
_ROUNDING = 1e-9
_CONFIDENCE = 0.975
"""Of each end of an interval."""
_QUERIES: Mapping[Direction, str] = {
    "image-to-report": "image",
    "report-to-image": "report",
}
_CLUSTERS = {"image": "cluster", "report": "report_cluster"}


@dataclass(frozen=True)
class Contradiction:
    """What should be there, and what is."""

    expected: str
    got: str


# run.json alone


def contradictions(measured: Measurements) -> Iterator[Contradiction]:
    """What in `run.json` contradicts something else in it."""
    yield from _repeated(measured)
    yield from _unknown_names(measured)
    yield from _models(measured)
    yield from _broken_tests(measured)
    datasets = {dataset["name"]: dataset for dataset in measured.datasets}
    for outcome in measured.outcomes:
        yield from _outcome(outcome, measured.plan.ks)
        yield from _sizes(outcome, datasets[outcome.case.dataset], measured.limit)
    for cost in measured.costs:
        yield from _cost(cost)
    for search in measured.breaking:
        yield from _search(search)


def _repeated(measured: Measurements) -> Iterator[Contradiction]:
    lists: Mapping[str, Iterable[Hashable]] = {
        "case": [outcome.case for outcome in measured.outcomes],
        "case that was timed": [cost.case for cost in measured.costs],
        "search": [search.case for search in measured.breaking],
        "model": [model.name for model in measured.models],
        "data set": [dataset["name"] for dataset in measured.datasets],
    }
    for kind, names in lists.items():
        name, count = next(iter(Counter(names).most_common(1)), ("", 0))
        if count > 1:
            yield Contradiction(f"each {kind} once", f"{name} more often")


def _unknown_names(measured: Measurements) -> Iterator[Contradiction]:
    """Cells of models, data sets or occluders that the run was not asked for."""
    plan = measured.plan
    cases = [
        *(outcome.case for outcome in measured.outcomes),
        *(cost.case for cost in measured.costs),
    ]
    searches = [one.case for one in measured.breaking]
    known = {dataset["name"] for dataset in measured.datasets}
    yield from _outside(
        "models of the run's plan",
        {case.model for case in (*cases, *searches)},
        plan.models,
    )
    yield from _outside(
        "data sets of the run's plan",
        {case.dataset for case in (*cases, *searches)},
        plan.datasets,
    )
    yield from _outside(
        "occluders of the run's plan", {case.occluder for case in cases}, plan.occluders
    )
    yield from _outside(
        "data sets that the run describes",
        {case.dataset for case in (*cases, *searches)},
        known,
    )


def _outside(
    kind: str, names: Collection[str], known: Collection[str]
) -> Iterator[Contradiction]:
    unknown = sorted(set(names) - set(known))
    if unknown:
        yield Contradiction(f"cells of {kind} alone", f"cells of {unknown[0]}")


def _models(measured: Measurements) -> Iterator[Contradiction]:
    """Every model of the plan is either tested or not, and what was measured says the same."""
    missing = sorted(
        set(measured.plan.models) - {model.name for model in measured.models}
    )
    if missing:
        yield Contradiction(
            "a record of each model of the run's plan", f"none of {missing[0]}"
        )
    for model in measured.models:
        was_measured = model.name in measured.measured_models
        if model.tested != was_measured:
            got = (
                "measurements of a model that was not tested"
                if was_measured
                else "no measurement of a tested model"
            )
            yield Contradiction(
                "measurements of each tested model, and of no other",
                f"{got}, {model.name}",
            )


def _broken_tests(measured: Measurements) -> Iterator[Contradiction]:
    sentences, tests = len(measured.broken), measured.broken_tests
    if tests < sentences or (tests > 0 and sentences == 0):
        yield Contradiction(
            "a sentence for each kind of failed test",
            f"{sentences} for broken_tests={tests}",
        )


def _outcome(outcome: Outcome, ks: tuple[int, ...]) -> Iterator[Contradiction]:
    if outcome.ranks_key != case_key(outcome.case):
        yield Contradiction(
            f"{outcome.case} with its own ranks",
            f"ranks_key={outcome.ranks_key!r}, which is another's",
        )
    for direction in DIRECTIONS:
        scores = outcome.scores(direction)
        if scores.queries < 1 or scores.gallery < 1:
            got = f"queries={scores.queries}, gallery={scores.gallery}"
            yield Contradiction(f"queries and a gallery of {outcome.case}", got)
        for numbers in (scores.recall, scores.recall_interval, scores.chance):
            if set(numbers) != set(ks):
                expected = (
                    f"numbers of {outcome.case} for each k of the run's plan ({ks})"
                )
                yield Contradiction(expected, f"k={sorted(numbers)}")


def _sizes(
    outcome: Outcome, dataset: Json, limit: int | None
) -> Iterator[Contradiction]:
    """Queries and galleries are the images and reports of the data set, which was read whole."""
    images, reports = dataset["images"], dataset["reports"]
    there, back = outcome.image_to_report, outcome.report_to_image
    sizes = {
        "image-to-report queries": (there.queries, images),
        "image-to-report gallery": (there.gallery, reports),
        "report-to-image queries": (back.queries, reports),
        "report-to-image gallery": (back.gallery, images),
    }
    for name, (got, wanted) in sizes.items():
        if got != wanted:
            yield Contradiction(
                f"{wanted} {name} of {outcome.case}, as its data set has", f"{got}"
            )
    if limit is not None and images > limit:
        yield Contradiction(
            f"at most {limit} images of {dataset['name']}, as the run's limit says",
            f"images={images}",
        )
    if dataset["pixel_digest"] is None:
        yield Contradiction(
            f"the digest of the pixels of {dataset['name']}, which was measured",
            "pixel_digest=None",
        )


def _cost(cost: CostMeasurement) -> Iterator[Contradiction]:
    times = (cost.clean_seconds, cost.occluded_seconds, cost.relative_cost)
    if min(*times, *cost.ratios) <= 0:
        yield Contradiction(
            f"times of {cost.case} above 0", f"{min(*times, *cost.ratios):g}"
        )
    elif cost.ratios and _differs(cost.relative_cost, median(cost.ratios)):
        expected = (
            f"the relative cost of {cost.case} that its rounds have,"
            f" {median(cost.ratios):g}"
        )
        yield Contradiction(expected, f"relative_cost={cost.relative_cost:g}")
    if cost.ratios and len(cost.ratios) != cost.rounds:
        yield Contradiction(
            f"{cost.rounds} rounds of {cost.case}", f"{len(cost.ratios)} ratios"
        )


def _search(search: BreakingOutcome) -> Iterator[Contradiction]:
    what = f"the search of {search.model} on {search.dataset}"
    if search.arrays_key != search_key(search):
        yield Contradiction(
            f"{what} with its own masks",
            f"arrays_key={search.arrays_key!r}, which is another's",
        )
    if (
        list(search.shares) != sorted(search.shares)
        or len(search.shares) > search.images
    ):
        yield Contradiction(
            f"rising shares of {what}, at most one per image",
            f"{len(search.shares)} shares",
        )
    if max(search.unbroken, search.one_minimal) > len(search.shares):
        got = f"unbroken={search.unbroken}, one_minimal={search.one_minimal}"
        yield Contradiction(f"at most {len(search.shares)} images of {what}", got)


def search_key(search: BreakingOutcome) -> str:
    """Where the masks of a search lie among a run's arrays."""
    return f"breaking-{case_key(search.case)}"


# The arrays


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
        images, key = (search.images,), search.arrays_key
        forms[f"{key}/image_query_key"] = ArrayForm(images)
        forms[f"{key}/breaking_mask"] = ArrayForm(
            (*images, search.grid, search.grid), "u1"
        )
        forms[f"{key}/rank_before"] = ArrayForm(images)
        forms[f"{key}/rank_after"] = ArrayForm(images)
    return forms


def _dataset_forms(dataset: Json) -> dict[str, ArrayForm]:
    forms = {}
    for side, count in (("image", dataset["images"]), ("report", dataset["reports"])):
        forms[f"{dataset['name']}/{side}_query_key"] = ArrayForm((count,))
        forms[f"{dataset['name']}/{_CLUSTERS[side]}"] = ArrayForm((count,))
        forms[f"{dataset['name']}/{side}_right"] = ArrayForm((count,), optional=True)
    return forms


def array_contradictions(
    measured: Measurements, arrays: Arrays
) -> Iterator[Contradiction]:
    """Where the numbers of `run.json` are not those of the arrays; `contradictions` has
    to have found nothing.
    """
    from ... import __version__

    is_same_version = (
        measured.identity.version == __version__
    )  # another one may compute intervals otherwise
    chances: dict[tuple[str, Direction], Mapping[int, float]] = {}
    clusters: dict[tuple[str, Direction], Clusters] = {}
    for outcome, direction in product(measured.outcomes, DIRECTIONS):
        side, scores, dataset = (
            _QUERIES[direction],
            outcome.scores(direction),
            outcome.case.dataset,
        )
        place = dataset, direction
        if place not in chances:
            clusters[place] = Clusters.of(arrays[f"{dataset}/{_CLUSTERS[side]}"])
            chances[place] = _chances(scores, arrays.get(f"{dataset}/{side}_right"))
        ranks = arrays[f"{outcome.ranks_key}/{side}_ranks"]
        numbers = _numbers(
            scores,
            ranks,
            clusters[place],
            chances[place],
            is_same_version=is_same_version,
        )
        for name, got, wanted in numbers:
            if wanted is None or _differs(got, wanted):
                yield Contradiction(
                    f"the {name} of {outcome.case} ({direction}) that its ranks have",
                    f"{name}={got}",
                )
    for search in measured.breaking:
        yield from _masks(search, arrays)


def _numbers(
    scores: Scores,
    ranks: NDArray[np.int64],
    patients: Clusters,
    chances: Mapping[int, float],
    *,
    is_same_version: bool,
) -> Iterator[tuple[str, float, float | None]]:
    """(name, what `run.json` says, what the ranks say); None where no ranks could."""
    if ranks.min() < 1 or ranks.max() > scores.gallery:
        yield "largest_rank", float(ranks.max()), None
        return
    yield "median_rank", scores.median_rank, float(np.median(ranks))
    yield "mrr", scores.mrr, float((1.0 / ranks).mean())
    for k, recall in scores.recall.items():
        hits = ranks <= k
        yield f"recall@{k}", recall, float(hits.mean())
        low, high = scores.recall_interval[k]
        if is_same_version:
            effect = design_effect(hits.astype(np.float64), patients)
            interval = proportion(float(hits.mean()), len(hits), _CONFIDENCE, effect)
            yield f"recall_interval@{k}", low, interval.low
            yield f"recall_interval@{k}", high, interval.high
        elif not low - _ROUNDING <= recall <= high + _ROUNDING:
            yield f"recall_interval@{k}", recall, None
        yield f"chance@{k}", scores.chance[k], chances[k]


def _chances(scores: Scores, right: NDArray[np.int64] | None) -> Mapping[int, float]:
    """Recall@k of answers in random order. Without how many answers are right for each
    query it cannot be computed, but it is the same for each cell of a data set, and no
    less than with one right answer each.
    """
    if right is None:
        return {
            k: max(chance, min(1.0, k / scores.gallery))
            for k, chance in scores.chance.items()
        }
    if right.min() < 1 or right.max() > scores.gallery:
        return dict.fromkeys(scores.chance, -1.0)
    return {k: chance_recall(right.tolist(), scores.gallery, k) for k in scores.chance}


def _masks(search: BreakingOutcome, arrays: Arrays) -> Iterator[Contradiction]:
    masks = arrays[f"{search.arrays_key}/breaking_mask"]
    before = arrays[f"{search.arrays_key}/rank_before"]
    hidden = masks.reshape(len(masks), -1).astype(np.float64).mean(axis=1)
    shares = np.sort(hidden[before <= search.k])
    if len(shares) != len(search.shares) or not np.allclose(
        shares, search.shares, rtol=0, atol=_ROUNDING
    ):
        expected = (
            f"the breaking shares of {search.model} on {search.dataset} that its masks"
            " have"
        )
        yield Contradiction(expected, "other shares")


def _differs(one: float, other: float) -> bool:
    """Whether they are more than a rounding apart."""
    return not abs(one - other) <= _ROUNDING * max(1.0, abs(one), abs(other))
