"""Whether the gate's intervals of 95 % hold what is true of simulated pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.rate_tables import Range, Rate, Row, Table, Tally
from benchmarks.simulated_pairs import (
    DIRECTION,
    LEVELS,
    SINGLE,
    Floats,
    K,
    Measured,
    Setting,
    World,
)
from pytest_retrieval_robust.core.verdict import Metric
from pytest_retrieval_robust.retrieval.curve import (
    area_under_curve,
    half_level,
    least_squares_slope,
    retention,
)

STUDIES = 2.5
"""Mean studies per patient where patients repeat."""
FEW = Setting(500, 10)
"""Too few patients for what is asymptotic: reported, and nothing promised."""
INTERVAL = 0.025
"""The error of each end of a 95 % interval."""
COVERED = (0.93, 0.97)
COVERAGE = tuple(
    Setting(queries, studies, clean=(0.75, 0.95), last=(0.25, 0.5))
    for queries in (500, 1000)
    for studies in (1, STUDIES)
)
CORNERS = (
    Setting(200, 1, clean=(0.99, 0.99), last=(0.9, 0.97)),
    Setting(200, STUDIES, clean=(0.99, 0.99), last=(0.9, 0.97)),
    FEW,
)
CURVE = {
    "retention": "retention",
    "auc": "area",
    "half_level": "half level",
    "slope": "slope",
}
"""Statistics of a curve -> what the table calls them."""
DIFFERENCES: dict[Metric, str] = {
    "recall": "mean recall",
    "retention": "mean retention",
    "auc": "area",
}
"""Metrics of a baseline gate -> what the table calls them."""
BEYOND = "half level, near the last level or beyond"
"""What is cut off there is not covered by 95 %, but by more."""
NEAR_THE_LAST_LEVEL = 0.9 * LEVELS[-1]
FEWEST = 20
"""Pairs without which a rate is not worth a cell."""


def coverage(pairs: int, rng: np.random.Generator) -> Iterator[Table]:
    """Whether intervals of 95 % hold what is true."""
    tallies = [covered(setting, pairs, rng) for setting in COVERAGE]
    title = "Coverage of 95 % intervals, % of pairs (93 to 97)"
    yield _table(title, COVERAGE, tallies, COVERED)
    tallies = [covered(setting, pairs, rng) for setting in CORNERS]
    title = (
        "The same in hard corners: recall of 0.99 that falls to 0.9 to 0.97; few"
        " patients"
    )
    yield _table(title, CORNERS, tallies, None)


def _table(
    title: str,
    settings: Sequence[Setting],
    tallies: Sequence[Tally],
    promised: Range | None,
) -> Table:
    events = dict.fromkeys(event for tally in tallies for event in tally.events)
    rows: list[Row] = []
    for event in events:
        cells = (_cell(tally, event, promised) for tally in tallies)
        rows.append((event, *cells))
    return Table(title, ("", *map(str, settings)), tuple(rows))


def _cell(tally: Tally, event: str, promised: Range | None) -> Rate | str:
    if len(tally.events.get(event, ())) < FEWEST:
        return ""
    return tally.rate(event, None if event == BEYOND else promised)


def covered(setting: Setting, pairs: int, rng: np.random.Generator) -> Tally:
    """Which intervals hold the truth, pair by pair."""
    tally = Tally()
    for _ in range(pairs):
        world = setting.world(rng)
        world = world.worse_by(rng.uniform(0.0, 0.05))
        measured = Measured.drawn(world, rng)
        _cover_levels(tally, world, measured)
        _cover_curve(tally, world, measured)
        _cover_differences(tally, world, measured)
    return tally


def _cover_levels(tally: Tally, world: World, measured: Measured) -> None:
    evidence = measured.comparison.candidate.evidence
    cells = (0, SINGLE, len(LEVELS) - 1)
    for cell in cells:
        recall = evidence.recall(measured.cells[cell], DIRECTION, K, 1 - INTERVAL)
        holds = recall.low <= world.candidate[cell] <= recall.high
        tally.add(f"Recall@k, level {LEVELS[cell]:g}", holds)
    for cell in cells:
        difference = measured.single(cell, alpha=INTERVAL)
        truth = world.candidate[cell] - world.baseline[cell]
        holds = difference.passes_at <= truth <= difference.fails_at
        tally.add(f"paired difference, level {LEVELS[cell]:g}", holds)


def _cover_curve(tally: Tally, world: World, measured: Measured) -> None:
    evidence = measured.comparison.candidate.evidence
    for name, truth in true_statistics(world.candidate).items():
        estimate = evidence.of_curve(measured.curve, DIRECTION, K, name, 1 - INTERVAL)
        assert estimate is not None
        event = CURVE[name]
        if name == "half_level" and truth > NEAR_THE_LAST_LEVEL:
            event = BEYOND
        tally.add(event, estimate.low <= truth <= estimate.high)


def true_statistics(recalls: Floats) -> dict[str, float]:
    """What the curve's own code says of true recalls; inf for a half level that is not reached."""
    values = recalls.tolist()
    half = half_level(LEVELS, values)
    return {
        "retention": retention(values)[-1],
        "auc": area_under_curve(LEVELS, values),
        "half_level": np.inf if half is None else half,
        "slope": least_squares_slope(LEVELS, values),
    }


def _cover_differences(tally: Tally, world: World, measured: Measured) -> None:
    for metric, name in DIFFERENCES.items():
        difference = measured.pooled(metric=metric, alpha=INTERVAL)
        candidate = _true_metric(metric, world.candidate)
        truth = candidate - _true_metric(metric, world.baseline)
        holds = difference.passes_at <= truth <= difference.fails_at
        tally.add(f"difference of {name}", holds)
    candidate_half = true_statistics(world.candidate)["half_level"]
    baseline_half = true_statistics(world.baseline)["half_level"]
    # Half levels beyond the levels are cut off, and so is their difference.
    if max(candidate_half, baseline_half) <= NEAR_THE_LAST_LEVEL:
        difference = measured.pooled(metric="half_level", alpha=INTERVAL)
        truth = candidate_half - baseline_half
        holds = difference.passes_at <= truth <= difference.fails_at
        tally.add("difference of half level", holds)


def _true_metric(metric: Metric, recalls: Floats) -> float:
    if metric == "auc":
        return true_statistics(recalls)["auc"]
    if metric == "recall":
        return float(np.mean(recalls))
    return float(np.mean(recalls[1:] / recalls[0]))
