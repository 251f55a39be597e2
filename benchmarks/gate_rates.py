"""How often the release gate is wrong, on pairs of models whose truth is known: `python
-m benchmarks.gate_rates`.

Each pair is drawn anew: true recall that falls over the levels, how alike the two
models are, how alike a patient's studies are. Their hits are then judged as a saved
run's are, by the package's own code. What is printed are shares of the pairs with
Wilson's intervals; the exit code is 1 where one of them is outside of what is promised
by more than the number of pairs explains. 1,000 pairs take a quarter of an hour on one
core, `--quick` a tenth of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from benchmarks.gate_coverage import FEW, STUDIES, coverage
from benchmarks.rate_tables import NEAR, Range, Rate, Row, Table, Tally
from benchmarks.simulated_pairs import (
    ALPHA,
    GATES,
    LEVELS,
    MARGIN,
    OCCLUDERS,
    SINGLE,
    Measured,
    Setting,
    World,
)
from pytest_retrieval_robust.gate.difference import Difference, non_inferior
from pytest_retrieval_robust.retrieval.intervals import POWER, normal_quantile

SMALL = Setting(500, STUDIES)
ALONE = Setting(1000)
REPEATED = Setting(1000, STUDIES)
EQUAL = tuple(
    Setting(queries, studies, 0.7, OCCLUDERS)
    for queries in (500, 1000, 3000)
    for studies in (1, STUDIES)
)
MARGINS = (0.02, 0.03, 0.05)
SINGLES = (SINGLE, 0)
POOLED_AND_SINGLES = (
    "",
    "pooled over 6 levels",
    *(f"single cell, level {LEVELS[cell]:g}" for cell in SINGLES),
)
"""The columns of tables on a pooled gate and single ones."""


# False releases


def false_releases(pairs: int, rng: np.random.Generator) -> Iterator[Table]:
    """A candidate that is worse by exactly the margin in every cell: whether it is released."""
    promised = (0.0, ALPHA)
    rows: list[Row] = []
    for setting in (ALONE, REPEATED, SMALL):
        rows.append((str(setting), *_released(setting, pairs, rng, promised)))
    rows.append((f"few patients: {FEW}", *_released(FEW, pairs, rng)))
    ignoring = _released(REPEATED, pairs, rng, heeds_patients=False)
    rows.append((f"patients ignored: {REPEATED}", *ignoring))
    yield Table(
        "False releases, % of pairs: a candidate worse by exactly the margin of"
        f" {MARGIN:g} passes (at most 5)",
        POOLED_AND_SINGLES,
        tuple(rows),
    )


def _released(
    setting: Setting,
    pairs: int,
    rng: np.random.Generator,
    promised: Range | None = None,
    *,
    heeds_patients: bool = True,
) -> list[Rate]:
    tally = Tally()
    for _ in range(pairs):
        world = setting.world(rng).worse_by(MARGIN)
        measured = Measured.drawn(world, rng, heeds_patients=heeds_patients)
        tally.add("pooled", _passes(measured.pooled(GATES), MARGIN))
        for cell in SINGLES:
            tally.add(str(cell), _passes(measured.single(cell, GATES), MARGIN))
    return [tally.rate(event, promised) for event in ("pooled", *map(str, SINGLES))]


def _passes(difference: Difference, margin: float) -> bool:
    return non_inferior(difference, margin) == "pass"


def _fails(difference: Difference, margin: float) -> bool:
    return non_inferior(difference, margin) == "fail"


# False blocks

AT_MARGIN = f"margin {MARGIN:g}"
AT_ZERO = "margin 0"
UNCORRECTED = f"margin 0, each of the {GATES} at the whole error"
ONE_GATE = "one gate alone, margin 0"
BLOCKED: Mapping[str, Range | None] = {
    AT_MARGIN: (0.0, ALPHA),
    AT_ZERO: (0.0, ALPHA),
    UNCORRECTED: None,
    ONE_GATE: (0.0, ALPHA),
}
"""Ways to block an equal model, and the range promised for each."""


def false_blocks(pairs: int, rng: np.random.Generator) -> Iterator[Table]:
    """Equal models: whether any of 24 gates fails, at the margin and, where it is most
    likely, at a margin of 0.
    """
    independent = Tally()
    of_one_run = Tally()
    pooled = Tally()
    alone = replace(ALONE, occluders=OCCLUDERS)
    repeated = replace(REPEATED, occluders=OCCLUDERS)
    for _ in range(pairs):
        # With nothing in common between its cells, a run is 24 independent ones.
        world = replace(alone.world(rng), patient=0.0, query=0.0)
        block(independent, singles(Measured.drawn(world, rng)))
        block(of_one_run, singles(Measured.drawn(repeated.world(rng), rng)))
    # Each of these takes 24 runs: a quarter of them must do.
    for _ in range(max(2, pairs // 4)):
        runs = [Measured.drawn(SMALL.world(rng), rng) for _ in range(GATES)]
        block(pooled, [(run.pooled(), run.pooled(GATES)) for run in runs])
    yield Table(
        f"False blocks, % of equal pairs: any of {GATES} gates fails (at most 5)",
        ("", *BLOCKED),
        (
            _blocked(f"independent single gates, {ALONE} each", independent),
            _blocked(
                f"single gates of one run, 4 occluders at 6 levels, {REPEATED}",
                of_one_run,
            ),
            _blocked(f"independent pooled gates, {SMALL} each", pooled),
            _blocked_in_theory(),
        ),
    )


def _blocked(title: str, tally: Tally) -> Row:
    rates = (tally.rate(event, promised) for event, promised in BLOCKED.items())
    return (title, *rates)


def _blocked_in_theory() -> Row:
    uncorrected = 1 - (1 - ALPHA) ** GATES
    corrected = 1 - (1 - ALPHA / GATES) ** GATES
    return (
        "independent gates, in theory",
        "",
        f"{100 * corrected:.1f}",
        f"{100 * uncorrected:.1f}",
        f"{100 * ALPHA:.1f}",
    )


def singles(measured: Measured) -> list[tuple[Difference, Difference]]:
    """Each cell's gate, were it the only one, and as one of 24."""
    return [
        (measured.single(cell), measured.single(cell, GATES)) for cell in range(GATES)
    ]


