"""What each gate could have detected, with `-v`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ...core.verdict import Verdict
from .lines import Line, Span

_TITLE = "gates: observed [bounds], limit, smallest loss that is detected (power 0.8)"


def power_lines(verdicts: Sequence[Verdict]) -> Iterator[Line]:
    """Each gate's limit, bounds and smallest detectable loss."""
    measured = [verdict for verdict in verdicts if verdict.detectable_loss is not None]
    if not measured:
        return
    yield [Span(_TITLE, "bold")]
    for verdict in measured:
        yield [Span(f"{verdict.gate}, {verdict.case}")]
        colour = "yellow" if verdict.weak else ""
        yield [Span(f"  {_numbers(verdict)}", colour)]
    yield []


def _numbers(verdict: Verdict) -> str:
    low, high = verdict.bounds or (math.nan, math.nan)
    return (
        f"{verdict.observed:.3f} [{low:.3f}, {high:.3f}], limit {verdict.limit:.3f},"
        f" by {verdict.decided_by}; detects a loss of {verdict.detectable_loss:.3f}"
    )
