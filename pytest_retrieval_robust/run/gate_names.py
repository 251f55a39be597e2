"""Whether the names in a policy are those of anything: a gate on nothing would be met for ever."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase

from ..core.cases import Plan
from ..core.catalogue import Catalogues, is_glob, unknown_name
from ..core.config_file import ConfigFile
from ..core.errors import ConfigError
from ..core.names import parse_call
from ..core.verdict import GateKind
from ..gate.policy import Policy
from ..gate.rules import Selector
from ..measure.from_text import metric_from_text, occluder_from_text
from ..measure.perturbation_text import corruption_from_text, text_noise_from_text
from ..retrieval.metrics.named import NamedMetric
from .selected_datasets import named_dataset

_WORDS: Mapping[Selector, str] = {
    "model": "model",
    "dataset": "data set",
    "occluder": "occluder",
    "corruption": "corruption",
    "text_noise": "text noise",
}
"""What messages call the selectors."""


def check_names(
    policy: Policy, plan: Plan, catalogues: Catalogues, config_file: ConfigFile | None
) -> None:
    """Raise `ConfigError`, with file and line, for a gate that matches nothing that
    exists, or that contradicts another one for something that exists, whether this run
    selected it or not.
    """
    known = _known(plan, catalogues, config_file)
    names: Mapping[Selector, set[str]] = {
        "model": set(known.models),
        "dataset": set(known.datasets),
        "occluder": set(known.occluders),
        "corruption": set(known.corruptions),
        "text_noise": set(known.text_noise),
    }
    tables = () if config_file is None else config_file.datasets
    canonical: Mapping[Selector, Callable[[str], str]] = {
        "model": lambda text: catalogues.models.get(text).name,
        "dataset": lambda text: named_dataset(text, tables, catalogues.datasets).name,
        "occluder": lambda text: occluder_from_text(text, catalogues.occluders).name,
        "corruption": lambda text: (
            corruption_from_text(text, catalogues.corruptions).name
        ),
        "text_noise": lambda text: (
            text_noise_from_text(text, catalogues.text_noise).name
        ),
    }
    for rule in policy.rules:
        for selector, pattern in rule.patterns:
            try:
                _check_pattern(pattern, selector, names[selector], canonical[selector])
            except ConfigError as error:
                raise ConfigError(
                    f"{rule.place}: this gate matches nothing. {error}"
                ) from error
    policy.check_ties(known)


def check_metrics(
    policy: Policy, plan: Plan, catalogues: Catalogues, saved: Collection[str] = ()
) -> None:
    """Raise `ConfigError`, with file and line, for a gate on a metric that is not
    registered, or that is written otherwise than results name it.

    `saved` are the metrics of a run that is judged again. Their code may be missing,
    unless a gate asks for their bounds.
    """
    registered = catalogues.metrics.names()
    missing = set()
    for rule in policy.rules:
        for key in rule.keys:
            if key.kind is not GateKind.METRIC or key.name is None:
                continue
            if key.name in saved and parse_call(key.name)[0] not in registered:
                missing.add(key.name)
                continue
            try:
                _check_metric(key.name, catalogues)
            except ConfigError as error:
                raise ConfigError(
                    f"{rule.place}: this gate matches nothing. {error}"
                ) from error
    without_bounds = sorted(missing & policy.metrics_with_bounds(plan))
    if without_bounds:
        raise ConfigError(
            'Expected the code of every metric that a gate decides with decide = "bound",'
            f" got no code of {', '.join(without_bounds)}. Install what registers it,"
            ' or decide by "point".'
        )


def metrics_of_gates(policy: Policy, catalogues: Catalogues) -> tuple[NamedMetric, ...]:
    """The metrics that gates name, as far as they are registered.

    A run that is judged again may lack the code of a metric, and have its values.
    """
    registered = catalogues.metrics.names()
    return tuple(
        metric_from_text(name, catalogues.metrics)
        for name in policy.metrics
        if parse_call(name)[0] in registered
    )


def _check_metric(name: str, catalogues: Catalogues) -> None:
    metric = metric_from_text(name, catalogues.metrics)
    if metric.name != name:
        raise ConfigError(
            f"Expected a metric as results name it, got {name!r}. Write it as"
            f" {metric.name!r}."
        )


def _known(plan: Plan, catalogues: Catalogues, config_file: ConfigFile | None) -> Plan:
    """Every name that exists: the catalogue's, those of the file's own tables, and those
    of this run.
    """
    models = {*catalogues.models.names(), *plan.models}
    datasets = {*catalogues.datasets.names(), *plan.datasets}
    occluders = {*catalogues.occluders.names(), *plan.occluders}
    corruptions = {*catalogues.corruptions.names(), *plan.corruptions}
    text_noise = {*catalogues.text_noise.names(), *plan.text_noise}
    if config_file is not None:
        models |= {table.name for table in config_file.models}
        datasets |= {table.name for table in config_file.datasets}
    return Plan(
        tuple(sorted(models)),
        tuple(sorted(datasets)),
        tuple(sorted(occluders)),
        plan.levels,
        plan.seeds,
        plan.ks,
        tuple(sorted(corruptions)),
        tuple(sorted(text_noise)),
        plan.severities,
    )


def _check_pattern(
    pattern: str, selector: Selector, names: set[str], canonical: Callable[[str], str]
) -> None:
    """Raise `ConfigError` for a name or glob that is none of the names' and never will
    be.
    """
    if pattern in names:
        return
    word = _WORDS[selector]
    # The name of a locator, which no catalogue lists.
    if selector == "model" and re.match(r"(hf|open_clip|local-dir)-", pattern):
        return
    base = pattern.partition("(")[0]
    if is_glob(pattern):
        # A glob over parameters, `patches(grid=*)`, may wait for a run that has them.
        has_parameters = "(" in pattern
        if not any(
            fnmatchcase(name, pattern) or (has_parameters and fnmatchcase(name, base))
            for name in names
        ):
            raise unknown_name(word, pattern, names)
        return
    if base == pattern:
        raise unknown_name(word, pattern, names)
    written = canonical(pattern)
    if written != pattern:
        raise ConfigError(
            f"Expected a {word} as results name it, got {pattern!r}. Write it as"
            f" {written!r}."
        )
