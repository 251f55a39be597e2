"""The policy of a release: which limits apply to which case, and how they are decided.
Names only: no judging.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import combinations, product
from typing import Any, Literal, TypeAlias

from ..core.cases import BREAKING, DIRECTIONS, Case, Direction, Json, Plan
from ..core.catalogue import is_glob
from ..core.errors import ConfigError
from ..core.words import known_word

Key: TypeAlias = tuple[str, int | None]
"""The name of a limit, and its k where it has one: ("recall", 10)."""
OF_A_CELL = ("recall", "retention")
OF_A_CURVE = ("auc", "half_level", "slope")
OF_A_COST = ("relative_cost", "images_per_second")
"""Measured at each level."""
OF_A_MODEL = ("cost_relative_to", "latency_p50", "latency_p95", "peak_memory_gib")
"""Measured with nothing hidden, once for a model on a data set."""
ABSOLUTE = ("images_per_second", "latency_p50", "latency_p95", "peak_memory_gib")
"""Limits that mean nothing on another machine."""
BASELINE = "not_worse_than_baseline"
_OF_ALL_LEVELS = (*OF_A_CURVE, *OF_A_MODEL, "breaking_share")
DEFAULTS: Mapping[str, Any] = {
    "decide": "point",
    "confidence": 0.95,
    "inconclusive": "fail",
    "hardware": None,
}


@dataclass(frozen=True)
class RelativeLimit:
    """`cost_relative_to = { model = "clip", max = 1.5 }`."""

    model: str
    maximum: float


@dataclass(frozen=True)
class BreakingLimit:
    """`breaking_share = { k = 10, quantile = 0.05, min = 0.03 }`: at most that share of
    images may break by less.

    `images` and `grid` say how it is searched; None leaves that to the command line.
    """

    k: int
    quantile: float
    minimum: float
    images: int | None = None
    grid: int | None = None


@dataclass(frozen=True)
class BaselineLimit:
    """`not_worse_than_baseline = { k = 10, margin = 0.02, over = "levels" }`: no loss
    beyond the margin.
    """

    k: int
    margin: float
    over: Literal["levels", "cells"] = "levels"
    metric: Literal["recall", "retention", "auc", "half_level"] = "recall"

    def __post_init__(self) -> None:
        known_word("over", self.over, ("levels", "cells"))
        known_word("metric", self.metric, ("recall", "retention", "auc", "half_level"))

    @property
    def name(self) -> str:
        """The name that it is merged under: limits of another metric, or pooled
        otherwise, stand beside it.
        """
        return f"{BASELINE} of {self.metric} over {self.over}"


@dataclass(frozen=True)
class Decision:
    """How the limits of a case are decided."""

    by: Literal["point", "bound"]
    confidence: float
    tolerates_inconclusive: bool
    hardware: str | None
    """What absolute limits hold on: a name or glob."""

    def __post_init__(self) -> None:
        known_word("decide", self.by, ("point", "bound"))


@dataclass(frozen=True, repr=False)
class Rule:
    """One `[[gate]]` table. A selector that is absent (None) matches everything."""

    place: str
    model: str | None = None
    dataset: str | None = None
    occluder: str | None = None
    level: float | None = None
    direction: Direction | None = None
    limits: Mapping[Key, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """`decide`, `confidence`, `inconclusive`, `hardware`, where the table has them."""

    def matches(self, case: Case, direction: Direction, name: str) -> bool:
        """Whether the table's limit of that name applies to a case. A limit over all
        levels heeds no level, and the smallest breaking occlusion no occluder; without
        a direction a limit means image-to-report, a setting both.
        """
        return (
            _fits(self.model, case.model)
            and _fits(self.dataset, case.dataset)
            and (name == "breaking_share" or _fits(self.occluder, case.occluder))
            and (self.level in (None, case.level) or is_over_levels(name))
            and self._heeds(direction, name)
        )

    def _heeds(self, direction: Direction, name: str) -> bool:
        if self.direction is None:
            return name in DEFAULTS or direction == DIRECTIONS[0]
        return self.direction == direction

    @property
    def specificity(self) -> tuple[int, ...]:
        """Compared in the order model, data set, occluder, level: exact over glob over absent."""
        named = (
            0 if pattern is None else 1 if is_glob(pattern) else 2
            for pattern in self._patterns
        )
        return (*named, 0 if self.level is None else 2)

    @property
    def _patterns(self) -> tuple[str | None, ...]:
        return self.model, self.dataset, self.occluder

    def values(self) -> dict[Key, Any]:
        """Limits and settings alike, which are merged alike."""
        return {
            **self.limits,
            **{(name, None): value for name, value in self.settings.items()},
        }


def is_over_levels(name: str) -> bool:
    """Whether a limit of that name is one for all levels."""
    return name in _OF_ALL_LEVELS or (
        name.startswith(BASELINE) and name.endswith("levels")
    )


def _fits(pattern: str | None, name: str) -> bool:
    if pattern is None:
        return True
    return fnmatchcase(name, pattern) if is_glob(pattern) else name == pattern


@dataclass(frozen=True, order=True)
class PlannedGate:
    """A gate that a run is to be judged by, before any of its tests is left out."""

    case: Case
    direction: Direction
    name: str
    label: str
    """How its verdicts call it: `recall@10 image-to-report`."""
    over_levels: bool = False

    def __str__(self) -> str:
        if self.over_levels:
            return f"{self.label} of {self.case.model} on {self.case.dataset}"
        return f"{self.label} of {self.case}"


def gate_label(
    name: str, k: int | None, direction: Direction, limit: Any = None
) -> str:
    """How verdicts call a gate: `recall@10 image-to-report`, `relative_cost`,
    `breaking_share@10`.
    """
    if isinstance(limit, BreakingLimit):
        return f"{name}@{limit.k}"
    if k is None:
        return name
    if isinstance(limit, BaselineLimit):
        metric = "" if limit.metric == "recall" else f" {limit.metric}"
        return (
            f"{BASELINE}@{k}{metric}{'' if limit.over == 'levels' else ' cell'}"
            f" {direction}"
        )
    return f"{name}@{k} {direction}"


def is_of_cells(gate: str) -> bool:
    """Whether a gate beside the baseline, by its label, is judged cell by cell and not
    over all levels together.
    """
    return gate.startswith(BASELINE) and " cell " in gate


def baseline_gates(gates: Iterable[PlannedGate]) -> Counter[str]:
    """How many planned gates beside the baseline each model has: what a false block is
    shared out among.
    """
    return Counter(gate.case.model for gate in gates if gate.name.startswith(BASELINE))


@dataclass(frozen=True, repr=False)
class Policy:
    """All rules of a `robust.toml`. An empty policy leaves every cell ungated."""

    rules: tuple[Rule, ...] = ()
    tables: tuple[Json, ...] = ()
    """The `[[gate]]` tables as they are written, for the record."""

    @property
    def sha256(self) -> str | None:
        """A hash of the tables, whatever their layout and comments; None without any."""
        if not self.tables:
            return None
        return hashlib.sha256(
            json.dumps(self.tables, sort_keys=True).encode()
        ).hexdigest()

    def limits_for(self, case: Case, direction: Direction) -> dict[Key, Any]:
        """The limits of a case: tables merge key by key, the most specific one wins each key."""
        return {
            key: value
            for key, value in self._merged(case, direction).items()
            if key[0] not in DEFAULTS
        }

    def decision(self, case: Case, direction: Direction, key: Key) -> Decision:
        """How a limit of a case is decided: as the table that states it says, else as
        broader tables do.
        """
        stating = self._stating(case, direction, key)
        merged = self._merged(case, direction, stating)
        chosen = {
            name: merged.get((name, None), default)
            for name, default in DEFAULTS.items()
        }
        return Decision(
            chosen["decide"],
            chosen["confidence"],
            chosen["inconclusive"] == "allow",
            chosen["hardware"],
        )

    def _stating(self, case: Case, direction: Direction, key: Key) -> list[Rule]:
        """The most specific tables that state a limit of a case."""
        stating = [
            rule
            for rule in self.rules
            if key in rule.limits and rule.matches(case, direction, key[0])
        ]
        most = max((rule.specificity for rule in stating), default=())
        return [rule for rule in stating if rule.specificity == most]

    def _merged(
        self, case: Case, direction: Direction, stating: Sequence[Rule] = ()
    ) -> dict[Key, Any]:
        """Every limit and setting of a case; the settings of tables in `stating` count
        whatever else they select, for their limit may heed less than they do.
        """
        chosen: dict[Key, list[tuple[Rule, Any]]] = {}
        for rule in self.rules:
            for key, value in rule.values().items():
                if rule.matches(case, direction, key[0]) or (
                    rule in stating and key[0] in DEFAULTS
                ):
                    held = chosen.setdefault(key, [])
                    if held and rule.specificity > held[0][0].specificity:
                        held.clear()
                    if not held or rule.specificity == held[0][0].specificity:
                        held.append((rule, value))
        for key, best in chosen.items():
            (first, value), *others = best
            for rule, other in others:
                if other != value:
                    raise _tie(key, first, rule, case)
        return {key: best[0][1] for key, best in chosen.items()}

    def names(self, model: str) -> bool:
        """Whether a gate is about this model in particular, by name or glob."""
        return any(
            rule.model is not None and rule.limits and _fits(rule.model, model)
            for rule in self.rules
        )

    def names_exactly(self, model: str) -> bool:
        """Whether a gate is about this model by its own name."""
        return any(rule.model == model and rule.limits for rule in self.rules)

    def breaking_limit(self, model: str, dataset: str) -> BreakingLimit | None:
        """The floor of the breaking share of a model on a data set, or None."""
        limits = self.limits_for(Case(model, dataset, BREAKING, 0.0, 0), DIRECTIONS[0])
        limit: BreakingLimit | None = limits.get(("breaking_share", None))
        return limit

    def reference_of(self, model: str, dataset: str, occluder: str) -> str | None:
        """The model whose cost a model's own is compared with, or None."""
        limits = self.limits_for(Case(model, dataset, occluder, 0.0, 0), DIRECTIONS[0])
        limit: RelativeLimit | None = limits.get(("cost_relative_to", None))
        return None if limit is None or limit.model == model else limit.model

    def asks_for_baseline(self) -> bool:
        return any(
            name.startswith(BASELINE) for rule in self.rules for name, _ in rule.limits
        )

    def planned(self, plan: Plan) -> list[PlannedGate]:
        """Every gate that the policy has for a plan, in order; `-k` and the like have
        no say here.
        """
        found: dict[PlannedGate, None] = {}
        for model, dataset in product(plan.models, plan.datasets):
            breaking = self.breaking_limit(model, dataset)
            if breaking is not None:
                case, label = (
                    Case(model, dataset, BREAKING, 0.0, 0),
                    f"breaking_share@{breaking.k}",
                )
                found[
                    PlannedGate(case, DIRECTIONS[0], "breaking_share", label, True)
                ] = None
            for occluder, seed, level in product(
                plan.occluders, plan.seeds, plan.levels
            ):
                case = Case(model, dataset, occluder, level, seed)
                for direction in DIRECTIONS:
                    found.update(dict.fromkeys(self._planned_of(case, direction, plan)))
        return list(found)

    def _planned_of(
        self, case: Case, direction: Direction, plan: Plan
    ) -> Iterator[PlannedGate]:
        for (name, k), limit in sorted(
            self.limits_for(case, direction).items(), key=lambda item: str(item[0])
        ):
            if _is_judged_at(case, name, limit, plan):
                yield PlannedGate(
                    case,
                    direction,
                    name,
                    gate_label(name, k, direction, limit),
                    is_over_levels(name),
                )

    def check(self, plan: Plan, *, levels_typed: bool = False) -> None:
        """Raise `ConfigError` for rules that contradict each other, or name a k or
        level that is not measured.
        """
        for rule in self.rules:
            for name, k in rule.limits:
                if k is not None and k not in plan.ks:
                    raise ConfigError(
                        f"{rule.place}: expected a k that is measured"
                        f" ({', '.join(map(str, plan.ks))}), got"
                        f" {name.partition(' ')[0]} at k={k}. Add it to --robust-k or"
                        " mend the gate."
                    )
            if (
                rule.level is not None
                and rule.level not in plan.levels
                and not levels_typed
            ):
                raise ConfigError(
                    f"{rule.place}: expected a level that is measured"
                    f" ({', '.join(f'{x:g}' for x in plan.levels)}), got"
                    f" level={rule.level:g}. Add it to --robust-levels or mend the"
                    " gate."
                )
        self.planned(
            plan
        )  # raises where two tables are equally specific for a case of the plan

    def idle(self, gates: Sequence[PlannedGate], plan: Plan) -> int:
        """How many tables with limits speak of none of the planned gates: other models,
        data sets or occluders.
        """
        return sum(
            bool(rule.limits)
            and not any(
                rule.matches(gate.case, gate.direction, gate.name) for gate in gates
            )
            for rule in self.rules
            if rule.level is None or rule.level in plan.levels
        )

    def unmeasured_levels(self, plan: Plan) -> list[float]:
        """Levels that gates speak of and that the plan leaves out."""
        return sorted(
            {rule.level for rule in self.rules if rule.level is not None}
            - set(plan.levels)
        )

    def check_ties(self, known: Plan) -> None:
        """Raise `ConfigError` for two gates that are equally specific for anything that
        is known.
        """
        for one, other in combinations(self.rules, 2):
            if one.specificity == other.specificity and _contradict(one, other):
                for case in _both_match(one, other, known):
                    for direction in DIRECTIONS:
                        self._merged(case, direction)


