"""The limits that a `[[gate]]` table states, read strictly."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..core.catalogue import is_glob
from ..core.roles import Role
from ..core.verdict import METRICS, OVERS, GateKind
from ..core.words import hint_at_share, in_parentheses
from .decision import ATTEMPTS
from .limits import (
    BaselineLimit,
    BreakingLimit,
    Ceiling,
    CounterfactualFloor,
    DistractorFloor,
    DriftLimit,
    EditLimit,
    Floor,
    HardwareLimit,
    Limit,
    MetricFloor,
    RelativeLimit,
)
from .toml_errors import ERROR_KEYS, error_limits
from .toml_groups import GROUP_KEYS, group_limits, stratum_of
from .toml_values import Wrong, has_keys, is_finite, is_number, is_whole

SHARES = (GateKind.RECALL, GateKind.RETENTION, GateKind.AUC, GateKind.HALF_LEVEL)
"""Limits given as `{ k = floor }`, each floor a share in [0, 1]."""
NUMBERS = (
    GateKind.RELATIVE_COST,
    GateKind.IMAGES_PER_SECOND,
    GateKind.PEAK_MEMORY_GIB,
)
BESIDE_SAVED_RUNS = {
    GateKind.BASELINE: Role.BASELINE,
    GateKind.REFERENCE: Role.REFERENCE,
}
"""Limits of the loss beside a saved run, with the run's role."""
_LATENCIES = {"p50": GateKind.LATENCY_P50, "p95": GateKind.LATENCY_P95}
LIMIT_KEYS: tuple[str, ...] = (
    *SHARES,
    *NUMBERS,
    GateKind.METRIC,
    GateKind.SLOPE,
    "latency",
    GateKind.COST_RELATIVE_TO,
    GateKind.BREAKING_SHARE,
    GateKind.COUNTERFACTUAL,
    GateKind.DISTRACTOR_RECALL,
    *GROUP_KEYS,
    *BESIDE_SAVED_RUNS,
    GateKind.DRIFT,
    *ERROR_KEYS,
)
"""Every key that states a limit."""


def limits_of(table: Mapping[str, Any], wrong: Wrong) -> Iterator[Limit]:
    """Every limit that a table states."""
    for kind in (*SHARES, GateKind.SLOPE):
        if kind in table:
            yield from _floors(kind, table[kind], wrong)
    if GateKind.METRIC in table:
        yield from _metric_floors(table[GateKind.METRIC], wrong)
    for kind in NUMBERS:
        if kind in table:
            yield _number(kind, table[kind], wrong)
    if "latency" in table:
        yield from _latency(table["latency"], wrong)
    if GateKind.COST_RELATIVE_TO in table:
        yield _relative(table[GateKind.COST_RELATIVE_TO], wrong)
    if GateKind.BREAKING_SHARE in table:
        yield _breaking(table[GateKind.BREAKING_SHARE], wrong)
    if GateKind.COUNTERFACTUAL in table:
        yield from _counterfactuals(table[GateKind.COUNTERFACTUAL], wrong)
    if GateKind.DISTRACTOR_RECALL in table:
        yield _distractors(table[GateKind.DISTRACTOR_RECALL], wrong)
    for kind in BESIDE_SAVED_RUNS:
        if kind in table:
            yield from _all_beside(kind, table[kind], wrong)
    if GateKind.DRIFT in table:
        yield _drift(table, wrong)
    yield from group_limits(table, wrong)
    yield from error_limits(table, wrong)


_LIKELY_PERCENTAGE = 10
"""A floor from here on was meant in %."""


def _floors(kind: GateKind, floors: Any, wrong: Wrong) -> Iterator[Floor]:
    if not (isinstance(floors, dict) and floors):
        raise wrong(kind, "floors by k such as { 1 = 0.15, 10 = 0.45 }")
    is_slope = kind is GateKind.SLOPE
    for k, floor in floors.items():
        # A slope falls, so that its floor lies below 0; all others are shares.
        lowest = -math.inf if is_slope else 0
        highest = math.inf if is_slope else 1
        fits = is_finite(floor) and lowest <= floor <= highest
        if not (re.fullmatch("[1-9][0-9]*", str(k)) and fits):
            expected = "finite floors" if is_slope else "floors from 0 to 1"
            # A share of 1.5 is a slip of another kind.
            if not is_slope and is_finite(floor) and floor >= _LIKELY_PERCENTAGE:
                expected += in_parentheses(hint_at_share(floor))
            raise wrong(kind, f"whole k from 1 and {expected}")
        yield Floor(kind, int(k), float(floor))


def _metric_floors(floors: Any, wrong: Wrong) -> Iterator[MetricFloor]:
    """Whether the names are those of metrics is checked once the catalogue is known."""
    if not (isinstance(floors, dict) and floors):
        raise wrong(
            GateKind.METRIC, 'floors by metric such as { "hit-rate(k=3)" = 0.5 }'
        )
    for name, floor in floors.items():
        # Metrics have scales of their own: any number may be a floor.
        if not is_finite(floor):
            raise wrong(GateKind.METRIC, "finite floors")
        yield MetricFloor(name, float(floor))


def _number(kind: GateKind, value: Any, wrong: Wrong) -> Ceiling | HardwareLimit:
    if not (is_finite(value) and value > 0):
        raise wrong(kind, "a finite number above 0")
    if kind is GateKind.RELATIVE_COST:
        return Ceiling(float(value))
    return HardwareLimit(kind, float(value))


