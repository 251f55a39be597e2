"""One `[[gate]]` table of a `robust.toml`: what it selects and what it states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import product
from typing import Any, Literal, TypeAlias

from ..core.cases import DIRECTIONS, DRIFT, Case, Direction, Family, Plan
from ..core.catalogue import is_glob
from ..core.verdict import GateKey, GateKind
from .limits import Limit, RelativeLimit
from .perturbed import PerturbationSet

SettingName: TypeAlias = Literal[
    "decide", "confidence", "inconclusive", "hardware", "too_small", "attempts"
]
Selector: TypeAlias = Literal[
    "model", "dataset", "occluder", "corruption", "text_noise"
]
DEFAULTS: Mapping[SettingName, Any] = {
    "decide": "point",
    "confidence": 0.95,
    "inconclusive": "fail",
    "hardware": None,
    "too_small": "inconclusive",
    "attempts": "count",
}
"""The settings of a limit that no table says more about."""
_SELECTORS: Mapping[Family, Selector] = {
    "occlusion": "occluder",
    "corruption": "corruption",
    "text-noise": "text_noise",
}
"""Family -> the selector that names its members."""


@dataclass(frozen=True, repr=False)
class Rule:
    """One `[[gate]]` table. A selector that is absent (None) matches everything in its
    family.
    """

    place: str
    """Its file and line."""
    model: str | None = None
    dataset: str | None = None
    occluder: str | None = None
    """The name or glob of a perturbation: an occluder, or what `family` says."""
    level: float | None = None
    """The level, or the severity of another family."""
    direction: Direction | None = None
    limits: tuple[Limit, ...] = ()
    settings: Mapping[SettingName, Any] = field(default_factory=dict)
    """Those that the table has."""
    named_family: Family | None = None
    """The family whose selector the table has."""

    def limits_matching(self, case: Case, direction: Direction) -> Iterator[Limit]:
        """The limits of the table that apply to a case."""
        # Most tables are about another model: that is settled once for all limits.
        if self._is_about(case, direction):
            for key, limit in self._limits_by_key.items():
                if self._looks_at(case, key):
                    yield limit

    def matches(self, case: Case, direction: Direction, gate: GateKey) -> bool:
        """Whether a limit of this gate, if the table has one, applies to a case.

        A limit over all levels ignores the table's level, and the smallest breaking
        occlusion ignores its occluder. Without a direction a limit means
        image-to-report.
        """
        return self._is_about(case, direction) and self._looks_at(case, gate)

    def _is_about(self, case: Case, direction: Direction) -> bool:
        return (
            (self.direction or DIRECTIONS[0]) == direction
            and _matches(self.model, case.model)
            and _matches(self.dataset, case.dataset)
        )

    def _looks_at(self, case: Case, gate: GateKey) -> bool:
        if gate.kind.is_of_perturbations:
            # The case stands for a set: another table's may hold the same perturbations.
            return self.perturbations == PerturbationSet(case.family, case.occluder)
        # Nothing else is judged of a case without data.
        if gate.kind.is_without_data or case.occluder == DRIFT:
            return gate.kind.is_without_data and case.occluder == DRIFT
        if gate.kind.is_of_edits:
            return self._looks_at_edits(case)
        ignores_occluder = gate.kind is GateKind.BREAKING_SHARE
        return (ignores_occluder or self._is_about_perturbation(case)) and (
            self.level in (None, case.level) or gate.is_over_levels
        )

    def _looks_at_edits(self, case: Case) -> bool:
        """A table that names no cells is about the clean images alone: in the others a
        model that reads as well as ever sees less.
        """
        names_cells = (
            self.named_family is not None or self.level is not None
        ) and self.level != 0
        if case.level == 0:
            return not names_cells
        return (
            names_cells
            and self._is_about_perturbation(case)
            and self.level in (None, case.level)
        )

    def _is_about_perturbation(self, case: Case) -> bool:
        is_default = self.named_family is None and not self.limits
        # Settings that stand alone are the defaults of every family.
        if is_default and self.level is None:
            return True
        return self.family == case.family and _matches(self.occluder, case.occluder)

    @property
    def family(self) -> Family:
        """The family that its limits are about: occlusions, if it names none."""
        return self.named_family or "occlusion"

    @property
    def perturbations(self) -> PerturbationSet:
        """The set that its limits on corruption errors are about. A table that has such a
        limit names it.
        """
        return PerturbationSet(self.family, self.occluder or "*")

    def settings_match(self, case: Case, direction: Direction) -> bool:
        """Whether the settings of the table apply to a case; without a direction they
        mean both.
        """
        return (
            self.direction in (None, direction)
            and _matches(self.model, case.model)
            and _matches(self.dataset, case.dataset)
            and self._is_about_perturbation(case)
            and self.level in (None, case.level)
        )

    @property
    def is_about_data(self) -> bool:
        """Whether it has a limit on what is measured of a data set."""
        return any(not key.kind.is_without_data for key in self.keys)

    def names(self, model: str) -> bool:
        """Whether it is about this model in particular, by name or glob."""
        return self.model is not None and _matches(self.model, model)

    def speaks_of(self, models: Iterable[str], dataset: str) -> bool:
        """Whether it is about a data set and any of these models."""
        return _matches(self.dataset, dataset) and any(
            _matches(self.model, model) for model in models
        )

    def names_perturbation(self, name: str) -> bool:
        """Whether it is about this perturbation of its family."""
        return _matches(self.occluder, name)

    @property
    def keys(self) -> Set[GateKey]:
        """The gates that it states a limit of."""
        return self._limits_by_key.keys()

    @cached_property
    def _limits_by_key(self) -> dict[GateKey, Limit]:
        return {limit.key: limit for limit in self.limits}

    @cached_property
    def specificity(self) -> tuple[int, ...]:
        """Compared in the order model, data set, perturbation, level: an exact name is
        more specific than a glob, and a glob than none.
        """
        patterns = (self.model, self.dataset, self.occluder)
        # A level is a number: it is exact or absent.
        level = 0 if self.level is None else 2
        return (*map(_specificity, patterns), level)

    @property
    def patterns(self) -> Iterator[tuple[Selector, str]]:
        """(selector, pattern) of every name that the table holds; the other model of a
        relative cost is one too.
        """
        if self.model is not None:
            yield "model", self.model
        if self.dataset is not None:
            yield "dataset", self.dataset
        if self.occluder is not None:
            yield _SELECTORS[self.family], self.occluder
        for limit in self.limits:
            if isinstance(limit, RelativeLimit):
                yield "model", limit.model

    def contradicts(self, rival: Rule) -> bool:
        """Whether the two state different values of one limit or setting."""
        own = _values(self)
        theirs = _values(rival)
        return any(own[key] != theirs[key] for key in own.keys() & theirs.keys())

    def overlap(self, rival: Rule, catalogue: Plan) -> Iterator[Case]:
        """A case of each combination of the catalogue's names that both tables match."""
        if self.level != rival.level or self.family != rival.family:
            return
        # One level and one seed stand for all: no selector tells seeds apart, and both
        # tables name this level or none. Every family has a level 0.
        level = 0.0 if self.level is None else self.level
        models = _matched_by(catalogue.models, self.model, rival.model)
        datasets = _matched_by(catalogue.datasets, self.dataset, rival.dataset)
        named = catalogue.names_of(self.family)
        matched = _matched_by(named, self.occluder, rival.occluder)
        for model, dataset, name in product(models, datasets, matched):
            seed = catalogue.seeds[0]
            yield Case(model, dataset, name, level, seed, self.family)


def _values(rule: Rule) -> dict[GateKey | SettingName, Any]:
    """Limits and settings alike."""
    values: dict[GateKey | SettingName, Any] = {}
    values.update({limit.key: limit for limit in rule.limits})
    values.update(rule.settings.items())
    return values


def _matches(pattern: str | None, name: str) -> bool:
    if pattern is None:
        return True
    return fnmatchcase(name, pattern) if is_glob(pattern) else name == pattern


def _specificity(pattern: str | None) -> int:
    if pattern is None:
        return 0
    return 1 if is_glob(pattern) else 2


def _matched_by(names: Iterable[str], *patterns: str | None) -> list[str]:
    return [name for name in names if all(_matches(each, name) for each in patterns)]