def _is_judged_at(case: Case, name: str, limit: Any, plan: Plan) -> bool:
    """Whether a limit that applies to a case is judged there, rather than once for its
    curve or model.
    """
    first, last, clean = (
        case.seed == plan.seeds[0],
        case.level == plan.levels[-1],
        case.level == 0,
    )
    if name.startswith(BASELINE):
        return (
            not (clean and limit.metric == "retention")
            if limit.over == "cells"
            else first and last
        )
    if name in OF_A_CURVE:
        return last
    if name == "cost_relative_to" and limit.model == case.model:
        return False
    if name in OF_A_MODEL:
        return clean and first
    return name != "breaking_share" and not (
        clean and name in ("retention", "relative_cost")
    )


def _contradict(one: Rule, other: Rule) -> bool:
    mine, theirs = one.values(), other.values()
    return any(mine[key] != theirs[key] for key in mine.keys() & theirs.keys())


def _both_match(one: Rule, other: Rule, known: Plan) -> Iterator[Case]:
    """A case of each combination of names that two rules both match."""
    if one.level != other.level:
        return
    levels = [one.level] if one.level is not None else known.levels[:1]
    axes: list[Sequence[Any]] = [
        [name for name in names if _fits(mine, name) and _fits(theirs, name)] or [None]
        for names, mine, theirs in (
            (known.models, one.model, other.model),
            (known.datasets, one.dataset, other.dataset),
            (known.occluders, one.occluder, other.occluder),
        )
    ]
    if any(axis == [None] for axis in axes):
        return
    for model, dataset, occluder, level in product(*axes, levels):
        yield Case(model, dataset, occluder, level or 0.0, known.seeds[0])


def _tie(key: Key, first: Rule, second: Rule, case: Case) -> ConfigError:
    name = key[0].partition(" ")[0]
    what = name if key[1] is None else f"{name}@{key[1]}"
    return ConfigError(
        f"{second.place}: expected one most specific gate for {what} of {case}, got"
        f" another that is equally specific ({first.place}). Make one of them name"
        " more, or remove it."
    )


def patterns_of(rules: Iterable[Rule]) -> Iterator[tuple[Rule, str, str]]:
    """(rule, selector, pattern) of every name that the rules hold; the other model of a
    cost is one too.
    """
    for rule in rules:
        for selector in ("model", "dataset", "occluder"):
            pattern = getattr(rule, selector)
            if pattern is not None:
                yield rule, selector, pattern
        for limit in rule.limits.values():
            if isinstance(limit, RelativeLimit):
                yield rule, "model", limit.model
