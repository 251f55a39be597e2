"""A plan of gates as text: what it rests on, and a block per gate."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.words import counted
from ..gate.power.rows import GatePlan, PlannedRow, Today
from ._text import readable
from .terminal.lines import wrapped

_UNSEEN = "sees no loss at all"


def plan_text(plan: GatePlan) -> str:
    """The whole plan, ready to be printed."""
    return "".join(f"{line}\n" for line in _lines(plan))


def _lines(plan: GatePlan) -> Iterator[str]:
    yield "What this plan rests on:"
    for sentence in plan.assumptions:
        yield from _wrapped(f"  * {sentence}", "    ")
    for row in plan.gates:
        yield ""
        yield from _row_lines(row, plan.power)
    blind = _blindest(plan)
    if blind is not None:
        yield ""
        yield from _wrapped(blind, "  ")


def _row_lines(row: PlannedRow, power: float) -> Iterator[str]:
    yield from _wrapped(_title(row), "  ")
    if row.value is not None and row.limit is not None:
        effect = ""
        if row.design_effect > 1:
            effect = f"; design effect {row.design_effect:.2f}"
        yield f"  planned value {row.value:.3f}, limit {row.limit:g}{effect}"
    if row.today is not None:
        yield from _wrapped(f"  today: {_today(row.today, power)}", "    ")
    if row.queries is not None:
        yield from _wrapped(
            f"  needs {_size(row.queries, row.patients)} to pass with a probability of"
            f" {power:g}; then {_loss(row.smallest_loss)}",
            "    ",
        )
    if row.reason is not None:
        yield from _wrapped(f"  {row.reason}", "    ")


def _title(row: PlannedRow) -> str:
    return f"{row.gate}: {row.subject}" if row.subject else row.gate


def _today(today: Today, power: float) -> str:
    seen = _loss(today.smallest_loss)
    if today.queries is None or today.passes is None:
        return seen
    size = _size(today.queries, today.patients)
    if today.has_too_few_patients:
        return f"{size}: inconclusive, because no bound over so few patients holds"
    likely = f"passes with a probability of {today.passes:.2f}"
    short = " (too few)" if today.passes < power else ""
    return f"{size}: {likely}{short}, {seen}"


def _loss(loss: float | None) -> str:
    return _UNSEEN if loss is None else f"cannot see a loss below {loss:.3f}"


def _size(queries: int, patients: int | None) -> str:
    size = f"{queries:,} queries"
    if patients is None or patients == queries:
        return size
    return f"{size} of {patients:,} patients"


def _blindest(plan: GatePlan) -> str | None:
    """Which gate sees least of the model's own number today, as a sentence."""
    shares: list[tuple[float, PlannedRow]] = []
    unseen = 0
    for row in plan.gates:
        if row.today is None or not row.value or row.value <= 0:
            continue
        if row.today.smallest_loss is None:
            unseen += 1
        else:
            shares.append((row.today.smallest_loss / row.value, row))
    if not shares:
        return None
    share, row = max(shares, key=lambda each: each[0])
    ending = ""
    if unseen:
        ending = f" {counted(unseen, 'gate')} cannot fail, whatever is lost."
    return (
        f"The gate that sees least today: {_title(row)}. It cannot see that"
        f" {100 * share:.0f} % of the value is gone, or less.{ending}"
    )


def _wrapped(text: str, indent: str) -> Iterator[str]:
    yield from wrapped(readable(text), indent)
