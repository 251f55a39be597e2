"""Checks of an occluder's parameters, in one wording."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.errors import OcclusionError
from ..core.words import close_words, did_you_mean


def check_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Raise `OcclusionError` unless `value` is a whole number from `least` to `most`."""
    fits = (
        isinstance(value, int)
        and not isinstance(value, bool)
        and value >= least
        and (most is None or value <= most)
    )
    if fits:
        return
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise OcclusionError(
        f"Expected {name} {limits}, got {name}={value!r}. Give a whole number, or omit"
        " it for the default."
    )


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise `OcclusionError`, which suggests the closest choice, unless `value` is one."""
    if value in choices:
        return
    hint = did_you_mean(close_words(str(value), choices)) or "Choose one of them."
    raise OcclusionError(
        f"Expected {name} out of {', '.join(choices)}, got {name}={value!r}. {hint}"
    )
