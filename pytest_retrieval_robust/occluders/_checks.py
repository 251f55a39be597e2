"""Checks of what occluders are given, in one wording."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ..core.errors import OcclusionError


def check_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Raise `OcclusionError` where `value` is not a whole number from `least` to `most`
    (None: of any size).
    """
    fits = (
        isinstance(value, int)
        and not isinstance(value, bool)
        and value >= least
        and (most is None or value <= most)
    )
    if not fits:
        reach = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise OcclusionError(
            f"Expected {name} {reach}, got {name}={value!r}. Give a whole number, or"
            " leave it out."
        )


def check_choice(name: str, value: object, known: Sequence[str]) -> None:
    """Raise `OcclusionError`, which says what is close, where `value` is not one of `known`."""
    if value in known:
        return
    close = difflib.get_close_matches(str(value), known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "Choose one of them."
    raise OcclusionError(
        f"Expected {name} out of {', '.join(known)}, got {name}={value!r}. {hint}"
    )
