"""Whether the names in a policy are those of anything: a gate on nothing would be met for ever."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

from ..core.cases import Plan
from ..core.catalogue import Catalogues, is_glob, unknown_name
from ..core.config_file import ConfigFile
from ..core.errors import ConfigError
from ..gate.policy import Policy, patterns_of
from ..measure.from_text import occluder_from_text
from .selection import named_dataset

_KINDS = {"model": "model", "dataset": "data set", "occluder": "occluder"}


def check_names(
    policy: Policy, plan: Plan, catalogues: Catalogues, config_file: ConfigFile | None
) -> None:
    """Raise `ConfigError`, with file and line, for a gate that matches nothing that
    there is, or that contradicts another one for something that there is; what was
    selected has no say.
    """
    known = _known(plan, catalogues, config_file)
    names: Mapping[str, Iterable[str]] = {
        "model": known.models,
        "dataset": known.datasets,
        "occluder": known.occluders,
    }
    tables = () if config_file is None else config_file.datasets
    canonical: Mapping[str, Callable[[str], str]] = {
        "model": lambda text: catalogues.models.get(text).name,
        "dataset": lambda text: named_dataset(text, tables, catalogues.datasets).name,
        "occluder": lambda text: occluder_from_text(text, catalogues.occluders).name,
    }
    for rule, kind, pattern in patterns_of(policy.rules):
        try:
            _check_pattern(pattern, _KINDS[kind], set(names[kind]), canonical[kind])
        except ConfigError as error:
            raise ConfigError(
                f"{rule.place}: this gate matches nothing. {error}"
            ) from error
    policy.check_ties(known)


def _known(plan: Plan, catalogues: Catalogues, config_file: ConfigFile | None) -> Plan:
    """Every name that there is: the catalogue's, those of the file's own tables, and
    what was asked for.
    """
    models = (
        {table.name for table in config_file.models}
        if config_file is not None
        else set()
    )
    datasets = (
        {table.name for table in config_file.datasets}
        if config_file is not None
        else set()
    )
    return Plan(
        tuple(sorted({*catalogues.models.names(), *models, *plan.models})),
        tuple(sorted({*catalogues.datasets.names(), *datasets, *plan.datasets})),
        tuple(sorted({*catalogues.occluders.names(), *plan.occluders})),
        plan.levels,
        plan.seeds,
        plan.ks,
    )


def _check_pattern(
    pattern: str, kind: str, names: set[str], canonical: Callable[[str], str]
) -> None:
    if pattern in names:
        return
    base = pattern.partition("(")[0]
    if kind == "model" and re.match(r"(hf|open_clip|local-dir)-", pattern):
        return  # the name of a locator, which no catalogue lists
    if is_glob(pattern):
        # A glob over parameters, `patches(grid=*)`, may wait for a run that has them.
        if not any(
            fnmatchcase(name, pattern) or ("(" in pattern and fnmatchcase(name, base))
            for name in names
        ):
            raise unknown_name(kind, pattern, names)
        return
    if base == pattern:
        raise unknown_name(kind, pattern, names)
    written = canonical(pattern)
    if written != pattern:
        raise ConfigError(
            f"Expected a {kind} as results name it, got {pattern!r}. Write it as"
            f" {written!r}."
        )