def block(tally: Tally, gates: Sequence[tuple[Difference, Difference]]) -> None:
    """Which ways block an equal model by any of its gates: (alone, as one of 24)."""
    alone = [difference for difference, _ in gates]
    shared = [difference for _, difference in gates]
    tally.add(AT_MARGIN, any(_fails(difference, MARGIN) for difference in shared))
    tally.add(AT_ZERO, any(_fails(difference, 0.0) for difference in shared))
    tally.add(UNCORRECTED, any(_fails(difference, 0.0) for difference in alone))
    tally.add(ONE_GATE, _fails(alone[0], 0.0))


# Power


def equal_pairs(pairs: int, rng: np.random.Generator) -> Iterator[Table]:
    """Equal models: how often they are released, beside theory, and how often that is left open."""
    power: list[Row] = []
    left_open: list[Row] = []
    for setting in EQUAL:
        tally = Tally()
        for _ in range(pairs):
            _judge_equal(tally, setting.world(rng), rng)
        for margin in MARGINS:
            head = (str(setting), f"{margin:g}")
            pooled = tally.beside_theory(f"pooled {margin}")
            single = tally.beside_theory(f"single {margin}")
            power.append((*head, *pooled, *single))
            rates = (
                tally.rate(f"{gates} {margin} open")
                for gates in ("pooled", "single", "any")
            )
            left_open.append((*head, *rates))
    single_cell = f"single cell, level {LEVELS[SINGLE]:g}"
    yield Table(
        "Power, % of equal pairs that pass (within 3 points of theory)",
        ("", "margin", "pooled over 6 levels", "theory", single_cell, "theory"),
        tuple(power),
    )
    yield Table(
        "Left open, % of equal pairs",
        (
            "",
            "margin",
            "pooled over 6 levels",
            single_cell,
            f"any of {GATES} single cells",
        ),
        tuple(left_open),
    )


