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
    """Those that a table states, of the perturbations that it names."""
    stated = [kind for kind in ERROR_KEYS if kind in table]
    if not stated:
        return
    named = [key for key in FAMILY_KEYS if key in table]
    # Elsewhere a table without a name is about occlusions: here that would surprise.
    if not named:
        raise wrong(
            stated[0],
            f"the perturbations that {stated[0]} is about beside it (write corruption ="
            ' "*", occluder = "*" or text_noise = "*")',
        )
    for word in ("level", "severity"):
        if word in table:
            raise wrong(
                word,
                f"no {word} beside {stated[0]}, which is over all of them: put what"
                f" holds at one {word} into a table of its own",
            )
    of = PerturbationSet(FAMILY_KEYS[named[0]], table[named[0]])
    for kind in stated:
        yield _limit(kind, table[kind], of, wrong)


def _limit(kind: GateKind, value: Any, of: PerturbationSet, wrong: Wrong) -> ErrorLimit:
    if not has_keys(value, {"k", "max"}, set()):
        raise wrong(kind, "{ k = 10, max = 1.05 }")
    if not is_whole(value["k"], 1):
        raise wrong(kind, "a whole k from 1")
    if not (is_finite(value["max"]) and value["max"] > 0):
        raise wrong(kind, "a finite max above 0: a multiple of the baseline's errors")
    return ErrorLimit(kind, value["k"], float(value["max"]), of)
