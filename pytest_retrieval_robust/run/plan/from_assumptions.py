"""A plan of which everything is assumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...core.errors import ConfigError
from ...core.words import counted
from ...gate.difference import Errors
from ...gate.power.assumed import Assumed, hardest_recall
from ...gate.power.paired_rates import correlation_of
from ...gate.power.planned import GatePower
from ...gate.power.rows import GatePlan, PlannedRow, Subject, planned_row
from ...gate.power.sampling import Sampling
from .wanted import Wanted, check_groups

LEVELS = 6
CORRELATION = 0.7
"""Of the hits of two versions of a model: in the middle of what `docs/statistics.md` simulates."""
LEVEL_CORRELATION = 0.5
ICC = 0.3
"""The working correlation of the gate's own degrees of freedom."""


@dataclass(frozen=True)
class Stated:
    """What was typed of a model, its baseline and the patients; None where nothing was."""

    recalls: tuple[float, ...]
    levels: int | None
    discordance: float | None
    correlation: float | None
    level_correlation: float | None
    queries_per_patient: float | None
    icc: float | None


def assumed_plan(
    wanted: Wanted, stated: Stated, power: float, queries: int | None
) -> GatePlan:
    """The plan of the wanted gates; `queries` are those that there are, if any.

    Raises:
        ConfigError, ArgumentError: Something that cannot be, or a gate that no number of
            queries makes pass.
    """
    check_groups(wanted.groups, queries)
    assumed = _assumed(stated)
    rows = tuple(_rows(wanted, assumed, power, queries))
    sentences = (*_sentences(wanted, stated, assumed), *wanted.sentences())
    return GatePlan(power, sentences, rows)


def _assumed(stated: Stated) -> Assumed:
    """What was typed, and the default of what was not."""
    if not stated.recalls:
        raise ConfigError(
            "Expected the recall that the model has, got none. Give --recall 0.6, one"
            " per level as --recall 0.9,0.8,0.6, or --from RUN."
        )
    recalls = stated.recalls
    if len(recalls) == 1:
        recalls *= stated.levels or LEVELS
    elif stated.levels not in (None, len(recalls)):
        raise ConfigError(
            f"Expected as many recalls as levels, got {len(recalls)} recalls and"
            f" --levels={stated.levels}. Leave --levels out."
        )
    if stated.discordance is not None and stated.correlation is not None:
        raise ConfigError(
            "Expected --discordance or --correlation, got both. One follows from the"
            " other: leave one out."
        )
    correlation = _or_default(stated.correlation, CORRELATION)
    hardest = hardest_recall(recalls)
    if stated.discordance is not None and 0 < hardest < 1:
        correlation = correlation_of(hardest, stated.discordance)
    per_patient = _or_default(stated.queries_per_patient, 1.0)
    icc = _or_default(stated.icc, ICC if per_patient > 1 else 0.0)
    between = _or_default(stated.level_correlation, LEVEL_CORRELATION)
    return Assumed(recalls, correlation, between, Sampling.assumed(per_patient, icc))


def _sentences(wanted: Wanted, stated: Stated, assumed: Assumed) -> Iterator[str]:
    """What is assumed, and where each number comes from."""
    shown = ", ".join(f"{recall:g}" for recall in stated.recalls)
    levels = f"{counted(len(assumed.recalls), 'level')} (--recall)"
    if len(stated.recalls) == 1:
        source = _source("--levels", stated.levels, LEVELS)
        levels = (
            f"each of {counted(len(assumed.recalls), 'level')} (--recall; {source})"
        )
    yield f"Recall is {shown} at {levels}."
    if wanted.margin is not None:
        yield _differences_in_words(stated, assumed)
    if wanted.margin is not None or wanted.retention is not None:
        source = _source(
            "--level-correlation", stated.level_correlation, assumed.between
        )
        yield f"Two levels correlate with {assumed.between:g} ({source})."
    yield _patients_in_words(stated, assumed.sampling)


def _differences_in_words(stated: Stated, assumed: Assumed) -> str:
    """How much model and baseline differ."""
    source = _source("--correlation", stated.correlation, CORRELATION)
    if stated.discordance is not None:
        source = "--discordance"
    hardest = hardest_recall(assumed.recalls)
    differing = 2 * hardest * (1 - hardest) * (1 - assumed.correlation)
    return (
        f"Model and baseline differ in {100 * differing:.3g} % of the queries where"
        f" recall is {hardest:g}: their hits correlate with {assumed.correlation:.3g}"
        f" ({source})."
    )


def _patients_in_words(stated: Stated, sampling: Sampling) -> str:
    per_patient = stated.queries_per_patient
    source = _source("--queries-per-patient", per_patient, 1)
    if not sampling.repeats:
        return f"No patient has more than one query ({source})."
    of_icc = _source("--icc", stated.icc, ICC)
    return (
        f"Patients have {sampling.queries_per_patient:.3g} queries in the mean"
        f" ({source}), and a few have many: one and a geometric number more. Two queries"
        f" of a patient correlate with {sampling.icc:g} ({of_icc}). So the design effect"
        f" is {sampling.effect:.2f}."
    )


def _or_default(typed: float | None, default: float) -> float:
    return default if typed is None else typed


def _source(flag: str, typed: float | None = 0.0, default: float | None = None) -> str:
    """Where a number comes from."""
    if typed is not None:
        return flag
    return f"{flag} was not given: {default:g} is assumed"


def _rows(
    wanted: Wanted, assumed: Assumed, power: float, queries: int | None
) -> Iterator[PlannedRow]:
    levels = len(assumed.recalls)

    def rows(
        name: str, limit: float, gate: GatePower, of_group: GatePower
    ) -> Iterator[PlannedRow]:
        if gate.obstacle is not None:
            raise ConfigError(
                f"Expected {name} that a good model can pass, got one that it cannot:"
                f" {gate.obstacle}."
            )
        subject = Subject(name, "", gate.value, limit)
        yield planned_row(subject, gate, power, queries)
        if wanted.groups:
            every = wanted.every_group(of_group)
            subject = Subject(name, wanted.groups_in_words, gate.value, limit)
            yield planned_row(subject, every, power, queries)

    def beside_baseline(
        name: str, margin: float, made: Callable[[float, Errors], GatePower]
    ) -> Iterator[PlannedRow]:
        gate = made(margin, wanted.errors)
        of_group = gate
        if wanted.groups:
            of_group = made(margin, wanted.errors_of_groups)
        yield from rows(name, margin, gate, of_group)

    if wanted.margin is not None:
        name = f"no loss beyond {wanted.margin:g}"
        pooled = f"{name}, pooled over {levels} levels"
        yield from beside_baseline(pooled, wanted.margin, assumed.pooled)
        yield from beside_baseline(f"{name}, one cell", wanted.margin, assumed.cell)
    if wanted.minimum is not None:
        floor = assumed.recall_floor(wanted.minimum, wanted.decide, wanted.confidence)
        name = f"recall of at least {wanted.minimum:g}"
        yield from rows(name, wanted.minimum, floor, floor)
    if wanted.retention is not None:
        kept = assumed.retention(wanted.retention, wanted.decide, wanted.confidence)
        name = f"retention of at least {wanted.retention:g}"
        yield from rows(name, wanted.retention, kept, kept)
