"""What in a `run.json` must follow from something else in it.

Where it does not, the file was changed afterwards. This finds accidents and careless
edits: whoever makes ranks, numbers and digests anew makes another run. What must follow
from the ranks is in `array_checks`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from ...core.cases import DIRECTIONS, Family
from ...core.codec import Json
from ...core.costs import CostMeasurement
from ...core.outcomes import Outcome
from ...core.searches import BreakingOutcome
from ...core.strata import strata_in
from ...core.words import counted
from ...gate.arrays import case_key
from ...gate.measurements import Measurements
from .counterfactual_checks import counterfactual_contradictions

ROUNDING = 1e-9
"""What two numbers may differ by that are computed in two ways."""
_KINDS: Mapping[Family, str] = {
    "occlusion": "occluders",
    "corruption": "corruptions",
    "text-noise": "text noise",
}
"""What a plan names of each family."""


@dataclass(frozen=True)
class Contradiction:
    """What should be in the file, and what is."""

    expected: str
    got: str


def contradictions(measured: Measurements) -> Iterator[Contradiction]:
    """What in `run.json` contradicts something else in it."""
    yield from _repetitions(measured)
    yield from _unknown_names(measured)
    yield from _wrong_models(measured)
    yield from _wrong_broken_tests(measured)
    datasets = {dataset["name"]: dataset for dataset in measured.datasets}
    for dataset in measured.datasets:
        yield from _of_strata(dataset)
    for outcome in measured.outcomes:
        # Its data set is known: an unknown one was a contradiction above.
        dataset = datasets[outcome.case.dataset]
        yield from _of_outcome(outcome, measured.plan.ks)
        yield from _wrong_sizes(outcome, dataset)
        yield from _of_dataset(dataset, measured.limit)
    for cost in measured.costs:
        yield from _of_cost(cost)
    for search in measured.breaking:
        yield from _of_search(search)
    for counterfactual in measured.counterfactuals:
        dataset = datasets[counterfactual.case.dataset]
        pairs = counterfactual_contradictions(counterfactual, dataset, measured.plan.ks)
        for expected, got in pairs:
            yield Contradiction(expected, got)


def differs(number: float, expected: float) -> bool:
    """Whether two numbers are more than a rounding apart. NaN differs from all."""
    scale = max(1.0, abs(number), abs(expected))
    return not abs(number - expected) <= ROUNDING * scale


def _repetitions(measured: Measurements) -> Iterator[Contradiction]:
    names_by_kind: Mapping[str, Iterable[Hashable]] = {
        "case": [outcome.case for outcome in measured.outcomes],
        "case that was timed": [cost.case for cost in measured.costs],
        "search": [search.case for search in measured.breaking],
        "case with edits": [outcome.case for outcome in measured.counterfactuals],
        "model beside its fingerprint": [drift.model for drift in measured.drift],
        "model": [model.name for model in measured.models],
        "data set": [dataset["name"] for dataset in measured.datasets],
    }
    for kind, names in names_by_kind.items():
        for name, count in Counter(names).most_common(1):
            if count > 1:
                yield Contradiction(f"each {kind} once", f"{name} more often")


def _unknown_names(measured: Measurements) -> Iterator[Contradiction]:
    """Cells of models, data sets or perturbations that the run was not asked for."""
    plan = measured.plan
    cells = [
        *(outcome.case for outcome in measured.outcomes),
        *(cost.case for cost in measured.costs),
        *(edits.case for edits in measured.counterfactuals if edits.case.level > 0),
    ]
    # Neither a search nor clean images name an occluder of the plan.
    cases = [
        *cells,
        *(search.case for search in measured.breaking),
        *(edits.case for edits in measured.counterfactuals),
    ]
    models = {case.model for case in cases} | {drift.model for drift in measured.drift}
    datasets = {case.dataset for case in cases}
    described = {dataset["name"] for dataset in measured.datasets}
    yield from _outside("models of the run's plan", models, plan.models)
    yield from _outside("data sets of the run's plan", datasets, plan.datasets)
    for family, kind in _KINDS.items():
        names = {case.occluder for case in cells if case.family == family}
        yield from _outside(f"{kind} of the run's plan", names, plan.names_of(family))
    yield from _outside("data sets that the run describes", datasets, described)


def _outside(
    kind: str, names: Collection[str], known: Collection[str]
) -> Iterator[Contradiction]:
    unknown = sorted(set(names) - set(known))
    if unknown:
        yield Contradiction(f"cells of {kind} alone", f"cells of {unknown[0]}")


def _wrong_models(measured: Measurements) -> Iterator[Contradiction]:
    """Every model of the plan is either tested or not, and what was measured says the same."""
    recorded = {model.name for model in measured.models}
    missing = sorted(set(measured.plan.models) - recorded)
    if missing:
        yield Contradiction(
            "a record of each model of the run's plan", f"none of {missing[0]}"
        )
    expected = "measurements of each tested model, and of no other"
    for model in measured.models:
        was_measured = model.name in measured.measured_models
        if was_measured and not model.tested:
            got = f"measurements of a model that was not tested, {model.name}"
            yield Contradiction(expected, got)
        if model.tested and not was_measured:
            got = f"no measurement of a tested model, {model.name}"
            yield Contradiction(expected, got)


def _wrong_broken_tests(measured: Measurements) -> Iterator[Contradiction]:
    sentences = len(measured.broken)
    tests = measured.broken_tests
    if tests < sentences or (tests > 0 and sentences == 0):
        yield Contradiction(
            "a sentence for each kind of failed test",
            f"{sentences} for broken_tests={tests}",
        )


def _of_outcome(outcome: Outcome, ks: tuple[int, ...]) -> Iterator[Contradiction]:
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
                yield Contradiction(
                    f"numbers of {outcome.case} for each k of the run's plan ({ks})",
                    f"k={sorted(numbers)}",
                )


def _wrong_sizes(outcome: Outcome, dataset: Json) -> Iterator[Contradiction]:
    """Queries and galleries are the images and reports of the data set, which was read whole."""
    images = dataset["images"]
    reports = dataset["reports"]
    image_scores = outcome.image_to_report
    report_scores = outcome.report_to_image
    sizes = {
        "image-to-report queries": (image_scores.queries, images),
        "image-to-report gallery": (image_scores.gallery, reports),
        "report-to-image queries": (report_scores.queries, reports),
        "report-to-image gallery": (report_scores.gallery, images),
    }
    for name, (size, expected) in sizes.items():
        if size != expected:
            yield Contradiction(
                f"{expected} {name} of {outcome.case}, as its data set has", f"{size}"
            )


def _of_dataset(dataset: Json, limit: int | None) -> Iterator[Contradiction]:
    """A data set that was measured."""
    images = dataset["images"]
    if limit is not None and images > limit:
        yield Contradiction(
            f"at most {counted(limit, 'image')} of {dataset['name']}, as the run's limit says",
            f"images={images}",
        )
    if dataset["pixel_digest"] is None:
        yield Contradiction(
            f"the digest of the pixels of {dataset['name']}, which was measured",
            "pixel_digest=None",
        )


def _of_strata(dataset: Json) -> Iterator[Contradiction]:
    """Each query is in one group of a stratum, and each stratum and group is there once."""
    strata = strata_in(dataset)
    name = dataset["name"]
    if len({stratum.name for stratum in strata}) < len(strata):
        yield Contradiction(f"each stratum of {name} once", "one more often")
    for stratum in strata:
        subject = f"the stratum {stratum.name} of {name}"
        groups = {(group.name, group.kind) for group in stratum.groups}
        if len(groups) < len(stratum.groups):
            yield Contradiction(f"each group of {subject} once", "one more often")
        for items in ("images", "reports"):
            size = sum(getattr(group, items) for group in stratum.groups)
            if size != dataset[items]:
                yield Contradiction(
                    f"{dataset[items]} {items} in all groups of {subject}", f"{size}"
                )


def _of_cost(cost: CostMeasurement) -> Iterator[Contradiction]:
    least = min(
        cost.clean_seconds, cost.occluded_seconds, cost.relative_cost, *cost.ratios
    )
    if least <= 0:
        yield Contradiction(f"times of {cost.case} above 0", f"{least:g}")
    elif cost.ratios and differs(cost.relative_cost, median(cost.ratios)):
        yield Contradiction(
            f"the relative cost of {cost.case} that its rounds have,"
            f" {median(cost.ratios):g}",
            f"relative_cost={cost.relative_cost:g}",
        )
    if cost.ratios and len(cost.ratios) != cost.rounds:
        yield Contradiction(
            f"{counted(cost.rounds, 'round')} of {cost.case}",
            counted(len(cost.ratios), "ratio"),
        )


def _of_search(search: BreakingOutcome) -> Iterator[Contradiction]:
    subject = f"the search of {search.model} on {search.dataset}"
    shares = list(search.shares)
    if search.arrays_key != search_key(search):
        yield Contradiction(
            f"{subject} with its own masks",
            f"arrays_key={search.arrays_key!r}, which is another's",
        )
    if shares != sorted(shares) or len(shares) > search.images:
        yield Contradiction(
            f"rising shares of {subject}, at most one per image",
            counted(len(shares), "share"),
        )
    if max(search.unbroken, search.one_minimal) > len(shares):
        got = f"unbroken={search.unbroken}, one_minimal={search.one_minimal}"
        yield Contradiction(
            f"at most {counted(len(shares), 'image')} of {subject}", got
        )


def search_key(search: BreakingOutcome) -> str:
    """Where the masks of a search lie among a run's arrays."""
    return f"breaking-{case_key(search.case)}"
