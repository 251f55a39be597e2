"""The policy of a release: which limits apply to which case, and how they are decided.
Names only: no judging.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any, TypeAlias, TypeVar

from ..core.cases import DIRECTIONS, Case, Direction, Family, Json, Plan
from ..core.counterfactual_outcomes import clean_case
from ..core.drift import drift_case
from ..core.roles import Role
from ..core.verdict import GateKey, GateKind
from .breaking import search_case
from .corruption_error import set_case
from .decision import Decision
from .limits import (
    BreakingLimit,
    DriftLimit,
    EditLimit,
    ErrorLimit,
    Limit,
    RelativeLimit,
)
from .perturbed import PerturbationSet
from .plan import PlannedGate, cells_of
from .policy_checks import (
    check_ks,
    check_level,
    has_limits_at_its_level,
    is_about_a_model,
    lacks_perturbation,
    leaves_out,
    tie,
)
from .rules import DEFAULTS, Rule, SettingName

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Stated: TypeAlias = tuple[Rule, K, V]
"""What a table states: the table, the name of the limit or setting, and its value."""
_Asked: TypeAlias = tuple[str, str, Family, str, float, Direction]
"""All of a case that tables can tell apart: seeds have the same limits."""


def _asked(case: Case, direction: Direction) -> _Asked:
    return (
        case.model,
        case.dataset,
        case.family,
        case.occluder,
        case.level,
        direction,
    )


@dataclass(frozen=True, repr=False)
class Policy:
    """All rules of a `robust.toml`. An empty policy leaves every cell ungated."""

    rules: tuple[Rule, ...] = ()
    tables: tuple[Json, ...] = ()
    """The `[[gate]]` tables as they are written, for the record."""
    _limits: dict[_Asked, list[Limit]] = field(
        default_factory=dict, init=False, compare=False
    )
    _decisions: dict[tuple[_Asked, GateKey], Decision] = field(
        default_factory=dict, init=False, compare=False
    )

    @property
    def sha256(self) -> str | None:
        """A hash of the tables, whatever their layout and comments; None without any."""
        if not self.tables:
            return None
        text = json.dumps(self.tables, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    # What applies to a case

    def limits_for(self, case: Case, direction: Direction) -> list[Limit]:
        """The limits of a case, in the order in which they are judged.

        Tables merge limit by limit, and the most specific table wins each of them.
        """
        asked = _asked(case, direction)
        if asked not in self._limits:
            stated = (
                (rule, limit.key, limit)
                for rule in self.rules
                for limit in rule.limits_matching(case, direction)
            )
            limits = _most_specific(stated, case).values()
            self._limits[asked] = sorted(limits, key=_order)
        return list(self._limits[asked])

    def decision(self, case: Case, direction: Direction, gate: GateKey) -> Decision:
        """How the limit of a gate is decided for a case: as the table that states it
        says, else as broader tables do.
        """
        asked = (_asked(case, direction), gate)
        if asked not in self._decisions:
            stating = self._stating(case, direction, gate)
            settings = self._settings(case, direction, stating)
            self._decisions[asked] = Decision(
                settings["decide"],
                settings["confidence"],
                settings["inconclusive"] == "allow",
                settings["hardware"],
                settings["attempts"] == "spend",
                ignores_small_groups=settings["too_small"] == "ignore",
            )
        return self._decisions[asked]

    def breaking_limit(self, model: str, dataset: str) -> BreakingLimit | None:
        """The floor of the breaking share of a model on a data set, or None."""
        for limit in self.limits_for(search_case(model, dataset), DIRECTIONS[0]):
            if isinstance(limit, BreakingLimit):
                return limit
        return None

    def drift_limit(self, model: str) -> DriftLimit | None:
        """The limit on how far a model may move from its fingerprint, or None."""
        for limit in self.limits_for(drift_case(model), DIRECTIONS[0]):
            if isinstance(limit, DriftLimit):
                return limit
        return None

    @property
    def perturbation_sets(self) -> tuple[PerturbationSet, ...]:
        """The sets of perturbations whose errors tables limit, each once."""
        limits = [limit for rule in self.rules for limit in rule.limits]
        sets = [limit.of for limit in limits if isinstance(limit, ErrorLimit)]
        return tuple(dict.fromkeys(sets))

    def error_limits(self, case: Case, direction: Direction) -> list[ErrorLimit]:
        """The limits on the errors under the set that a case stands for: see `set_case`."""
        limits = self.limits_for(case, direction)
        return [limit for limit in limits if isinstance(limit, ErrorLimit)]

    def edit_limits(self, case: Case) -> list[EditLimit]:
        """The floors of what is measured with edited reports in a case."""
        limits = self.limits_for(case, DIRECTIONS[0])
        return [limit for limit in limits if isinstance(limit, EditLimit)]

    def cases_with_edits(self, plan: Plan, model: str, dataset: str) -> list[Case]:
        """The cases of a model and data set in which gates are about edited reports."""
        cells = cells_of(plan, model, dataset)
        hidden = [case for case in cells if case.level > 0]
        cases = (clean_case(model, dataset), *hidden)
        return [
            case
            for case in dict.fromkeys(cases)
            if any(limit.applies_at(case) for limit in self.edit_limits(case))
        ]

    def reference_of(self, case: Case) -> str | None:
        """The other model whose cost that of a case's model is compared with, or None."""
        for limit in self.limits_for(case.clean(), DIRECTIONS[0]):
            if isinstance(limit, RelativeLimit) and limit.model != case.model:
                return limit.model
        return None

    def _stating(self, case: Case, direction: Direction, gate: GateKey) -> list[Rule]:
        """The most specific tables that state the limit of a gate for a case."""
        stating = [
            rule
            for rule in self.rules
            if gate in rule.keys and rule.matches(case, direction, gate)
        ]
        highest = max((rule.specificity for rule in stating), default=())
        return [rule for rule in stating if rule.specificity == highest]

    def _settings(
        self, case: Case, direction: Direction, stating: Sequence[Rule] = ()
    ) -> dict[SettingName, Any]:
        """Every setting of a case. Those of tables in `stating` count whatever else these
        tables select, because their limit may ignore the level or the occluder.
        """
        stated = (
            (rule, name, value)
            for rule in self.rules
            if rule in stating or rule.settings_match(case, direction)
            for name, value in rule.settings.items()
        )
        return {**DEFAULTS, **_most_specific(stated, case)}

    # What it speaks of

    def names(self, model: str) -> bool:
        """Whether a gate on what it retrieves is about this model in particular, by name
        or glob.
        """
        return any(rule.is_about_data and rule.names(model) for rule in self.rules)

    def names_exactly(self, model: str) -> bool:
        """Whether a gate is about this model by its own name."""
        return any(rule.limits and rule.model == model for rule in self.rules)

    def asks_for(self, role: Role) -> bool:
        """Whether a gate compares with the saved run in that role."""
        return any(
            key.kind.compared_with is role for rule in self.rules for key in rule.keys
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the registered metrics that gates judge, each once."""
        keys = [key for rule in self.rules for key in rule.keys]
        names = [key.name for key in keys if key.kind is GateKind.METRIC]
        return tuple(dict.fromkeys(filter(None, names)))

    def metrics_with_bounds(self, plan: Plan) -> set[str]:
        """The names of those that a gate of a plan decides by their bounds."""
        names = set()
        for planned in self.planned(plan):
            if planned.gate.kind is not GateKind.METRIC:
                continue
            key = replace(planned.gate, direction=None)
            decision = self.decision(planned.case, planned.direction, key)
            if decision.by == "bound" and planned.gate.name is not None:
                names.add(planned.gate.name)
        return names

    def planned(self, plan: Plan) -> list[PlannedGate]:
        """Every gate that the policy has for a plan, in order. What `-k` and the like
        leave out is planned too.
        """
        planned: list[PlannedGate] = []
        for model in plan.models:
            drift = self.drift_limit(model)
            if drift is not None:
                case = drift_case(model)
                planned.append(PlannedGate(case, DIRECTIONS[0], drift.gate()))
        for model, dataset in product(plan.models, plan.datasets):
            breaking = self.breaking_limit(model, dataset)
            if breaking is not None:
                gate = breaking.gate(DIRECTIONS[0])
                case = search_case(model, dataset)
                planned.append(PlannedGate(case, DIRECTIONS[0], gate))
            planned += self._planned_errors(model, dataset, plan)
            clean = clean_case(model, dataset)
            for floor in self.edit_limits(clean):
                planned.append(PlannedGate(clean, DIRECTIONS[0], floor.gate()))
            for case in cells_of(plan, model, dataset):
                planned += self._planned_at(case, plan)
        # A plan may name the same model or level twice.
        return list(dict.fromkeys(planned))

    def _planned_errors(
        self, model: str, dataset: str, plan: Plan
    ) -> Iterator[PlannedGate]:
        """The gates on corruption errors, each once for all levels and seeds."""
        for of in self.perturbation_sets:
            if not of.planned(plan):
                continue
            case = set_case(model, dataset, of)
            for direction in DIRECTIONS:
                for limit in self.error_limits(case, direction):
                    yield PlannedGate(case, direction, limit.gate(direction))

    def _planned_at(self, case: Case, plan: Plan) -> Iterator[PlannedGate]:
        for direction in DIRECTIONS:
            for limit in self.limits_for(case, direction):
                if limit.is_planned_at(case, plan):
                    yield PlannedGate(case, direction, limit.gate(direction))

    def idle(self, gates: Sequence[PlannedGate], plan: Plan) -> int:
        """How many tables with limits match none of the planned gates: they name other
        models, data sets or perturbations.
        """
        return len(self._idle_rules(gates, plan))

    def _idle_rules(self, gates: Sequence[PlannedGate], plan: Plan) -> list[Rule]:
        # Levels that the plan leaves out have a warning of their own.
        return [
            rule
            for rule in self.rules
            if rule.limits
            and not leaves_out(plan, rule)
            and not any(rule.matches(g.case, g.direction, g.gate) for g in gates)
        ]

    def unmeasured_levels(
        self, plan: Plan, family: Family = "occlusion"
    ) -> list[float]:
        """Levels that gates on a family name and that the plan leaves out."""
        levels = {
            rule.level
            for rule in self.rules
            if rule.family == family
            and rule.level is not None
            and leaves_out(plan, rule)
            and has_limits_at_its_level(rule)
        }
        return sorted(levels)

    def left_out_by_level(self, plan: Plan) -> int:
        """How many tables with limits on what a plan measures name a level or severity
        that it leaves out.
        """
        return sum(
            leaves_out(plan, rule)
            and has_limits_at_its_level(rule)
            and is_about_a_model(plan, rule)
            and not lacks_perturbation(plan, rule)
            for rule in self.rules
            if rule.limits
        )

    def left_out_by_name(self, gates: Sequence[PlannedGate], plan: Plan) -> int:
        """How many tables on models and data sets of a plan match none of the planned
        gates, because their perturbation is not measured.
        """
        return sum(
            is_about_a_model(plan, rule) and lacks_perturbation(plan, rule)
            for rule in self._idle_rules(gates, plan)
        )

    # What is wrong with it

    def check(
        self, plan: Plan, *, levels_typed: bool = False, severities_typed: bool = False
    ) -> None:
        """Raise `ConfigError` for rules that contradict each other, or name a k, level
        or severity that is not measured.
        """
        for rule in self.rules:
            check_ks(rule, plan)
            # What a user typed leaves out gates on purpose.
            is_typed = severities_typed
            if rule.family == "occlusion":
                is_typed = levels_typed
            if not is_typed:
                check_level(rule, plan)
        for model in plan.models:
            self._check_ties_at(drift_case(model))
        for model, dataset in product(plan.models, plan.datasets):
            self._check_ties_at(search_case(model, dataset))
            for of in self.perturbation_sets:
                self._check_ties_at(set_case(model, dataset, of))
            self._check_ties_at(clean_case(model, dataset))
            for case in cells_of(plan, model, dataset):
                self._check_ties_at(case)

    def check_ties(self, catalogue: Plan) -> None:
        """Raise `ConfigError` for two gates that are equally specific for anything that
        exists: every combination of the catalogue's names.
        """
        for rule, rival in combinations(self.rules, 2):
            # Only such pairs are worth the product of all names.
            if rule.specificity == rival.specificity and rule.contradicts(rival):
                for case in rule.overlap(rival, catalogue):
                    self._check_ties_at(case)
                    self._check_ties_at(drift_case(case.model))

    def _check_ties_at(self, case: Case) -> None:
        # Merging the tables raises where two of them tie.
        for direction in DIRECTIONS:
            self.limits_for(case, direction)
            self._settings(case, direction)


def _most_specific(stated: Iterable[Stated[K, V]], case: Case) -> dict[K, V]:
    """The value of the most specific table for each name.

    Raises:
        ConfigError: Two tables that are equally specific state different values.
    """
    winners: dict[K, list[tuple[Rule, V]]] = {}
    for rule, name, value in stated:
        best = winners.setdefault(name, [])
        # A more specific table displaces all that came before it.
        if best and best[0][0].specificity < rule.specificity:
            best.clear()
        if not best or best[0][0].specificity == rule.specificity:
            best.append((rule, value))
    # Ties are looked for only now: a table that comes later may have settled one.
    for name, ((first, value), *rivals) in winners.items():
        for rule, rival_value in rivals:
            if rival_value != value:
                raise tie(name, first, rule, case)
    return {name: best[0][1] for name, best in winners.items()}


def _order(limit: Limit) -> tuple[str, ...]:
    """Sorts limits by kind, metric, pooling, k and stratum, each in the order of its text: so the
    verdicts of `run.json` stand in the same order in every version.
    """
    key = limit.key
    name = key.metric or key.name or ""
    return key.kind, name, key.over or "", str(key.k), key.stratum or ""
