"""How often an unchanged model fails the floors that `suggest` makes: `python -m
benchmarks.suggested_floors`.

Worlds are those of `simulated_pairs`: true recall that falls over the levels, patients whose
studies are alike. From each, runs are drawn that suggest floors, and other runs, of other
patients, that are held against them. By point what is reached is computed here, apart
from the package's code; by bound the package judges.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.rate_tables import Rate, Row, Table
from benchmarks.simulated_pairs import (
    DIRECTION,
    LEVELS,
    Floats,
    K,
    Measured,
    Setting,
    World,
    run_of,
)
from pytest_retrieval_robust.core.verdict import DecidedBy, GateKind
from pytest_retrieval_robust.gate.comparison import Run
from pytest_retrieval_robust.gate.difference import non_inferior
from pytest_retrieval_robust.gate.limits import BaselineLimit, Floor
from pytest_retrieval_robust.gate.record import Against, judge_run
from pytest_retrieval_robust.gate.suggest.asked import Asked
from pytest_retrieval_robust.gate.suggest.margins import AGREEMENT, suggested_margin
from pytest_retrieval_robust.gate.suggest.shared_risk import deviate_of_one
from pytest_retrieval_robust.gate.suggest.suggested import Suggested
from pytest_retrieval_robust.gate.suggest.suggestions import suggest
from pytest_retrieval_robust.gate.suggest.tables import policy_of

RISK = 0.05
SETTINGS = (
    Setting(500),
    Setting(2000),
    Setting(500, 2.5),
    Setting(2000, 2.5),
    Setting(320, 2.5),
    Setting(500, 2.5, occluders=4),
    Setting(500, clean=(0.97, 0.995), last=(0.9, 0.97)),
    Setting(500, 2.5, clean=(0.97, 0.995), last=(0.9, 0.97)),
    Setting(500, 2.5, clean=(0.3, 0.5), last=(0.05, 0.15)),
)
BY_BOUND = (SETTINGS[0], SETTINGS[2], SETTINGS[7])
"""Those that are judged by bound too, which takes longer."""


@dataclass(frozen=True)
class Held:
    """Runs of one truth, held against the floors of others of it."""

    failed: int
    of: int
    gates: int
    """Floors of one run, in the mean over runs."""
    distance: float
    """How far floors of recall lie below the truth, in the mean, in points of Recall@k."""


def asked_of(decide: DecidedBy = "point", risk: float = RISK) -> Asked:
    """One direction, because simulated ranks are the same in both."""
    return Asked(risk, decide, directions=("image-to-report",))


def fresh(world: World, setting: Setting, rng: np.random.Generator) -> World:
    """The same truth about other patients."""
    return replace(world, sizes=setting.world(rng).sizes)


def drawn(world: World, setting: Setting, rng: np.random.Generator) -> Run:
    """A run of other patients."""
    other = fresh(world, setting, rng)
    return run_of("drawn", other.drawn(rng)[0], other.patients)


def recalls_of(
    world: World, setting: Setting, runs: int, rng: np.random.Generator
) -> Floats:
    """(runs, C) Recall@k in each cell of runs of other patients."""
    return np.stack(
        [
            (fresh(world, setting, rng).drawn(rng)[0] <= K).mean(axis=0)
            for _ in range(runs)
        ]
    )


def held(
    world: World,
    setting: Setting,
    asked: Asked,
    rng: np.random.Generator,
    sources: int,
    runs: int,
) -> Held:
    """`runs` runs held by point against the floors of each of `sources` runs."""
    recalls = recalls_of(world, setting, runs, rng)
    failed = 0
    gates = 0
    distances = []
    for _ in range(sources):
        suggested = floors_of(drawn(world, setting, rng), asked)
        misses = np.zeros(runs, dtype=bool)
        for each in suggested:
            values = reached(each, recalls)
            misses |= values < minimum(each) - 1e-9
            if each.gate.kind is GateKind.RECALL:
                truth = reached(each, world.candidate[None])[0]
                distances.append(truth - minimum(each))
        failed += int(misses.sum())
        gates += len(suggested)
    distance = float(np.mean(distances))
    return Held(failed, sources * runs, round(gates / sources), distance)


def floors_of(run: Run, asked: Asked) -> Sequence[Suggested]:
    """What a run suggests, without gates beside a baseline."""
    suggestions = suggest(run, asked)
    return [
        each
        for of_model in suggestions.models
        for each in of_model.suggested
        if isinstance(each.limit, Floor)
    ]


def minimum(suggested: Suggested) -> float:
    assert isinstance(suggested.limit, Floor)
    return suggested.limit.minimum


def reached(suggested: Suggested, recalls: Floats) -> Floats:
    """(runs,) the number that a floor guards, from (runs, C) recalls."""
    kind = suggested.gate.kind
    first = 0
    name = suggested.place.perturbation
    if name is not None:
        first = int(name.partition("-")[2]) * len(LEVELS)
    curve = recalls[:, first : first + len(LEVELS)]
    level = suggested.place.level
    if kind is GateKind.AUC:
        steps = np.diff(LEVELS)
        heights = (curve[:, 1:] + curve[:, :-1]) / 2
        return np.asarray((heights * steps).sum(axis=1) / (LEVELS[-1] - LEVELS[0]))
    if kind is GateKind.HALF_LEVEL:
        return np.array([half_level(values) for values in curve])
    assert level is not None
    cell = curve[:, LEVELS.index(level)]
    return cell / curve[:, 0] if kind is GateKind.RETENTION else cell


def half_level(values: Floats) -> float:
    """Where half of the first value is gone; the last level where it is not."""
    half = values[0] / 2
    for low, high, above, below in zip(
        LEVELS, LEVELS[1:], values, values[1:], strict=False
    ):
        if below <= half:
            return float(low + (high - low) * (above - half) / (above - below))
    return LEVELS[-1]


def blocked(
    world: World, setting: Setting, asked: Asked, rng: np.random.Generator
) -> bool:
    """Whether any gate of one run's floors objects to another run of the same truth."""
    floors = floors_of(drawn(world, setting, rng), asked)
    policy = policy_of(floors, asked)
    other = drawn(world, setting, rng)
    verdicts = judge_run(other, policy, Against()).verdicts
    return any(verdict.objects for verdict in verdicts)


