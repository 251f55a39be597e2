"""What is wrong with a table of a policy, beside a plan or beside another table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..core.cases import Case, Plan, level_word
from ..core.catalogue import unknown_name
from ..core.errors import ConfigError
from ..core.verdict import GateKey
from .rules import Rule


def tie(name: object, first: Rule, second: Rule, case: Case) -> ConfigError:
    """The error of two tables that are equally specific and state different values."""
    # Short enough for a message: the tables differ in a value, not in metric or pooling.
    label = name
    if isinstance(name, GateKey):
        label = GateKey(name.kind, name.k, name=name.name, stratum=name.stratum)
    return ConfigError(
        f"{second.place}: expected one most specific gate for {label} of {case}, got"
        f" another that is equally specific ({first.place}). Make one of them name"
        " more, or remove it."
    )


def check_ks(rule: Rule, plan: Plan) -> None:
    """Raise `ConfigError` for a k that is not measured."""
    for key in (limit.key for limit in rule.limits):
        if key.k is not None and key.k not in plan.ks:
            measured = ", ".join(map(str, plan.ks))
            raise ConfigError(
                f"{rule.place}: expected a k that is measured ({measured}), got"
                f" {key.kind} at k={key.k}. Add it to --robust-k or fix the gate."
            )


def leaves_out(plan: Plan, rule: Rule) -> bool:
    """Whether a plan measures the family of a table, and not at the table's level."""
    if rule.level is None:
        return False
    # A run without corruptions leaves all gates on them idle, whatever their severity.
    if rule.family != "occlusion" and not plan.names_of(rule.family):
        return False
    return rule.level not in plan.levels_of(rule.family)


def has_limits_at_its_level(rule: Rule) -> bool:
    """Whether a level decides about any limit of a table: those over all levels are
    judged whatever it is. A table of settings alone is about limits of others.
    """
    keys = rule.keys
    return not keys or not all(key.is_over_levels for key in keys)


def is_about_a_model(plan: Plan, rule: Rule) -> bool:
    """Whether a table is about a model and a data set of a plan."""
    return any(rule.speaks_of(plan.models, dataset) for dataset in plan.datasets)


def lacks_perturbation(plan: Plan, rule: Rule) -> bool:
    """Whether a plan measures none of the perturbations that a table is about."""
    names = plan.names_of(rule.family)
    return not any(rule.names_perturbation(name) for name in names)


def check_level(rule: Rule, plan: Plan) -> None:
    """Raise `ConfigError` for a level or severity that is not measured."""
    if not leaves_out(plan, rule):
        return
    word = level_word(rule.family)
    measured = ", ".join(f"{level:g}" for level in plan.levels_of(rule.family))
    option = "--robust-levels" if word == "level" else "--robust-severities"
    raise ConfigError(
        f"{rule.place}: expected a {word} that is measured ({measured}), got"
        f" {word}={rule.level:g}. Add it to {option} or fix the gate."
    )


def check_strata(
    rules: Iterable[Rule], models: Sequence[str], dataset: str, strata: Sequence[str]
) -> None:
    """Raise `ConfigError` for a gate by a stratum that a data set has not: nothing could
    be judged, however long is measured.
    """
    for rule in rules:
        if not rule.speaks_of(models, dataset):
            continue
        for stratum in (limit.key.stratum for limit in rule.limits):
            if stratum is None or stratum in strata:
                continue
            word = f"stratum of {dataset}"
            problem = unknown_name(word, stratum, strata, "strata")
            raise ConfigError(
                f"{rule.place}: this gate has no groups. {problem} {WHERE_STRATA}"
            )


WHERE_STRATA = (
    "Name it among the strata of the data set, as in"
    ' strata = ["view", "sex"] of its table, or strata=view+sex of its parameters.'
)