def _latency(value: Any, wrong: Wrong) -> Iterator[HardwareLimit]:
    if not (isinstance(value, dict) and value and set(value) <= set(_LATENCIES)):
        raise wrong("latency", "{ p50 = SECONDS, p95 = SECONDS }, or one of the two")
    if not all(is_finite(seconds) and seconds > 0 for seconds in value.values()):
        raise wrong("latency", "finite seconds above 0")
    for quantile, seconds in value.items():
        yield HardwareLimit(_LATENCIES[quantile], float(seconds))


def _relative(value: Any, wrong: Wrong) -> RelativeLimit:
    key = GateKind.COST_RELATIVE_TO
    if not (
        isinstance(value, dict)
        and set(value) == {"model", "max"}
        and isinstance(value["model"], str)
    ):
        raise wrong(key, '{ model = "NAME", max = NUMBER }')
    if not (is_finite(value["max"]) and value["max"] > 0):
        raise wrong(key, "a finite max above 0")
    return RelativeLimit(value["model"], float(value["max"]))


def _breaking(value: Any, wrong: Wrong) -> BreakingLimit:
    key = GateKind.BREAKING_SHARE
    if not has_keys(value, {"k", "quantile", "min"}, {"images", "grid"}):
        raise wrong(
            key,
            "{ k = 10, quantile = 0.05, min = 0.03 }, with images and grid if need be",
        )
    for name, least in (("k", 1), ("images", 1), ("grid", 2)):
        if name in value and not is_whole(value[name], least):
            raise wrong(key, f"a whole {name} from {least}")
    if not (is_number(value["quantile"]) and is_number(value["min"])):
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


def _counterfactuals(value: Any, wrong: Wrong) -> Iterator[EditLimit]:
    """One floor, or a list of them for several kinds of edits."""
    key = GateKind.COUNTERFACTUAL
    floors = value if isinstance(value, list) else [value]
    if not floors:
        raise wrong(key, '{ kind = "negation", min = 0.7 }, or a list of these')
    kinds: set[str | None] = set()
    for floor in floors:
        if not has_keys(floor, {"min"}, {"kind"}):
            raise wrong(
                key, '{ kind = "negation", min = 0.7 }, without kind for all kinds'
            )
        kind = floor.get("kind")
        if "kind" in floor and not (isinstance(kind, str) and kind.strip()):
            raise wrong(key, "a kind of edits or a glob, in quotes")
        if kind in kinds:
            raise wrong(key, "each kind once")
        kinds.add(kind)
        yield CounterfactualFloor(kind, _share(floor["min"], key, wrong))


def _distractors(value: Any, wrong: Wrong) -> DistractorFloor:
    key = GateKind.DISTRACTOR_RECALL
    if not has_keys(value, {"k", "min"}, set()):
        raise wrong(key, "{ k = 10, min = 0.4 }")
    if not is_whole(value["k"], 1):
        raise wrong(key, "a whole k from 1")
    return DistractorFloor(value["k"], _share(value["min"], key, wrong))


def _share(value: Any, key: str, wrong: Wrong) -> float:
    if not (is_number(value) and 0 <= value <= 1):
        raise wrong(key, "a min from 0 to 1")
    return float(value)


def _all_beside(key: GateKind, value: Any, wrong: Wrong) -> Iterator[BaselineLimit]:
    """One limit, or a list of them for several strata, metrics or k."""
    limits = [
        _beside(key, each, wrong)
        for each in (value if isinstance(value, list) else [value])
    ]
    if not limits or len({limit.key for limit in limits}) < len(limits):
        raise wrong(
            key,
            "a limit, or a list of them with each k, over, metric and strata once",
        )
    yield from limits


def _beside(key: GateKind, value: Any, wrong: Wrong) -> BaselineLimit:
    """No loss beyond a margin beside a saved run."""
    may_have = {"over", "metric", "strata", "attempts"}
    if not has_keys(value, {"k", "margin"}, may_have):
        raise wrong(
            key,
            '{ k = 10, margin = 0.02 }, with over = "cells", a metric, strata or'
            ' attempts = "spend" if need be',
        )
    if not is_whole(value["k"], 1):
        raise wrong(key, "a whole k from 1")
    if not (is_number(value["margin"]) and 0 <= value["margin"] < 1):
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
    stratum = None
    if "strata" in value:
        stratum = stratum_of(key, value["strata"], wrong)
    attempts = value.get("attempts")
    if attempts not in (None, *ATTEMPTS):
        raise wrong(key, f"attempts to be one of {', '.join(ATTEMPTS)}")
    return BaselineLimit(
        value["k"],
        float(value["margin"]),
        over,
        metric,
        stratum,
        BESIDE_SAVED_RUNS[key],
        attempts,
    )


def _drift(table: Mapping[str, Any], wrong: Wrong) -> DriftLimit:
    key = GateKind.DRIFT
    value = table[key]
    if not has_keys(value, {"max"}, {"file"}):
        raise wrong(
            key, '{ max = 1e-3 }, with file = "fingerprints/NAME.json" if need be'
        )
    if not (is_finite(value["max"]) and 0 <= value["max"] < 2):
        raise wrong(key, "a max from 0 and below 2: a difference of cosines from 1")
    file = value.get("file")
    if "file" in value and not (isinstance(file, str) and file.strip()):
        raise wrong(key, "a file in quotes")
    model = table.get("model")
    names_model = isinstance(model, str) and not is_glob(model)
    # A fingerprint is of one model.
    if file is not None and not names_model:
        raise wrong(key, "file beside the name of one model alone (model, no glob)")
    return DriftLimit(float(value["max"]), file, is_named=names_model)