def _judge_equal(tally: Tally, world: World, rng: np.random.Generator) -> None:
    measured = Measured.drawn(world, rng)
    pooled = measured.pooled(GATES)
    cells = [measured.single(cell, GATES) for cell in range(GATES)]
    pooled_error = world.error(range(len(LEVELS)))
    single_error = world.error([SINGLE])
    for margin in MARGINS:
        for name, difference, error in (
            ("pooled", pooled, pooled_error),
            ("single", cells[SINGLE], single_error),
        ):
            verdict = non_inferior(difference, margin)
            theory = passing(margin, error)
            tally.add(f"{name} {margin}", verdict == "pass", theory)
            tally.add(f"{name} {margin} open", verdict == "inconclusive")
        verdicts = {non_inferior(difference, margin) for difference in cells}
        tally.add(f"any {margin} open", "inconclusive" in verdicts)


def passing(margin: float, error: float) -> float:
    """The chance that an equal model's lower bound clears the margin, for a difference
    that is normal.
    """
    return NormalDist().cdf(margin / error - normal_quantile(1 - ALPHA))


# Losses seen

SEEN = {
    "pooled": (POWER - NEAR, POWER + NEAR),
    str(SINGLE): (POWER - NEAR, POWER + NEAR),
    "0": (POWER - 0.05, POWER + 0.05),
}
"""Near a recall of 1 few queries differ, so that what is stated of them varies more."""


def detected_losses(pairs: int, rng: np.random.Generator) -> Iterator[Table]:
    """A candidate that is worse by the smallest detectable loss that another run's
    verdict states: whether it fails.
    """
    rows: list[Row] = []
    for setting in (ALONE, REPEATED, SMALL):
        tally = Tally()
        for _ in range(pairs):
            world = setting.world(rng)
            detect(tally, world, Measured.drawn(world, rng), rng)
        rates = (tally.rate(event, SEEN[event]) for event in tally.events)
        rows.append((str(setting), *rates))
    yield Table(
        f"Losses seen, % of pairs: a candidate worse by the loss that {GATES} planned"
        f" gates say they see fails (within 3 points of {100 * POWER:g}; at level 0"
        " within 5)",
        POOLED_AND_SINGLES,
        tuple(rows),
    )


def detect(
    tally: Tally, world: World, equal: Measured, rng: np.random.Generator
) -> None:
    """Whether gates fail candidates that lose what the gates say they see."""
    loss = equal.stated_loss("levels", GATES)
    worse = Measured.drawn(world.worse_by(loss), rng)
    tally.add("pooled", _fails(worse.pooled(GATES), MARGIN))
    for cell in SINGLES:
        loss = equal.stated_loss("cells", GATES, cell)
        worse = Measured.drawn(world.worse_by(loss), rng)
        tally.add(str(cell), _fails(worse.single(cell, GATES), MARGIN))


SECTIONS = (false_releases, false_blocks, equal_pairs, detected_losses, coverage)


def tables(pairs: int, seed: int, sections: Iterable[str]) -> Iterator[Table]:
    """Those of each section, whose pairs depend on its name and the seed alone."""
    for number, section in enumerate(SECTIONS):
        if section.__name__ in sections:
            yield from section(pairs, np.random.default_rng([seed, number]))


def main() -> int:
    """Print every table; 1 where something is outside of what is promised."""
    names = [section.__name__ for section in SECTIONS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="100 pairs")
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, help="some of the tables"
    )
    chosen = parser.parse_args()
    pairs = 100 if chosen.quick else chosen.pairs
    outside = 0
    start = time.perf_counter()
    print(
        f"{pairs:,} pairs of models, seed {chosen.seed}; shares with Wilson's intervals"
        " of 95 %.",
        flush=True,
    )
    for table in tables(pairs, chosen.seed, chosen.only):
        print(f"\n{table}", flush=True)
        outside += table.outside
    print(
        f"\n{outside} outside of what is promised (in bold);"
        f" {time.perf_counter() - start:.0f} s"
    )
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
