"""Models side by side, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.words import counted
from ...gate.standings import PairDifference, Standing, Standings
from .._text import percent, plain, points, points_between, short
from .lines import Line, Span, wrapped

_NUMBERS = "rank   95 %          value   clean  at last  model"
_PAIRS = " change  95 % interval   adjusted p  pair"
_LEGEND = (
    "rank, 95 %: the ranks that each model may have, right for all of them at once"
    " with a probability of 0.95. Interval and adjusted p are so for all pairs: models"
    " are told apart where adjusted p is below 0.05. Values are in %, changes in points."
)


def standings_lines(standings: Standings, shown: int | None) -> Iterator[Line]:
    """A table: its subject, models in order, and the first `shown` pairs (None: all)."""
    setting = standings.setting
    for line in wrapped(f"{plain(str(setting))}: {_size(standings)}"):
        yield [Span(line, "bold")]
    for line in wrapped(f"By {plain(standings.question.words(setting))}, in %:"):
        yield [Span(line)]
    yield [Span(_NUMBERS)]
    for row in standings.rows:
        yield [Span(_numbers(row))]
    for line in wrapped(plain(standings.order_sentence)):
        yield [Span(line, "bold")]
    pairs = standings.differences
    if not pairs:
        return
    yield []
    yield [Span(_PAIRS)]
    for pair in pairs[:shown]:
        yield [Span(_pair(pair), "green" if pair.told_apart else "")]
    if shown is not None and len(pairs) > shown:
        more = counted(len(pairs) - shown, "more pair")
        yield [Span(f"... and {more} (`-v` shows them all)")]
    for line in wrapped(_LEGEND):
        yield [Span(line)]


def _size(standings: Standings) -> str:
    if standings.queries is None or standings.patients is None:
        return ""
    queries = counted(standings.queries, "query", "queries")
    return f"{queries} of {counted(standings.patients, 'patient')}"


def _numbers(row: Standing) -> str:
    rank = "-" if row.rank is None else str(row.rank)
    scope = row.contender.run.measured.scope
    mark = "" if scope.partial is None else " [partial run]"
    return (
        f"{rank:>4}   {ranks_words(row):<10}{percent(row.value):>9}"
        f"{percent(float(row.recalls[0])):>8}{percent(float(row.recalls[-1])):>9}"
        f"  {short(row.name)}{mark}"
    )


def ranks_words(row: Standing) -> str:
    """The ranks that a model may have: `2`, `2 to 4`, or `no ranks`."""
    interval = row.interval
    if interval is None:
        return "no ranks"
    if interval.is_known:
        return str(interval.best)
    return f"{interval.best} to {interval.worst}"


def _pair(pair: PairDifference) -> str:
    interval = points_between(pair.low, pair.high)
    names = f"{short(pair.first.name)} - {short(pair.second.name)}"
    return f"{points(pair.value):>7}{interval:>15}{pair.adjusted_p:>13.4f}  {names}"
