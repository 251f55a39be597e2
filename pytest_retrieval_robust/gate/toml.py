"""The `[[gate]]` tables of a `robust.toml`, read strictly: whatever is wrong is an
error with its file and line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

from ..core.cases import DIRECTIONS, canonical_level
from ..core.catalogue import unknown_name
from ..core.config_file import ConfigFile
from ..core.errors import ConfigError
from ..core.verdict import METRICS, OVERS, GateKind
from .limits import (
    BaselineLimit,
    BreakingLimit,
    Ceiling,
    Floor,
    HardwareLimit,
    Limit,
    MetricFloor,
    RelativeLimit,
)
from .policy import Policy
from .rules import DEFAULTS, Rule, SettingName

_SELECTORS = ("model", "dataset", "occluder")
_SHARES = (GateKind.RECALL, GateKind.RETENTION, GateKind.AUC, GateKind.HALF_LEVEL)
"""Limits given as `{ k = floor }`, each floor a share in [0, 1]."""
_LATENCIES = {"p50": GateKind.LATENCY_P50, "p95": GateKind.LATENCY_P95}
_NUMBERS = (
    GateKind.RELATIVE_COST,
    GateKind.IMAGES_PER_SECOND,
    GateKind.PEAK_MEMORY_GIB,
)
_TABLES = (
    GateKind.METRIC,
    GateKind.SLOPE,
    "latency",
    GateKind.COST_RELATIVE_TO,
    GateKind.BREAKING_SHARE,
    GateKind.BASELINE,
)
KEYS = tuple(
    str(key)
    for key in (
        *_SELECTORS,
        "level",
        "direction",
        *_SHARES,
        *_NUMBERS,
        *_TABLES,
        *DEFAULTS,
    )
)
"""Every key that a `[[gate]]` table may have."""
_Wrong = Callable[[str, str], ConfigError]
"""The error of (key, what was expected), with the line of that key."""


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
    _check_selectors(table, wrong)
    level = table.get("level")
    limits = tuple(_limits(table, wrong))
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
    level = table.get("level", 0)
    if not (_is_number(level) and 0 <= level <= 1):
        raise wrong("level", "a fraction of the image area from 0 to 1")


def _check_judgeable(
    table: Mapping[str, Any], limits: tuple[Limit, ...], wrong: _Wrong
) -> None:
    """Refuse what could never be judged."""
    if table and set(table) <= {*_SELECTORS, "level", "direction"}:
        raise wrong(
            next(iter(table)),
            "a limit such as recall = { 10 = 0.5 }, or a setting such as decide,"
            " beside its selectors",
        )
    kinds = [limit.key.kind for limit in limits]
    if table.get("level") == 0:
        for kind in (GateKind.RETENTION, GateKind.RELATIVE_COST):
            if kind in kinds:
                raise wrong(
                    "level",
                    f"a level above 0 beside {kind}, which compares with level 0",
                )
    keys = [limit.key for limit in limits]
    without_direction = [
        key.kind for key in keys if key.k is None and key.kind is not GateKind.METRIC
    ]
    if table.get("direction") == DIRECTIONS[1] and without_direction:
        raise wrong(
            "direction",
            f"no direction, or {DIRECTIONS[0]}, beside {without_direction[0]}",
        )


def _limits(table: Mapping[str, Any], wrong: _Wrong) -> Iterator[Limit]:
    for kind in (*_SHARES, GateKind.SLOPE):
        if kind in table:
            yield from _floors(kind, table[kind], wrong)
    if GateKind.METRIC in table:
        yield from _metric_floors(table[GateKind.METRIC], wrong)
    for kind in _NUMBERS:
        if kind in table:
            yield _number(kind, table[kind], wrong)
    if "latency" in table:
        yield from _latency(table["latency"], wrong)
    if GateKind.COST_RELATIVE_TO in table:
        yield _relative(table[GateKind.COST_RELATIVE_TO], wrong)
    if GateKind.BREAKING_SHARE in table:
        yield _breaking(table[GateKind.BREAKING_SHARE], wrong)
    if GateKind.BASELINE in table:
        yield _baseline(table[GateKind.BASELINE], wrong)


def _floors(kind: GateKind, floors: Any, wrong: _Wrong) -> Iterator[Floor]:
    if not (isinstance(floors, dict) and floors):
        raise wrong(kind, "floors by k such as { 1 = 0.15, 10 = 0.45 }")
    is_slope = kind is GateKind.SLOPE
    for k, floor in floors.items():
        # A slope falls, so that its floor lies below 0; all others are shares.
        lowest = -math.inf if is_slope else 0
        highest = math.inf if is_slope else 1
        fits = _is_finite(floor) and lowest <= floor <= highest
        if not (re.fullmatch("[1-9][0-9]*", str(k)) and fits):
            expected = "finite floors" if is_slope else "floors from 0 to 1"
            raise wrong(kind, f"whole k from 1 and {expected}")
        yield Floor(kind, int(k), float(floor))


def _metric_floors(floors: Any, wrong: _Wrong) -> Iterator[MetricFloor]:
    """Whether the names are those of metrics is checked once the catalogue is known."""
    if not (isinstance(floors, dict) and floors):
        raise wrong(
            GateKind.METRIC, 'floors by metric such as { "hit-rate(k=3)" = 0.5 }'
        )
    for name, floor in floors.items():
        # Metrics have scales of their own: any number may be a floor.
        if not _is_finite(floor):
            raise wrong(GateKind.METRIC, "finite floors")
        yield MetricFloor(name, float(floor))


def _number(kind: GateKind, value: Any, wrong: _Wrong) -> Ceiling | HardwareLimit:
    if not (_is_finite(value) and value > 0):
        raise wrong(kind, "a finite number above 0")
    if kind is GateKind.RELATIVE_COST:
        return Ceiling(float(value))
    return HardwareLimit(kind, float(value))


def _latency(value: Any, wrong: _Wrong) -> Iterator[HardwareLimit]:
    if not (isinstance(value, dict) and value and set(value) <= set(_LATENCIES)):
        raise wrong("latency", "{ p50 = SECONDS, p95 = SECONDS }, or one of the two")
    if not all(_is_finite(seconds) and seconds > 0 for seconds in value.values()):
        raise wrong("latency", "finite seconds above 0")
    for quantile, seconds in value.items():
        yield HardwareLimit(_LATENCIES[quantile], float(seconds))


def _relative(value: Any, wrong: _Wrong) -> RelativeLimit:
    key = GateKind.COST_RELATIVE_TO
    if not (
        isinstance(value, dict)
        and set(value) == {"model", "max"}
        and isinstance(value["model"], str)
    ):
        raise wrong(key, '{ model = "NAME", max = NUMBER }')
    if not (_is_finite(value["max"]) and value["max"] > 0):
        raise wrong(key, "a finite max above 0")
    return RelativeLimit(value["model"], float(value["max"]))


def _breaking(value: Any, wrong: _Wrong) -> BreakingLimit:
    key = GateKind.BREAKING_SHARE
    if not _has_keys(value, {"k", "quantile", "min"}, {"images", "grid"}):
        raise wrong(
            key,
            "{ k = 10, quantile = 0.05, min = 0.03 }, with images and grid if need be",
        )
    for name, least in (("k", 1), ("images", 1), ("grid", 2)):
        if name in value and not _is_whole(value[name], least):
            raise wrong(key, f"a whole {name} from {least}")
    if not (_is_number(value["quantile"]) and _is_number(value["min"])):
        raise wrong(key, "numbers for quantile and min")
    if not (0 < value["quantile"] < 1 and 0 <= value["min"] <= 1):
        raise wrong(key, "a quantile above 0 and below 1, and a min from 0 to 1")
    return BreakingLimit(
        value["k"],
        float(value["quantile"]),
        float(value["min"]),
        value.get("images"),
        value.get("grid"),
    )


def _baseline(value: Any, wrong: _Wrong) -> BaselineLimit:
    key = GateKind.BASELINE
    if not _has_keys(value, {"k", "margin"}, {"over", "metric"}):
        raise wrong(
            key,
            '{ k = 10, margin = 0.02 }, with over = "cells" or a metric if need be',
        )
    if not _is_whole(value["k"], 1):
        raise wrong(key, "a whole k from 1")
    if not (_is_number(value["margin"]) and 0 <= value["margin"] < 1):
        raise wrong(
            key, "a margin from 0 and below 1: the largest loss that is allowed"
        )
    over = value.get("over", "levels")
    metric = value.get("metric", "recall")
    if over not in OVERS:
        raise wrong(
            key, 'over = "levels" (all of them pooled) or "cells" (each on its own)'
        )
    if metric not in METRICS:
        raise wrong(key, f"metric to be one of {', '.join(METRICS)}")
    if over == "cells" and metric in ("auc", "half_level"):
        raise wrong(
            key, f'over = "levels" for {metric}, which is one number for all of them'
        )
    return BaselineLimit(value["k"], float(value["margin"]), over, metric)


def _settings(table: Mapping[str, Any], wrong: _Wrong) -> dict[SettingName, Any]:
    settings = {name: table[name] for name in DEFAULTS if name in table}
    if settings.get("decide", "point") not in ("point", "bound"):
        raise wrong("decide", '"point" or "bound"')
    if settings.get("inconclusive", "fail") not in ("fail", "allow"):
        raise wrong("inconclusive", '"fail" or "allow"')
    if not isinstance(settings.get("hardware", ""), str):
        raise wrong("hardware", "the name of a processor or GPU, or a glob, in quotes")
    confidence = settings.get("confidence", 0.95)
    if not (_is_number(confidence) and 0.5 < confidence < 1):
        is_percent = _is_number(confidence) and 50 < confidence < 100
        hint = f" (did you mean {confidence / 100:g}?)" if is_percent else ""
        raise wrong("confidence", f"a share above 0.5 and below 1, such as 0.95{hint}")
    return settings


def _has_keys(value: object, needed: set[str], optional: set[str]) -> bool:
    """Whether `value` is a table that has every key it needs, and no unknown one."""
    return isinstance(value, dict) and needed <= set(value) <= needed | optional


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: object) -> TypeGuard[float]:
    return _is_number(value) and math.isfinite(value)


def _is_whole(value: object, least: int) -> bool:
    return type(value) is int and value >= least
