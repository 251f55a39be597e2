"""Models of one or several runs that may stand side by side, and what keeps others apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.cases import Case, Direction, Family, levels_word
from ..core.string_enum import StrEnum
from ..core.words import counted
from ..retrieval.curve import Curve
from .comparability import DATA_FACTS, data_fact, is_decoded_on_device, short_value
from .curve_statistics import Floats, area_weights
from .pairing import Run

_MANY = 4
"""Levels or seeds that a sentence lists; of more it says how many there are."""


class Criterion(StrEnum):
    """What models are ranked by: a weighted mean of Recall@k over the levels."""

    MEAN = "mean"
    """Over all levels, level 0 among them."""
    CLEAN = "clean"
    """Level 0 alone."""
    HARDEST = "hardest"
    """The highest level alone."""
    AUC = "auc"
    """The area under the curve over the range of the levels."""

    def weights(self, levels: Sequence[float]) -> Floats:
        """(L,) of rising levels; they sum to 1."""
        weights = np.zeros(len(levels))
        if self is Criterion.MEAN:
            weights[:] = 1 / len(levels)
        elif self is Criterion.CLEAN:
            weights[0] = 1.0
        elif self is Criterion.HARDEST or len(levels) == 1:
            weights[-1] = 1.0
        else:
            weights = area_weights(levels)
        return weights


@dataclass(frozen=True)
class Setting:
    """What must be the same for two models to stand side by side."""

    dataset: str = field(compare=False)
    """Its name in the first of the runs: the data decide, not what they are called."""
    family: Family
    perturbation: str
    """The name of an occluder, a corruption or a text noise, with its parameters."""
    levels: tuple[float, ...]
    """Rising, from 0."""
    seeds: tuple[int, ...]
    precision: str
    limit: int | None
    facts: tuple[object, ...]
    """Of the data set: those of `DATA_FACTS`, in their order."""

    @property
    def fingerprint(self) -> str:
        """The content hash of the data's ids, texts and filters."""
        return str(self.facts[tuple(DATA_FACTS).index("fingerprint")])

    def differences(self, other: Setting) -> tuple[str, ...]:
        """What differs from another setting, as `name=value` of both; the cause first."""
        differing = []
        for name, own, others in zip(DATA_FACTS, self.facts, other.facts, strict=True):
            if own != others:
                differing.append((f"{DATA_FACTS[name]}: {name}", own, others))
        word = "occluder" if self.family == "occlusion" else self.family
        for name in ("perturbation", "levels", "seeds", "precision", "limit"):
            own = getattr(self, name)
            others = getattr(other, name)
            if own != others:
                differing.append(
                    (word if name == "perturbation" else name, own, others)
                )
        if self.family != other.family:
            differing.append(("family", self.family, other.family))
        return tuple(
            f"{name}={_shown(own)} and there {_shown(others)}"
            for name, own, others in differing
        )

    def __str__(self) -> str:
        levels = _listed(self.levels, levels_word(self.family))
        seeds = _listed(self.seeds, "seed" if len(self.seeds) == 1 else "seeds")
        limit = ""
        if self.limit is not None:
            limit = f", the first {counted(self.limit, 'pair')}"
        return (
            f"{self.dataset}{limit}, {self.perturbation} at {levels}, {seeds},"
            f" {self.precision}"
        )


def _listed(values: Sequence[float], word: str) -> str:
    if len(values) > 2 * _MANY:
        return f"{len(values)} {word}"
    return f"{word} {', '.join(f'{value:g}' for value in values)}"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(f"{each:g}" for each in value)
    return short_value(value)


