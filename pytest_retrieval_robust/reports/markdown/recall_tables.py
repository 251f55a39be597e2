"""Tables of Recall@k over the level: a row per model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...core.cases import DIRECTIONS
from ...core.verdict import VerdictName
from ...core.words import counted
from .._text import level_number, level_text, percent
from ..series import Point, Series, what_is_hidden
from .dialect import code, folded, table, text

MARKS: dict[VerdictName, str] = {
    "pass": " ✓",
    "fail": " ✕",
    "inconclusive": " ?",
    "ungated": "",
}
_LEGEND = (
    "In brackets: the 95 % interval. ✓, ✕, ?: the gates on the cell are met, not met,"
    " inconclusive. Kept: Recall at the highest level as a share of that at 0 %, in %."
    " Half gone at: the level that halves Recall, in %."
)


def recall_blocks(series: Sequence[Series]) -> Iterator[str]:
    """Recall at the largest k, from image to report, in the open; the others folded."""
    if not series:
        return
    largest_k = max(line.k for line in series)
    views: dict[tuple[str, int], list[Series]] = {}
    for line in series:
        views.setdefault((line.direction, line.k), []).append(line)

    def importance(view: tuple[str, int]) -> tuple[bool, str, int]:
        direction, k = view
        return view != (DIRECTIONS[0], largest_k), direction, -k

    for direction, k in sorted(views, key=importance):
        title = f"Recall@{k}, {direction.replace('-', ' ')}, in %"
        content = "\n\n".join(_tables(views[direction, k]))
        if (direction, k) == (DIRECTIONS[0], largest_k):
            yield f"### {title}\n\n{content}"
            yield _LEGEND
        else:
            yield folded(title, content)


def _tables(series: Sequence[Series]) -> Iterator[str]:
    """One per data set and occluder, in the order of the run."""
    groups: dict[tuple[str, str], list[Series]] = {}
    for line in series:
        groups.setdefault((line.dataset, line.occluder), []).append(line)
    for group in groups.values():
        yield recall_table(group)


def recall_table(series: Sequence[Series]) -> str:
    """A row per model, of one data set and perturbation in one direction at one k."""
    family = series[0].family
    levels = sorted({point.level for line in series for point in line.recall})
    of_levels = (level_text(level, family) for level in levels)
    heads = ("model", *of_levels, "kept", "half gone at")
    rows = [_row(line, levels) for line in series]
    return f"{_head(series)}\n\n{table(heads, rows, 1)}"


def _head(series: Sequence[Series]) -> str:
    first = series[0]
    facts = [counted(first.queries, "query", "queries"), f"gallery {first.gallery}"]
    if first.chance is not None:
        facts.append(f"chance {percent(first.chance)}")
    if first.ceiling is not None:
        facts.append(f"ceiling {percent(first.ceiling)}")
    subject = f"{code(first.occluder)} on {code(first.dataset)}"
    sentences = [f"{subject}: {', '.join(facts)}."]
    sentences += map(text, what_is_hidden(series))
    return " ".join(sentences)


def _row(line: Series, levels: Sequence[float]) -> list[str]:
    cells = {
        point.level: f"{percent(point.value)}{MARKS[verdict]}{_interval(point)}"
        for point, verdict in zip(line.recall, line.verdicts, strict=True)
    }
    recalls = [cells.get(level, "") for level in levels]
    return [code(line.model), *recalls, *_summary(line, levels[-1])]


def _summary(line: Series, highest: float) -> tuple[str, str]:
    """What is kept, and where half is gone."""
    if line.last_retention is None:
        missing = "at chance" if line.is_at_chance else "–"
        return missing, missing
    kept = percent(line.last_retention)
    # Without it, a curve that ends early would look like the better one.
    last = line.recall[-1].level
    if last != highest:
        kept += f" (to {level_text(last, line.family)})"
    if line.half_level is None:
        return kept, "not reached"
    return kept, level_number(line.half_level, line.family)


def _interval(point: Point) -> str:
    if point.low is None or point.high is None:
        return ""
    return f" ({percent(point.low, 0)}–{percent(point.high, 0)})"
