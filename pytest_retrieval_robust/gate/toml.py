"""The `[[gate]]` tables of a `robust.toml`, read strictly: whatever is wrong is an
error with its file and line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.catalogue import unknown_name
from ..core.config_file import ConfigFile
from ..core.errors import ConfigError
from .decision import ATTEMPTS
from .policy import Policy
from .rules import DEFAULTS, Rule, SettingName
from .toml_limits import LIMIT_KEYS, limits_of
from .toml_selectors import SELECTOR_KEYS, check_judgeable, selection_of
from .toml_values import Wrong, is_number

KEYS = tuple(str(key) for key in (*SELECTOR_KEYS, *LIMIT_KEYS, *DEFAULTS))
"""Every key that a `[[gate]]` table may have."""


def read_policy(config_file: ConfigFile | None) -> Policy:
    """The policy of a `robust.toml`; `ConfigError` with the line of whatever is wrong."""
    if config_file is None:
        return Policy()
    rules = tuple(
        _rule(config_file, index, table)
        for index, table in enumerate(config_file.gates)
    )
    return Policy(rules, tuple(dict(table) for table in config_file.gates))


def _rule(config_file: ConfigFile, index: int, table: Mapping[str, Any]) -> Rule:
    def wrong(key: str, expected: str) -> ConfigError:
        line = config_file.gate_place(index, key)
        return ConfigError(
            f"{line}: expected {expected}, got {key}={table[key]!r}. Fix the gate."
        )

    for key in table:
        if key not in KEYS:
            line = config_file.gate_place(index, key)
            raise ConfigError(f"{line}: {unknown_name('gate key', key, KEYS)}")
    selection = selection_of(table, wrong)
    limits = tuple(limits_of(table, wrong))
    check_judgeable(table, selection, limits, wrong)
    return Rule(
        place=config_file.gate_place(index),
        model=selection.model,
        dataset=selection.dataset,
        occluder=selection.perturbation,
        level=selection.level,
        direction=selection.direction,
        limits=limits,
        settings=_settings(table, wrong),
        named_family=selection.named_family,
    )


def _settings(table: Mapping[str, Any], wrong: Wrong) -> dict[SettingName, Any]:
    settings = {name: table[name] for name in DEFAULTS if name in table}
    if settings.get("decide", "point") not in ("point", "bound"):
        raise wrong("decide", '"point" or "bound"')
    if settings.get("inconclusive", "fail") not in ("fail", "allow"):
        raise wrong("inconclusive", '"fail" or "allow"')
    if settings.get("too_small", "ignore") not in ("inconclusive", "ignore"):
        raise wrong("too_small", '"inconclusive" or "ignore", of groups')
    if not isinstance(settings.get("hardware", ""), str):
        raise wrong("hardware", "the name of a processor or GPU, or a glob, in quotes")
    if settings.get("attempts", "count") not in ATTEMPTS:
        raise wrong(
            "attempts",
            '"count" (each attempt against one saved run has the whole error) or'
            ' "spend" (all of them share it)',
        )
    confidence = settings.get("confidence", 0.95)
    if not (is_number(confidence) and 0.5 < confidence < 1):
        is_percent = is_number(confidence) and 50 < confidence < 100
        hint = f" (did you mean {confidence / 100:g}?)" if is_percent else ""
        raise wrong("confidence", f"a share above 0.5 and below 1, such as 0.95{hint}")
    return settings