@dataclass(frozen=True, repr=False)
class Contender:
    """A model of a run under one perturbation."""

    name: str
    """What tables call it."""
    run: Run
    model: str
    """Its name in the run."""
    dataset: str
    curves: tuple[Curve, ...]
    """One for each seed."""

    @property
    def ks(self) -> frozenset[int]:
        """Those that were measured."""
        scores = (
            outcome.image_to_report
            for curve in self.curves
            for outcome in curve.outcomes
        )
        return frozenset.intersection(*(frozenset(each.recall) for each in scores))

    def recalls(self, direction: Direction, k: int) -> Floats:
        """(L,) Recall@k at each level, the mean over the seeds."""
        recalls = [
            [outcome.recall(k, direction) for outcome in curve.outcomes]
            for curve in self.curves
        ]
        mean: Floats = np.mean(recalls, axis=0)
        return mean

    def keys(self, direction: Direction) -> NDArray[np.int64] | None:
        """(N,) what names each query across runs; None without ranks."""
        return self.run.evidence.query_keys(self.dataset, direction)

    def scores(self, direction: Direction, k: int, weights: Floats) -> Floats | None:
        """(N,) the weighted mean of each query's hits over the levels, and the mean over
        the seeds; None without ranks.
        """
        total: Floats | None = None
        for curve in self.curves:
            for weight, outcome in zip(weights, curve.outcomes, strict=True):
                if weight == 0:
                    continue
                ranks = self.run.evidence.ranks(outcome, direction)
                if ranks is None:
                    return None
                if total is None:
                    total = np.zeros(len(ranks))
                if len(ranks) != len(total):
                    return None
                total += weight * (ranks <= k)
        return None if total is None else total / len(self.curves)


def contenders_of(
    run: Run, name: str | None = None, models: Sequence[str] = ("*",)
) -> Iterator[tuple[Setting, Contender]]:
    """Every model of a run that one of the globs `models` names, under every perturbation
    of every data set, beside what was held fixed.

    `name` replaces the model's; in a run of several models it stands before theirs.
    """
    datasets = {facts["name"]: facts for facts in run.measured.datasets}
    groups: dict[Case, list[Curve]] = {}
    for curve in run.measured.curves:
        case = curve.clean.case
        if any(fnmatchcase(case.model, glob) for glob in models):
            groups.setdefault(_without_seed(case), []).append(curve)
    is_single = len({case.model for case in groups}) == 1
    for case, curves in groups.items():
        shown = name or case.model
        if name is not None and not is_single:
            shown = f"{name} / {case.model}"
        # Seeds that lack a level are other numbers than those that have it.
        by_levels: dict[tuple[float, ...], list[Curve]] = {}
        for curve in curves:
            by_levels.setdefault(curve.levels, []).append(curve)
        for same in by_levels.values():
            same.sort(key=lambda curve: curve.clean.case.seed)
            setting = _setting(run, datasets[case.dataset], case, same)
            yield setting, Contender(shown, run, case.model, case.dataset, tuple(same))


def _without_seed(case: Case) -> Case:
    return Case(case.model, case.dataset, case.occluder, 0.0, 0, case.family)


def _setting(
    run: Run, dataset: Mapping[str, Any], case: Case, curves: Sequence[Curve]
) -> Setting:
    facts = {name: data_fact(dataset, name) for name in DATA_FACTS}
    # Which images a device could decode depends on the models of the run.
    if is_decoded_on_device(dataset):
        facts["pixel_digest"] = None
    precisions = {
        outcome.timing.precision for curve in curves for outcome in curve.outcomes
    }
    return Setting(
        dataset=case.dataset,
        family=case.family,
        perturbation=case.occluder,
        levels=curves[0].levels,
        seeds=tuple(curve.clean.case.seed for curve in curves),
        precision="+".join(sorted(precisions)),
        limit=run.measured.limit,
        facts=tuple(facts.values()),
    )


def by_setting(
    contenders: Iterable[tuple[Setting, Contender]],
) -> dict[Setting, list[Contender]]:
    """Those that may stand side by side, in the order in which they came."""
    tables: dict[Setting, list[Contender]] = {}
    for setting, contender in contenders:
        tables.setdefault(setting, []).append(contender)
    return tables


def nearest(setting: Setting, others: Sequence[Setting]) -> Setting | None:
    """The one of the others that differs in the fewest things; the first of several."""
    return min(others, key=lambda other: len(setting.differences(other)), default=None)
