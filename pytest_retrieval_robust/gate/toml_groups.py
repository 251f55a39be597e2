"""The limits of a `[[gate]]` table on groups of a stratum, read strictly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..core.verdict import GateKind
from .group_limit import GroupLimit
from .toml_values import Wrong, has_keys, is_number, is_whole

GROUP_KEYS = (GateKind.WORST_GROUP, GateKind.GROUP_GAP)
"""Every key that states such a limit."""
_FORMS = {
    GateKind.WORST_GROUP: ("min", '{ strata = "view", k = 10, min = 0.3 }'),
    GateKind.GROUP_GAP: ("max", '{ strata = "sex", k = 10, max = 0.05 }'),
}
"""How the limit itself is called, and an example."""


def group_limits(table: Mapping[str, Any], wrong: Wrong) -> Iterator[GroupLimit]:
    """Those that a table states: one per key, or a list of them for several strata."""
    for kind in GROUP_KEYS:
        if kind not in table:
            continue
        stated = table[kind]
        limits = [
            _limit(kind, each, wrong)
            for each in (stated if isinstance(stated, list) else [stated])
        ]
        if not limits or len({limit.key for limit in limits}) < len(limits):
            raise wrong(kind, "a limit, or a list of them with each strata and k once")
        yield from limits


def _limit(kind: GateKind, value: Any, wrong: Wrong) -> GroupLimit:
    word, example = _FORMS[kind]
    if not has_keys(value, {"strata", "k", word}, set()):
        raise wrong(kind, f"{example}, or a list of these")
    if not is_whole(value["k"], 1):
        raise wrong(kind, "a whole k from 1")
    limit = value[word]
    # A gap of 1 is what any model has at most.
    is_share = is_number(limit) and 0 <= limit <= 1
    if not is_share or (kind is GateKind.GROUP_GAP and limit == 1):
        expected = "a min from 0 to 1"
        if kind is GateKind.GROUP_GAP:
            expected = "a max from 0 and below 1: the largest gap that is allowed"
        raise wrong(kind, expected)
    stratum = stratum_of(kind, value["strata"], wrong)
    return GroupLimit(kind, stratum, value["k"], float(limit))


def stratum_of(key: str, value: Any, wrong: Wrong) -> str:
    """The name of a stratum."""
    if not (isinstance(value, str) and value and value == " ".join(value.split())):
        raise wrong(key, 'the name of one stratum, such as strata = "view"')
    return value
