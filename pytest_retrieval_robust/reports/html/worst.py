"""The page's table of how far a model-guided occluder falls below a random one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...core.errors import ConfigError
from ...core.names import parse_call
from .._text import percent, short
from ..series import EXACT, Series
from .cell_table import Cell, order_of, table_levels
from .views import Switches, View

_RANDOM = ("patches", "boxes", "blobs", "box")
"""Occluders that hide an asked share at random, the most usual first."""
_GUIDED = {
    "worst": "the worst case: the cells whose hiding hurts this model most",
    "salient": "what matters most to this model",
    "non-salient": "what matters least to this model",
}
"""Occluder -> what it hides."""


@dataclass(frozen=True)
class WorstRow:
    """What a model-guided occluder leaves at each level, beside a random one."""

    view: View
    number: int
    model: str
    guided: str
    random: str
    cells: tuple[Cell, ...]


def worst_rows(series: Sequence[Series], switches: Switches) -> Iterator[WorstRow]:
    """Each model-guided occluder beside one that hides as much at random.

    The cells are those of `table_levels`, without 0.
    """
    alike: dict[tuple[str, str, str, int], list[Series]] = {}
    for line in series:
        key = (line.model, line.dataset, line.direction, line.k)
        alike.setdefault(key, []).append(line)
    levels = [level for level in table_levels(series) if level > 0]
    for group in alike.values():
        for guided in group:
            random = _random_beside(guided, group)
            if is_guided(guided.occluder) and random is not None:
                yield WorstRow(
                    switches.view_of(guided, "dataset", "direction", "k"),
                    switches.models.index(guided.model),
                    short(guided.model),
                    short(guided.occluder),
                    short(random.occluder),
                    tuple(_gap_cells(levels, _recalls(random), _recalls(guided))),
                )


def is_guided(occluder: str) -> bool:
    """Whether a model decides what is hidden."""
    return _entry_of(occluder) in _GUIDED


def guided_kinds(occluders: Iterable[str]) -> list[tuple[str, str]]:
    """(name, what it hides) of those that a model guides."""
    return [
        (short(name), _GUIDED[_entry_of(name)]) for name in occluders if is_guided(name)
    ]


def _random_beside(guided: Series, group: Iterable[Series]) -> Series | None:
    """The most usual random occluder of the run that hides as much as the guided one."""
    candidates = [
        line
        for line in group
        if _entry_of(line.occluder) in _RANDOM and _hides_as_much(line, guided)
    ]

    def usualness(line: Series) -> int:
        return _RANDOM.index(_entry_of(line.occluder))

    return min(candidates, key=usualness, default=None)


def _hides_as_much(line: Series, guided: Series) -> bool:
    share_at = _hidden_shares(guided)
    return all(
        abs(share_at[level] - share) <= EXACT
        for level, share in _hidden_shares(line).items()
        if level in share_at
    )


def _hidden_shares(line: Series) -> dict[float, float]:
    levels = (point.level for point in line.recall)
    return dict(zip(levels, line.achieved, strict=True))


def _recalls(line: Series) -> dict[float, float]:
    return {
        point.level: point.value for point in line.recall if point.value is not None
    }


def _gap_cells(
    levels: Sequence[float],
    random: Mapping[float, float],
    guided: Mapping[float, float],
) -> Iterator[Cell]:
    for level in levels:
        if level not in random or level not in guided:
            yield Cell("–", "")
            continue
        gap = guided[level] - random[level]
        fall = f"{percent(random[level])} → {percent(guided[level])}"
        yield Cell(f"{100 * gap:+.1f}", order_of(gap), fall)


def _entry_of(occluder: str) -> str:
    """The occluder's name without its parameters."""
    try:
        return parse_call(occluder)[0]
    except ConfigError:
        return occluder
