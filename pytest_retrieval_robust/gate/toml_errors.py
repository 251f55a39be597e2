"""The limits of a `[[gate]]` table on corruption errors, read strictly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..core.verdict import GateKind
from .corruption_error import ErrorLimit
from .perturbed import PerturbationSet
from .toml_selectors import FAMILY_KEYS
from .toml_values import Wrong, has_keys, is_finite, is_whole

ERROR_KEYS = (GateKind.MCE, GateKind.RELATIVE_MCE, GateKind.WORST_CE)
"""Every key that states such a limit."""


def error_limits(table: Mapping[str, Any], wrong: Wrong) -> Iterator[ErrorLimit]:
    """Those that a table states. One that names no perturbation means all corruptions."""
    of = PerturbationSet()
    for selector, family in FAMILY_KEYS.items():
        if selector in table:
            of = PerturbationSet(family, table[selector])
    for kind in ERROR_KEYS:
        if kind in table:
            yield _limit(kind, table[kind], of, wrong)


def _limit(kind: GateKind, value: Any, of: PerturbationSet, wrong: Wrong) -> ErrorLimit:
    if not has_keys(value, {"k", "max"}, set()):
        raise wrong(kind, "{ k = 10, max = 1.05 }")
    if not is_whole(value["k"], 1):
        raise wrong(kind, "a whole k from 1")
    if not (is_finite(value["max"]) and value["max"] > 0):
        raise wrong(kind, "a finite max above 0: a multiple of the baseline's errors")
    return ErrorLimit(kind, value["k"], float(value["max"]), of)
