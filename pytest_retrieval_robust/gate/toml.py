"""The `[[gate]]` tables of a `robust.toml`, read strictly: whatever is wrong is an
error with its file and line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..core.cases import DIRECTIONS, canonical_level
from ..core.catalogue import unknown_name
from ..core.config_file import ConfigFile
from ..core.errors import ConfigError
from .policy import (
    BASELINE,
    DEFAULTS,
    BaselineLimit,
    BreakingLimit,
    Key,
    Policy,
    RelativeLimit,
    Rule,
)

_SELECTORS = ("model", "dataset", "occluder")
_FLOORS = ("recall", "retention", "auc", "half_level")
"""Limits given as `{ k = floor }`, each floor a share in [0, 1]."""
_NUMBERS = ("relative_cost", "images_per_second", "peak_memory_gib")
_TABLES = ("slope", "latency", "cost_relative_to", "breaking_share", BASELINE)
_KEYS = (*_SELECTORS, "level", "direction", *_FLOORS, *_NUMBERS, *_TABLES, *DEFAULTS)
_METRICS = ("recall", "retention", "auc", "half_level")
_Wrong = Callable[[str, str], ConfigError]


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
        place = config_file.gate_place(index, key)
        return ConfigError(
            f"{place}: expected {expected}, got {key}={table[key]!r}. Mend the gate."
        )

    for key in table:
        if key not in _KEYS:
            raise ConfigError(
                f"{config_file.gate_place(index, key)}:"
                f" {unknown_name('gate key', key, _KEYS)}"
            )
    _check_selectors(table, wrong)
    level, limits = table.get("level"), _limits(table, wrong)
    _check_judgeable(table, limits, wrong)
    return Rule(
        place=config_file.gate_place(index),
        model=table.get("model"),
        dataset=table.get("dataset"),
        occluder=table.get("occluder"),
        level=None if level is None else canonical_level(level),
        direction=table.get("direction"),
        limits=limits,
        settings=_settings(table, wrong),
    )


def _check_selectors(table: Mapping[str, Any], wrong: _Wrong) -> None:
    for key in _SELECTORS:
        if not isinstance(table.get(key, ""), str):
            raise wrong(key, "a name or glob in quotes")
    if table.get("direction", DIRECTIONS[0]) not in DIRECTIONS:
        raise wrong("direction", " or ".join(DIRECTIONS))
    if "level" in table and not (
        _is_number(table["level"]) and 0 <= table["level"] <= 1
    ):
        raise wrong("level", "a fraction of the image area from 0 to 1")


def _check_judgeable(
    table: Mapping[str, Any], limits: Mapping[Key, Any], wrong: _Wrong
) -> None:
    """Refuse what could never be judged."""
    if set(table) <= {*_SELECTORS, "level", "direction"}:
        first = next(iter(table), None)
        if first is not None:
            raise wrong(
                first,
                "a limit such as recall = { 10 = 0.5 }, or a setting such as decide,"
                " beside its selectors",
            )
    names = [name for name, _ in limits]
    if table.get("level") == 0:
        for name in (name for name in ("retention", "relative_cost") if name in names):
            raise wrong(
                "level", f"a level above 0 beside {name}, which compares with level 0"
            )
    one_way = [name for name, k in limits if k is None]
    if table.get("direction") == DIRECTIONS[1] and one_way:
        raise wrong(
            "direction", f"no direction, or {DIRECTIONS[0]}, beside {one_way[0]}"
        )


def _limits(table: Mapping[str, Any], wrong: _Wrong) -> dict[Key, Any]:
    found: dict[Key, Any] = {}
    for name in (name for name in (*_FLOORS, "slope") if name in table):
        found |= _floors(name, table, wrong)
    for name in (name for name in _NUMBERS if name in table):
        if not (_is_number(table[name]) and 0 < table[name] < math.inf):
            raise wrong(name, "a finite number above 0")
        found[name, None] = float(table[name])
    for name, read in (
        ("latency", _latency),
        ("cost_relative_to", _relative),
        ("breaking_share", _breaking),
    ):
        if name in table:
            found |= read(table[name], wrong)
    if BASELINE in table:
        limit = _baseline(table[BASELINE], wrong)
        found[limit.name, limit.k] = limit
    return found


def _floors(name: str, table: Mapping[str, Any], wrong: _Wrong) -> dict[Key, Any]:
    if not (isinstance(table[name], dict) and table[name]):
        raise wrong(name, "floors by k such as { 1 = 0.15, 10 = 0.45 }")
    found: dict[Key, Any] = {}
    for k, floor in table[name].items():
        fits = _is_number(floor) and (
            math.isfinite(floor) if name == "slope" else 0 <= floor <= 1
        )
        if not (re.fullmatch("[1-9][0-9]*", str(k)) and fits):
            kind = "finite floors" if name == "slope" else "floors from 0 to 1"
            raise wrong(name, f"whole k from 1 and {kind}")
        found[name, int(k)] = float(floor)
    return found


def _latency(value: Any, wrong: _Wrong) -> dict[Key, Any]:
    if not (isinstance(value, dict) and value and set(value) <= {"p50", "p95"}):
        raise wrong("latency", "{ p50 = SECONDS, p95 = SECONDS }, or one of the two")
    if not all(
        _is_number(seconds) and 0 < seconds < math.inf for seconds in value.values()
    ):
        raise wrong("latency", "finite seconds above 0")
    return {
        (f"latency_{quantile}", None): float(seconds)
        for quantile, seconds in value.items()
    }


def _relative(value: Any, wrong: _Wrong) -> dict[Key, Any]:
    if not (
        isinstance(value, dict)
        and set(value) == {"model", "max"}
        and isinstance(value["model"], str)
    ):
        raise wrong("cost_relative_to", '{ model = "NAME", max = NUMBER }')
    if not (_is_number(value["max"]) and 0 < value["max"] < math.inf):
        raise wrong("cost_relative_to", "a finite max above 0")
    return {
        ("cost_relative_to", None): RelativeLimit(value["model"], float(value["max"]))
    }


def _breaking(value: Any, wrong: _Wrong) -> dict[Key, Any]:
    needed, free = {"k", "quantile", "min"}, {"images", "grid"}
    if not (isinstance(value, dict) and needed <= set(value) <= needed | free):
        raise wrong(
            "breaking_share",
            "{ k = 10, quantile = 0.05, min = 0.03 }, with images and grid if need be",
        )
    for name, least in (("k", 1), ("images", 1), ("grid", 2)):
        if name in value and not _is_whole(value[name], least):
            raise wrong("breaking_share", f"a whole {name} from {least}")
    if not all(_is_number(value[name]) for name in ("quantile", "min")):
        raise wrong("breaking_share", "numbers for quantile and min")
    if not (0 < value["quantile"] < 1 and 0 <= value["min"] <= 1):
        raise wrong(
            "breaking_share", "a quantile above 0 and below 1, and a min from 0 to 1"
        )
    limit = BreakingLimit(
        value["k"],
        float(value["quantile"]),
        float(value["min"]),
        value.get("images"),
        value.get("grid"),
    )
    return {("breaking_share", None): limit}


def _baseline(value: Any, wrong: _Wrong) -> BaselineLimit:
    needed, free = {"k", "margin"}, {"over", "metric"}
    if not (isinstance(value, dict) and needed <= set(value) <= needed | free):
        raise wrong(
            BASELINE,
            '{ k = 10, margin = 0.02 }, with over = "cells" or a metric if need be',
        )
    if not _is_whole(value["k"], 1):
        raise wrong(BASELINE, "a whole k from 1")
    if not (_is_number(value["margin"]) and 0 <= value["margin"] < 1):
        raise wrong(
            BASELINE, "a margin from 0 and below 1: the loss that may be taken for none"
        )
    over, metric = value.get("over", "levels"), value.get("metric", "recall")
    if over not in ("levels", "cells"):
        raise wrong(
            BASELINE,
            'over = "levels" (all of them pooled) or "cells" (each on its own)',
        )
    if metric not in _METRICS:
        raise wrong(BASELINE, f"metric to be one of {', '.join(_METRICS)}")
    if over == "cells" and metric in ("auc", "half_level"):
        raise wrong(
            BASELINE,
            f'over = "levels" for {metric}, which is one number for all of them',
        )
    return BaselineLimit(value["k"], float(value["margin"]), over, metric)


def _settings(table: Mapping[str, Any], wrong: _Wrong) -> dict[str, Any]:
    found = {name: table[name] for name in DEFAULTS if name in table}
    if found.get("decide", "point") not in ("point", "bound"):
        raise wrong("decide", '"point" or "bound"')
    if found.get("inconclusive", "fail") not in ("fail", "allow"):
        raise wrong("inconclusive", '"fail" or "allow"')
    if not isinstance(found.get("hardware", ""), str):
        raise wrong("hardware", "the name of a processor or GPU, or a glob, in quotes")
    confidence = found.get("confidence", 0.95)
    if not (_is_number(confidence) and 0.5 < confidence < 1):
        percent = _is_number(confidence) and 50 < confidence < 100
        hint = f" (did you mean {confidence / 100:g}?)" if percent else ""
        raise wrong("confidence", f"a share above 0.5 and below 1, such as 0.95{hint}")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object, least: int) -> bool:
    return type(value) is int and value >= least