def by_point(worlds: int, sources: int, runs: int, seed: int) -> Iterator[Row]:
    """A row for each setting."""
    for number, setting in enumerate(SETTINGS):
        rng = np.random.default_rng([seed, number])
        asked = asked_of()
        of_worlds = [
            held(setting.world(rng), setting, asked, rng, sources, runs)
            for _ in range(worlds)
        ]
        # Runs of one world share its floors: worlds and sources are what is counted.
        rates = [each.failed / each.of for each in of_worlds]
        error = float(np.std(rates, ddof=1) / np.sqrt(worlds))
        distance = np.mean([each.distance for each in of_worlds])
        yield (
            _title(setting),
            f"{of_worlds[0].gates}",
            f"{100 * np.mean(rates):.1f} ± {100 * error:.1f}",
            f"{100 * distance:.1f}",
        )


def by_bound(pairs: int, seed: int) -> Iterator[Row]:
    """A row for each setting."""
    for number, setting in enumerate(BY_BOUND):
        rng = np.random.default_rng([seed, 1000 + number])
        asked = asked_of("bound")
        failed = sum(
            blocked(setting.world(rng), setting, asked, rng) for _ in range(pairs)
        )
        yield _title(setting), Rate(failed, pairs, (0.0, RISK))


def is_within(
    world: World,
    setting: Setting,
    risk: float,
    rng: np.random.Generator,
    loss: float = 0.0,
) -> bool:
    """Whether a model that is as good as its baseline, but for a loss, passes the margin
    that a run of other patients suggests, were it the only gate.
    """
    source = drawn(world, setting, rng)
    asked = asked_of(risk=risk).checked(source.measured)
    [suggested] = suggested_margin(
        source.measured.curves,
        DIRECTION,
        source.evidence,
        asked,
        deviate_of_one(risk, 1),
    )
    assert isinstance(suggested.limit, BaselineLimit)
    pair = fresh(world, setting, rng).worse_by(loss)
    difference = Measured.drawn(pair, rng).pooled()
    return non_inferior(difference, suggested.limit.margin) == "pass"


def by_margin(pairs: int, seed: int) -> Iterator[Row]:
    """A row for each setting: models whose hits agree as assumed, and more."""
    for number, setting in enumerate(BY_BOUND):
        row: list[Rate | str] = [_title(setting)]
        for agreement in (AGREEMENT, 0.85):
            rng = np.random.default_rng([seed, 2000 + number])
            agreeing = replace(setting, agreement=agreement)
            failed = sum(
                not is_within(agreeing.world(rng), agreeing, RISK, rng)
                for _ in range(pairs)
            )
            row.append(Rate(failed, pairs, (0.0, RISK)))
        yield tuple(row)


def _title(setting: Setting) -> str:
    where = f"{setting}, recall {setting.clean[0]:g} to {setting.clean[1]:g}"
    if setting.occluders > 1:
        where += f", {setting.occluders} occluders"
    return where


def main() -> int:
    """Print the tables; 1 where a rate by bound, or of margins, is outside of what is
    promised.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--worlds", type=int, default=50, help="0: leave the table by point out"
    )
    parser.add_argument("--sources", type=int, default=1, help="runs that suggest")
    parser.add_argument("--runs", type=int, default=100, help="runs held against them")
    parser.add_argument("--pairs", type=int, default=100, help="pairs by bound")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    start = time.perf_counter()
    if chosen.worlds:
        rows = by_point(chosen.worlds, chosen.sources, chosen.runs, chosen.seed)
        columns = ("", "gates", "fail any, %", "recall floors below the truth, points")
        title = f"By point, at a risk of {100 * RISK:g} %"
        print(Table(title, columns, tuple(rows)), flush=True)
    if not chosen.pairs:
        return 0
    bound = Table(
        f"By bound, at a risk of {100 * RISK:g} %: fail any, % of pairs",
        ("", "fail any"),
        tuple(by_bound(chosen.pairs, chosen.seed)),
    )
    print(f"\n{bound}", flush=True)
    margins = Table(
        f"Margins, at a risk of {100 * RISK:g} %: an equally good model does not pass, %"
        " of pairs",
        ("", f"hits agree at {AGREEMENT:g}", "at 0.85"),
        tuple(by_margin(chosen.pairs, chosen.seed)),
    )
    print(f"\n{margins}\n\n{time.perf_counter() - start:.0f} s")
    return 1 if bound.outside + margins.outside else 0


if __name__ == "__main__":
    sys.exit(main())
