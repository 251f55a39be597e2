"""The corruption errors that reports show: of each perturbation, of each family and over all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias

from ..core.cases import DIRECTIONS, FAMILIES, Direction, Family
from ..core.outcomes import finite
from ..core.verdict import Verdict
from .comparison import Comparison
from .difference import NotComparable
from .error_ratios import ErrorRatio, PairedErrors
from .error_statistic import ErrorStatistic
from .measurements import Measurements
from .perturbed import Perturbed, whole_perturbations

_CONFIDENCE = 0.975
"""Of each bound of a two-sided 95 % interval."""
FamilyOrAll: TypeAlias = Family | Literal["all"]
Ends: TypeAlias = tuple[float | None, float | None]
"""A two-sided 95 % interval; None where it has no end."""


@dataclass(frozen=True)
class NamedErrors:
    """One perturbation: its errors over all severities and seeds, as multiples of the
    baseline's.
    """

    family: Family
    name: str
    ce: float | None
    """Error / the baseline's error; None where the baseline makes none."""
    ce_interval: Ends | None
    relative_ce: float | None
    """(Error - clean error) / the same of the baseline; None where the baseline makes no
    more errors than with nothing done.
    """
    relative_ce_interval: Ends | None


@dataclass(frozen=True)
class CorruptionErrors:
    """The mean corruption error of one model and data set, in one direction at one k."""

    model: str
    dataset: str
    family: FamilyOrAll
    direction: Direction
    k: int
    mce: float | None
    """The mean of CE over the perturbations; None where one of them has none."""
    mce_interval: Ends | None
    relative_mce: float | None
    """The mean of relative CE; None where one of them has none."""
    relative_mce_interval: Ends | None
    clean_error: float
    """1 - Recall@k with nothing done."""
    baseline_clean_error: float
    perturbations: tuple[NamedErrors, ...] = ()
    """Those of the family; empty over all families, because they stand there already."""

    @property
    def worst(self) -> NamedErrors | None:
        """The perturbation with the highest CE; None where none has one."""
        defined = [each for each in self.perturbations if each.ce is not None]
        return max(defined, key=lambda each: each.ce or 0.0, default=None)


def shown_k(verdicts: Sequence[Verdict], ks: Sequence[int]) -> int:
    """The k at which reports show what has room for one k alone; 0 where none of `ks` was
    measured.

    The smallest that a gate on corruption errors names, else any gate, else the smallest
    of all: at the largest a good model makes no errors that could be compared.
    """
    named = _ks_of_error_gates(verdicts)
    if not named:
        named = {v.gate.k for v in verdicts if v.gate.k is not None}
    return min(named & set(ks) or ks, default=0)


def _ks_of_error_gates(verdicts: Sequence[Verdict]) -> set[int]:
    gates = [v.gate for v in verdicts if v.gate.kind.is_of_perturbations]
    return {gate.k for gate in gates if gate.k is not None}


def corruption_errors(
    measured: Measurements, comparison: Comparison, verdicts: Sequence[Verdict]
) -> Iterator[CorruptionErrors]:
    """Every model, data set, family and direction of which both runs have all planned
    cells; over all families too, where there are several. At the k that reports show, and
    at those of gates on corruption errors: resampling takes its time.
    """
    shown = _ks_of_error_gates(verdicts) | {shown_k(verdicts, measured.plan.ks)}
    for perturbed in whole_perturbations(measured).values():
        families: dict[FamilyOrAll, Perturbed] = {
            family: {
                each: perturbed[each] for each in perturbed if each.family == family
            }
            for family in FAMILIES
        }
        families = {family: of for family, of in families.items() if of}
        if len(families) > 1:
            families["all"] = perturbed
        for family, of in families.items():
            yield from _of_family(comparison, family, of, shown)


def _of_family(
    comparison: Comparison, family: FamilyOrAll, perturbed: Perturbed, shown: set[int]
) -> Iterator[CorruptionErrors]:
    clean = next(iter(perturbed.values()))[0].clean
    ks = sorted(shown & set(clean.image_to_report.recall))
    for direction, k in product(DIRECTIONS, ks):
        errors = comparison.errors(perturbed, direction, k)
        if isinstance(errors, NotComparable):
            continue
        mean = errors.summary(ErrorStatistic.MEAN, _CONFIDENCE)
        relative = errors.summary(ErrorStatistic.RELATIVE, _CONFIDENCE)
        candidate, baseline = errors.means
        yield CorruptionErrors(
            clean.case.model,
            clean.case.dataset,
            family,
            direction,
            k,
            *_value_and_ends(mean),
            *_value_and_ends(relative),
            clean_error=float(candidate[0, 0]),
            baseline_clean_error=float(baseline[0, 0]),
            perturbations=() if family == "all" else _named(perturbed, errors),
        )


def _named(perturbed: Perturbed, errors: PairedErrors) -> tuple[NamedErrors, ...]:
    ratios = errors.error_ratios(ErrorStatistic.MEAN)
    relative = errors.error_ratios(ErrorStatistic.RELATIVE)
    return tuple(
        NamedErrors(
            perturbation.family,
            perturbation.name,
            *_value_and_ends(ce),
            *_value_and_ends(relative_ce),
        )
        for perturbation, ce, relative_ce in zip(
            perturbed, ratios, relative, strict=True
        )
    )


def _value_and_ends(ratio: ErrorRatio) -> tuple[float | None, Ends | None]:
    if not ratio.is_defined:
        return None, None
    return ratio.value, (finite(ratio.low), finite(ratio.high))
