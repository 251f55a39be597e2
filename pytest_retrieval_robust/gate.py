"""The policy of a release: which floors and ceilings apply to which case, and what they say of what was measured.

Pure functions of outcomes: nothing is measured here, so a saved run can be judged again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from .case import (
    BREAKING,
    DIRECTIONS,
    BreakingOutcome,
    Case,
    CostMeasurement,
    Direction,
    Outcome,
    Verdict,
    VerdictName,
    canonical_level,
)
from .catalogue import is_glob, unknown_name
from .config_file import ConfigFile
from .curve import Curve, chance_k, retrieves
from .errors import ConfigError

SHARES_BY_K = ("recall", "retention", "auc", "half_level")
"""Limits given as `{ k = floor }`, each floor a share in [0, 1]."""
NUMBERS = ("relative_cost", "images_per_second")
_SELECTORS = ("model", "dataset", "occluder")
_KEYS = (*_SELECTORS, "level", "direction", *SHARES_BY_K, *NUMBERS, "cost_relative_to", "breaking_share")
_ROUNDING = 1e-12


@dataclass(frozen=True)
class RelativeLimit:
    """`cost_relative_to = { model = "clip", max = 1.5 }`."""

    model: str
    maximum: float


@dataclass(frozen=True)
class BreakingLimit:
    """`breaking_share = { k = 10, quantile = 0.05, min = 0.03 }`: at most that share of images may break by less.

    `images` and `grid` say how it is searched; None leaves that to the command line.
    """

    k: int
    quantile: float
    minimum: float
    images: int | None = None
    grid: int | None = None


@dataclass(frozen=True)
class Rule:
    """One `[[gate]]` table. A selector that is absent (None) matches everything."""

    place: str
    model: str | None = None
    dataset: str | None = None
    occluder: str | None = None
    level: float | None = None
    direction: Direction = "image-to-report"
    shares: Mapping[tuple[str, int], float] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    relative: RelativeLimit | None = None
    breaking: BreakingLimit | None = None

    def matches(self, case: Case, direction: Direction) -> bool:
        selected = zip(
            (self.model, self.dataset, self.occluder), (case.model, case.dataset, case.occluder), strict=True
        )
        return (
            all(pattern is None or _matches(pattern, name) for pattern, name in selected)
            and self.level in (None, case.level)
            and self.direction == direction
        )

    @property
    def specificity(self) -> tuple[int, ...]:
        """Compared in the order model, data set, occluder, level: exact over glob over absent."""
        named = (0 if pattern is None else 1 if is_glob(pattern) else 2 for pattern in self._patterns)
        return (*named, 0 if self.level is None else 2)

    @property
    def _patterns(self) -> tuple[str | None, ...]:
        return self.model, self.dataset, self.occluder

    def limits(self) -> dict[tuple[str, int | None], Any]:
        """Every limit of the table under (name, k), k being None where a limit has none."""
        found: dict[tuple[str, int | None], Any] = dict(self.shares.items())
        found.update({(name, None): value for name, value in self.numbers.items()})
        if self.relative is not None:
            found["cost_relative_to", None] = self.relative
        if self.breaking is not None:
            found["breaking_share", None] = self.breaking
        return found


def _matches(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern) if is_glob(pattern) else name == pattern


@dataclass(frozen=True)
class Policy:
    """All rules of a `robust.toml`. An empty policy leaves every cell ungated."""

    rules: tuple[Rule, ...] = ()

    def limits_for(self, case: Case, direction: Direction) -> dict[tuple[str, int | None], Any]:
        """The limits of a case: tables merge key by key, the most specific one wins each key."""
        chosen: dict[tuple[str, int | None], tuple[Rule, Any]] = {}
        for rule in (rule for rule in self.rules if rule.matches(case, direction)):
            for key, value in rule.limits().items():
                held = chosen.get(key)
                if held is None or rule.specificity > held[0].specificity:
                    chosen[key] = (rule, value)
                elif rule.specificity == held[0].specificity and value != held[1]:
                    raise _tie(key, held[0], rule, case)
        return {key: value for key, (_, value) in chosen.items()}

    def names(self, model: str) -> bool:
        """Whether a gate is about this model in particular, by name or glob."""
        return any(rule.model is not None and _matches(rule.model, model) for rule in self.rules)

    def check(self, cases: Iterable[Case], ks: Sequence[int]) -> None:
        """Raise `ConfigError` for rules that contradict each other or name a k that is not measured."""
        for rule in self.rules:
            for name, k in rule.shares:
                if k not in ks:
                    raise ConfigError(
                        f"{rule.place}: expected a k that is measured ({', '.join(map(str, ks))}), got {name} at k={k}."
                        " Add it to --robust-k or mend the gate."
                    )
        for case in cases:
            for direction in DIRECTIONS:
                self.limits_for(case, direction)

    def judge(self, outcome: Outcome, clean: Outcome) -> list[Verdict]:
        """What the recall and retention gates say of an outcome; one `ungated` verdict where there are none."""
        if self.names(outcome.case.model):
            broken = untrained(clean)
            if broken is not None:
                return [Verdict(outcome.case, "above_chance", "fail", None, None, broken)]
        judged = [
            verdict
            for direction in DIRECTIONS
            for (name, k), limit in sorted(self.limits_for(outcome.case, direction).items(), key=str)
            if k is not None and (verdict := _judge_share(outcome, clean, direction, name, k, limit)) is not None
        ]
        return judged or [Verdict(outcome.case, "none", "ungated", None, None, f"No gate applies to {outcome.case}.")]

    def judge_curve(self, curve: Curve) -> list[Verdict]:
        """What the gates on area under the curve and half level say."""
        if self.names(curve.clean.case.model) and untrained(curve.clean) is not None:
            return []
        return [
            _judge_curve_share(curve, direction, name, k, limit)
            for direction in DIRECTIONS
            for (name, k), limit in sorted(self.limits_for(_whole(curve), direction).items(), key=str)
            if k is not None and name in ("auc", "half_level")
        ]

    def judge_cost(self, cost: CostMeasurement) -> list[Verdict]:
        """What the gates on the cost of occluding and on throughput say."""
        limits = self.limits_for(cost.case, "image-to-report")
        verdicts = []
        if ("relative_cost", None) in limits and cost.case.level > 0:
            verdicts.append(_judge_relative_cost(cost, limits["relative_cost", None]))
        if ("images_per_second", None) in limits:
            verdicts.append(_judge_throughput(cost, limits["images_per_second", None]))
        return verdicts

    def breaking_limit(self, model: str, dataset: str) -> BreakingLimit | None:
        """The floor of the breaking share of a model on a data set, or None."""
        limits = self.limits_for(Case(model, dataset, BREAKING, 0.0, 0), "image-to-report")
        limit: BreakingLimit | None = limits.get(("breaking_share", None))
        return limit

    def judge_breaking(self, breaking: BreakingOutcome) -> list[Verdict]:
        """What the gate on the smallest breaking occlusion says."""
        limit = self.breaking_limit(breaking.model, breaking.dataset)
        return [] if limit is None else [_judge_breaking(breaking, limit)]

    def judge_cost_between_models(self, cleans: Sequence[Outcome]) -> list[Verdict]:
        """What `cost_relative_to` says, from the clean outcomes of all models of one run."""
        verdicts = []
        for outcome in cleans:
            limit = self.limits_for(outcome.case, "image-to-report").get(("cost_relative_to", None))
            if limit is not None and limit.model != outcome.case.model:
                verdicts.append(_judge_between(outcome, cleans, limit))
        return verdicts


def untrained(clean: Outcome) -> str | None:
    """A sentence when clean recall is not above chance (one-sided, 0.001, at one fixed k), else None."""
    scores = clean.image_to_report
    if retrieves(scores):
        return None
    k = chance_k(scores)
    return (
        f"Expected {clean.case.model} to retrieve better than chance with nothing hidden, got clean Recall@{k}="
        f"{scores.recall[k]:.3f} at a chance of {scores.chance[k]:.3f} on {clean.case.dataset}. "
        "Its weights may not have been loaded, or it was trained on something else."
    )


def _judge_share(
    outcome: Outcome, clean: Outcome, direction: Direction, name: str, k: int, limit: float
) -> Verdict | None:
    recall = outcome.recall(k, direction)
    if name == "recall":
        return _verdict(outcome.case, f"Recall@{k}", name, k, direction, recall, limit)
    if name == "retention" and outcome.case.level > 0:
        kept = Curve((clean, outcome)).retention(k, direction)
        if kept is None:
            return _nothing_to_lose(outcome.case, clean, name, k, direction, limit)
        return _verdict(outcome.case, f"retention of Recall@{k}", name, k, direction, kept[outcome.case.level], limit)
    return None


def _nothing_to_lose(case: Case, clean: Outcome, name: str, k: int, direction: Direction, limit: float) -> Verdict:
    """What retrieves nothing keeps all of it: that must not pass."""
    sentence = (
        f"Expected {case.model} to retrieve better than chance with nothing hidden before its {name.replace('_', ' ')} "
        f"is judged, got clean Recall@{k}={clean.recall(k, direction):.3f} {direction} on {case.dataset}. "
        "Mend the model, or take the gate away."
    )
    return Verdict(case, f"{name}@{k}", "fail", None, limit, sentence)


def _judge_curve_share(curve: Curve, direction: Direction, name: str, k: int, limit: float) -> Verdict:
    case = _whole(curve)
    if name == "auc":
        observed = curve.area(k, direction)
        return _verdict(case, f"area under Recall@{k}", name, k, direction, observed, limit, over="its levels")
    if not curve.has_something_to_lose(k, direction):
        return _nothing_to_lose(case, curve.clean, name, k, direction, limit)
    half = curve.half_level(k, direction)
    if half is None and curve.levels[-1] < limit:
        sentence = (
            f"The half level of Recall@{k} of {case.model} was not reached up to {curve.levels[-1]:g}, "
            f"and the gate asks for {limit:g}. Measure higher levels."
        )
        return Verdict(case, f"half_level@{k}", "inconclusive", None, limit, sentence)
    observed = curve.levels[-1] if half is None else half
    return _verdict(case, f"half level of Recall@{k}", name, k, direction, observed, limit, over="its levels")


def _whole(curve: Curve) -> Case:
    """The case that stands for a whole curve: its highest level."""
    return curve.outcomes[-1].case


def _verdict(
    case: Case,
    quantity: str,
    name: str,
    k: int,
    direction: Direction,
    observed: float,
    limit: float,
    over: str | None = None,
) -> Verdict:
    passes = observed >= limit - _ROUNDING
    where = f"level {case.level:g}" if over is None else over
    sentence = (
        f"{case.model} on {case.dataset}, {case.occluder} at {where}, seed {case.seed}, {direction}: "
        f"{quantity} is {observed:.3f}, {'at least' if passes else 'below'} the floor of {limit:.3f}."
    )
    return Verdict(case, f"{name}@{k} {direction}", _pass_or_fail(passes), observed, limit, sentence)


def _pass_or_fail(passes: bool) -> VerdictName:
    return "pass" if passes else "fail"


def _judge_relative_cost(cost: CostMeasurement, limit: float) -> Verdict:
    passes = cost.relative_cost <= limit
    sentence = (
        f"{cost.case}: an image takes {cost.relative_cost:.2f} times what it takes with nothing hidden "
        f"({cost.occluded_seconds * 1e3:.2f} ms against {cost.clean_seconds * 1e3:.2f} ms, median of {cost.rounds} "
        f"interleaved rounds on {cost.device}), {'within' if passes else 'above'} the ceiling of {limit:.2f}."
    )
    return Verdict(cost.case, "relative_cost", _pass_or_fail(passes), cost.relative_cost, limit, sentence)


def _judge_throughput(cost: CostMeasurement, limit: float) -> Verdict:
    passes = cost.images_per_second >= limit
    sentence = (
        f"{cost.case}: {cost.images_per_second:.0f} images per second on {cost.device}, "
        f"{'at least' if passes else 'below'} the floor of {limit:g}."
    )
    return Verdict(cost.case, "images_per_second", _pass_or_fail(passes), cost.images_per_second, limit, sentence)


def _judge_between(outcome: Outcome, cleans: Sequence[Outcome], limit: RelativeLimit) -> Verdict:
    case = outcome.case
    others = [other for other in cleans if other.case.model == limit.model and other.case.dataset == case.dataset]
    if not others:
        sentence = f"{case.model} is to be timed against {limit.model}, which was not measured in this run. Add it."
        return Verdict(case, "cost_relative_to", "inconclusive", None, limit.maximum, sentence)
    ratio = others[0].timing.images_per_second / outcome.timing.images_per_second
    passes = ratio <= limit.maximum
    sentence = (
        f"{case.model} takes {ratio:.2f} times as long for an image as {limit.model} on {outcome.timing.device}, "
        f"{'within' if passes else 'above'} the ceiling of {limit.maximum:.2f}."
    )
    return Verdict(case, "cost_relative_to", _pass_or_fail(passes), ratio, limit.maximum, sentence)


def _judge_breaking(breaking: BreakingOutcome, limit: BreakingLimit) -> Verdict:
    case, gate = breaking.case, f"breaking_share@{limit.k}"
    what = f"{breaking.model} on {breaking.dataset}, smallest breaking occlusion found in {breaking.images} images"
    needed = math.ceil(1 / limit.quantile)
    if breaking.k != limit.k:
        sentence = f"{what} was searched at k={breaking.k}, and the gate asks for k={limit.k}. Search at that k."
        return Verdict(case, gate, "inconclusive", None, limit.minimum, sentence)
    if len(breaking.shares) < needed:
        sentence = (
            f"{what}: {len(breaking.shares)} of them have their report in the top {limit.k} with nothing hidden, and "
            f"the {100 * limit.quantile:g} % quantile takes {needed}. Search more images (--robust-search-images)."
        )
        return Verdict(case, gate, "inconclusive", None, limit.minimum, sentence)
    observed = breaking.quantile(limit.quantile)
    assert observed is not None
    passes = observed >= limit.minimum - _ROUNDING
    sentence = (
        f"{what}: the {100 * limit.quantile:g} % quantile of the share that pushes a report out of the top {limit.k} "
        f"is {observed:.4f} ({breaking.grid} x {breaking.grid} cells, {breaking.fill}; an upper bound), "
        f"{'at least' if passes else 'below'} the floor of {limit.minimum:.4f}."
    )
    return Verdict(case, gate, _pass_or_fail(passes), observed, limit.minimum, sentence)


def _tie(key: tuple[str, int | None], first: Rule, second: Rule, case: Case) -> ConfigError:
    what = key[0] if key[1] is None else f"{key[0]}@{key[1]}"
    return ConfigError(
        f"{second.place}: expected one most specific gate for {what} of {case}, got another that is equally specific "
        f"({first.place}). Make one of them name more, or remove it."
    )


def read_policy(config_file: ConfigFile | None) -> Policy:
    """The policy of a `robust.toml`; `ConfigError` with the line of whatever is wrong."""
    if config_file is None:
        return Policy()
    return Policy(tuple(_rule(config_file, index, table) for index, table in enumerate(config_file.gates)))


def _rule(config_file: ConfigFile, index: int, table: Mapping[str, Any]) -> Rule:
    def wrong(key: str, expected: str) -> ConfigError:
        return ConfigError(f"{config_file.gate_place(index, key)}: expected {expected}, got {key}={table[key]!r}.")

    for key in table:
        if key not in _KEYS:
            raise ConfigError(f"{config_file.gate_place(index, key)}: {unknown_name('gate key', key, _KEYS)}")
    for key in _SELECTORS:
        if not isinstance(table.get(key, ""), str):
            raise wrong(key, "a name or glob in quotes")
    if table.get("direction", "image-to-report") not in DIRECTIONS:
        raise wrong("direction", " or ".join(DIRECTIONS))
    level = table.get("level")
    if level is not None and not (_is_number(level) and 0 <= level <= 1):
        raise wrong("level", "a fraction of the image area from 0 to 1")
    return Rule(
        place=config_file.gate_place(index),
        model=table.get("model"),
        dataset=table.get("dataset"),
        occluder=table.get("occluder"),
        level=None if level is None else canonical_level(level),
        direction=table.get("direction", "image-to-report"),
        shares=_shares(table, wrong),
        numbers=_numbers(table, wrong),
        relative=_relative(table, wrong),
        breaking=_breaking(table, wrong),
    )


_Wrong = Callable[[str, str], ConfigError]


def _shares(table: Mapping[str, Any], wrong: _Wrong) -> dict[tuple[str, int], float]:
    found = {}
    for name in (name for name in SHARES_BY_K if name in table):
        if not isinstance(table[name], dict):
            raise wrong(name, "floors by k such as { 1 = 0.15, 10 = 0.45 }")
        for k, floor in table[name].items():
            if not (str(k).isdigit() and int(k) >= 1 and _is_number(floor) and 0 <= floor <= 1):
                raise wrong(name, "whole k from 1 and floors from 0 to 1")
            found[name, int(k)] = float(floor)
    return found


def _numbers(table: Mapping[str, Any], wrong: _Wrong) -> dict[str, float]:
    for name in (name for name in NUMBERS if name in table):
        if not (_is_number(table[name]) and 0 < table[name] < float("inf")):
            raise wrong(name, "a finite number above 0")
    return {name: float(table[name]) for name in NUMBERS if name in table}


def _relative(table: Mapping[str, Any], wrong: _Wrong) -> RelativeLimit | None:
    value = table.get("cost_relative_to")
    if value is None:
        return None
    if not (isinstance(value, dict) and set(value) == {"model", "max"} and isinstance(value["model"], str)):
        raise wrong("cost_relative_to", '{ model = "NAME", max = NUMBER }')
    if not (_is_number(value["max"]) and 0 < value["max"] < float("inf")):
        raise wrong("cost_relative_to", "a finite max above 0")
    return RelativeLimit(value["model"], float(value["max"]))


def _breaking(table: Mapping[str, Any], wrong: _Wrong) -> BreakingLimit | None:
    value = table.get("breaking_share")
    if value is None:
        return None
    needed, free = {"k", "quantile", "min"}, {"images", "grid"}
    if not (isinstance(value, dict) and needed <= set(value) <= needed | free):
        raise wrong("breaking_share", "{ k = 10, quantile = 0.05, min = 0.03 }, with images and grid if need be")
    for name, least in (("k", 1), ("images", 1), ("grid", 2)):
        if name in value and not (type(value[name]) is int and value[name] >= least):
            raise wrong("breaking_share", f"a whole {name} from {least}")
    if not all(_is_number(value[name]) for name in ("quantile", "min")):
        raise wrong("breaking_share", "numbers for quantile and min")
    if not (0 < value["quantile"] < 1 and 0 <= value["min"] <= 1):
        raise wrong("breaking_share", "a quantile above 0 and below 1, and a min from 0 to 1")
    return BreakingLimit(
        value["k"], float(value["quantile"]), float(value["min"]), value.get("images"), value.get("grid")
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
