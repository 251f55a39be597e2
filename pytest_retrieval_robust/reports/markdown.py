"""The Markdown report: what a pull request needs to see, in GitHub's dialect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ..core.cases import DIRECTIONS
from ..core.verdict import VerdictName
from ..gate.record import RunRecord
from ..gate.release import Status, counted
from ..retrieval.intervals import holm
from . import ReportEntry
from ._text import QUANTILES, level_text, number, percent, plain, readable, short
from .metric_tables import metric_blocks
from .saved_run import host_of
from .series import Point, Series, series_of, what_is_hidden
from .terminal import notes_of

if TYPE_CHECKING:
    from ..core.catalogue import Catalogue

_SHOWN = 10
_MARKS: dict[VerdictName, str] = {
    "pass": " ✓",
    "fail": " ✕",
    "inconclusive": " ?",
    "ungated": "",
}
_ALPHA = 0.05


def register(catalogue: Catalogue[ReportEntry]) -> None:
    catalogue.add(
        ReportEntry(
            "md", "for pull requests: verdict, changes, tables", render_markdown
        )
    )


def render_markdown(run: RunRecord) -> str:
    """The whole file. It holds what the record holds: no image, no report's text, no id."""
    return "\n\n".join(blocks(run)) + "\n"


def blocks(run: RunRecord) -> Iterator[str]:
    """Its paragraphs, lists and tables, the most important first."""
    release = run.release
    yield f"## {release.sign} {release.title}: retrieval under occlusion"
    if release.status is not Status.PASSED:
        yield text(release.why)
    counts = run.verdict_counts()
    tested = f"{len(run.measured_models)} of {counted(len(run.models), 'model')} tested"
    partial = (
        ""
        if run.scope.partial is None
        else f" A partial run ({text(run.scope.partial)})."
    )
    yield (
        f"{counted(counts['pass'], 'gate')} met, {counts['fail']} not met,"
        f" {counts['inconclusive']} inconclusive, "
        f"{tested}."
        f"{partial}{' Judged again from a saved run.' if run.replayed else ''}"
    )
    yield from _list(
        "Not met",
        [verdict.sentence for verdict in run.verdicts if verdict.verdict == "fail"],
    )
    yield from _list("Broken tests", run.broken, count=run.broken_tests)
    yield from _list(
        "Inconclusive",
        [
            verdict.sentence
            for verdict in run.verdicts
            if verdict.verdict == "inconclusive"
        ],
    )
    absent = [model for model in run.models if not model.tested]
    yield from _list(
        "Not tested",
        [f"{short(one.name)}: {one.reason}" for one in absent if one.named],
    )
    others = [code(model.name) for model in absent if not model.named]
    if others:
        yield f"Not tested, and brought in by a pattern alone: {', '.join(others)}."
    yield from _baseline(run)
    yield from _tables(series_of(run))
    yield from metric_blocks(run)
    yield from _breaking(run)
    yield from _costs(run)
    yield from _list("Notes", notes_of(run))
    yield from _provenance(run)


def text(words: str) -> str:
    r"""Text that stays what it is: no markup, no mention of a person, no link to an issue.

    >>> text("a*b @user #7 <b>")
    'a\\*b @\u200buser #\u200b7 &lt;b&gt;'
    """
    escaped = re.sub(
        r"([\\`*_{}\[\]|~$!])", r"\\\1", readable(words).replace("&", "&amp;")
    )
    escaped = escaped.replace("<", "&lt;").replace(">", "&gt;")
    escaped = re.sub(r"^(\s*)([-+=#]|\d+[.)])", "\\1\u200b\\2", escaped)
    return re.sub(r"(@|#(?=\d)|GH-(?=\d)|://|www\.)", "\\1\u200b", escaped)


def code(name: str) -> str:
    r"""A name as code, in which nothing has a meaning; `table` takes it too.

    >>> code("a`b|c")
    '``a`b|c``'
    """
    shown = short(name)
    longest = max((len(found) for found in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = (
        " "
        if not shown.strip()
        or shown.startswith(("`", " "))
        or shown.endswith(("`", "\\", " "))
        else ""
    )
    return f"{fence}{pad}{shown or '-'}{pad}{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: int) -> str:
    r"""A table whose columns are numbers, but for the first `numbers`.

    A bar within a cell is escaped, also in code, as GitHub asks for. A backslash before
    it would escape the escape.
    """
    ruler = ["---" if place < numbers else "---:" for place in range(len(heads))]
    lines = (
        [re.sub(r"(\\?)\|", _bar, cell) for cell in row]
        for row in (heads, ruler, *rows)
    )
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _bar(found: re.Match[str]) -> str:
    return "\\\u200b\\|" if found[1] else "\\|"


def folded(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"


def _list(
    title: str, sentences: Sequence[str], head: str = "###", count: int | None = None
) -> Iterator[str]:
    """The first ten under their heading, in one block, and a folded block of the
    others; each sentence once.
    """
    if not sentences:
        return
    lines = [f"- {text(sentence)}" for sentence in dict.fromkeys(sentences)]
    yield f"{head} {title}: {len(lines) if count is None else count}\n\n" + "\n".join(
        lines[:_SHOWN]
    )
    if len(lines) > _SHOWN:
        yield folded(f"{len(lines) - _SHOWN} more", "\n".join(lines[_SHOWN:]))


def _baseline(run: RunRecord) -> Iterator[str]:
    found = run.baseline
    if found is None:
        return
    yield "### Against the baseline"
    yield (
        f"Run of {text(found.started)}, id {code(found.id)}, version"
        f" {text(found.version)}."
    )
    yield from _list("Cannot be compared", found.obstacles, "####")
    yield from _list("Missing in this run", found.vanished, "####")
    most = max((cell.k for cell in found.cells), default=0)
    cells = [
        cell
        for cell in found.cells
        if cell.k == most and cell.direction == DIRECTIONS[0]
    ]
    if not cells:
        return
    adjusted = holm([cell.p for cell in cells])
    rows = sorted(
        zip(cells, adjusted, strict=True),
        key=lambda row: (row[1] >= _ALPHA, row[0].value, row[0].case),
    )
    lines = [
        (
            (
                "▼ lost"
                if p < _ALPHA and cell.value < 0
                else "▲ gained"
                if p < _ALPHA
                else "unclear"
            ),
            code(cell.case.model),
            code(cell.case.dataset),
            code(cell.case.occluder) if cell.case.level > 0 else "nothing hidden",
            level_text(cell.case.level),
            percent(cell.baseline),
            percent(cell.candidate),
            f"{100 * cell.value:+.1f}",
            f"{100 * cell.low:+.1f} to {100 * cell.high:+.1f}",
            "< 0.001" if p < 0.001 else number(p),
        )
        for cell, p in rows
    ]
    heads = (
        "",
        "model",
        "data set",
        "occluder",
        "level",
        "before",
        "now",
        "points",
        "95 % interval",
        "p (Holm)",
    )
    yield (
        f"Recall@{most}, image to report, in %; significant changes first, the greatest"
        " loss on top."
    )
    yield table(heads, lines[:_SHOWN], 4)
    if len(lines) > _SHOWN:
        yield folded(
            f"{len(lines) - _SHOWN} more cells", table(heads, lines[_SHOWN:], 4)
        )


def _tables(series: Sequence[Series]) -> Iterator[str]:
    """Recall at the largest k, from image to report, in the open; the others folded."""
    most = max((one.k for one in series), default=0)

    def place(one: Series) -> tuple[bool, str, int]:
        return (one.direction, one.k) != (DIRECTIONS[0], most), one.direction, -one.k

    for (hidden, direction, k), of_view in groupby(
        sorted(series, key=place), key=place
    ):
        title = f"Recall@{-k}, {direction.replace('-', ' ')}, in %"
        of_place = groupby(of_view, key=lambda one: (one.dataset, one.occluder))
        grouped = [(*names, list(group)) for names, group in of_place]
        merged: dict[tuple[str, str], list[Series]] = {}
        for dataset, occluder, group in grouped:
            merged.setdefault((dataset, occluder), []).extend(group)
        content = "\n\n".join(_table(*names, group) for names, group in merged.items())
        yield folded(title, content) if hidden else f"### {title}\n\n{content}"


def _table(dataset: str, occluder: str, series: Sequence[Series]) -> str:
    first = series[0]
    levels = sorted({point.level for one in series for point in one.recall})
    chance = "" if first.chance is None else f", chance {percent(first.chance)}"
    ceiling = "" if first.ceiling is None else f", ceiling {percent(first.ceiling)}"
    size = f"{first.queries} queries, gallery {first.gallery}{chance}{ceiling}"
    told = "".join(f" {text(sentence)}" for sentence in what_is_hidden(series))
    head = f"{code(occluder)} on {code(dataset)}: {size}.{told}"
    return f"{head}\n\n" + table(
        ("model", *(level_text(level) for level in levels), "kept", "half gone at"),
        [_row(one, levels) for one in series],
        1,
    )


def _row(one: Series, levels: Sequence[float]) -> list[str]:
    cells = {
        point.level: f"{percent(point.value)}{_MARKS[verdict]}{_ends(point)}"
        for point, verdict in zip(one.recall, one.verdicts, strict=True)
    }
    nothing = "at chance" if one.is_at_chance else "–"
    short_of = (
        ""
        if one.recall[-1].level == levels[-1]
        else f" (to {level_text(one.recall[-1].level)})"
    )
    kept = nothing if one.last_kept is None else f"{percent(one.last_kept)}{short_of}"
    reached = "not reached" if one.half_level is None else percent(one.half_level)
    half = nothing if one.last_kept is None else reached
    return [code(one.model), *(cells.get(level, "") for level in levels), kept, half]


def _ends(point: Point) -> str:
    return (
        ""
        if point.low is None or point.high is None
        else f" ({percent(point.low, 0)}–{percent(point.high, 0)})"
    )


def _breaking(run: RunRecord) -> Iterator[str]:
    """Quantiles of the smallest breaking shares."""
    if not run.breaking:
        return
    heads = (
        "model",
        "data set",
        "top",
        *(f"{100 * share:g} % of images" for share in QUANTILES),
        "images",
    )
    rows = [
        (
            code(one.model),
            code(one.dataset),
            str(one.k),
            *(percent(one.quantile(share), 2) for share in QUANTILES),
            str(len(one.shares)),
        )
        for one in run.breaking
    ]
    title = "### Smallest share whose hiding was found to break it, in % of the image"
    yield f"{title}\n\n{table(heads, rows, 2)}"


def _costs(run: RunRecord) -> Iterator[str]:
    """What hiding costs, beside hiding nothing."""
    if not run.costs:
        return
    heads = ("model", "data set", "occluder", "level", "ms an image", "times level 0")
    rows = [
        (
            code(one.case.model),
            code(one.case.dataset),
            code(one.case.occluder),
            level_text(one.case.level),
            number(1e3 * one.occluded_seconds, 2),
            number(one.relative_cost, 2),
        )
        for one in run.costs
    ]
    yield folded("Time per image", table(heads, rows, 3))


def _provenance(run: RunRecord) -> Iterator[str]:
    lines = [
        (
            f"- run {code(run.identity.id)} of {text(run.identity.started)}, version"
            f" {text(run.identity.version)}"
        ),
        f"- to repeat it: {_command(run.scope.command)}",
    ]
    if run.scope.partial:
        lines.append(f"- partial: {text(run.scope.partial)}")
    if run.limit is not None:
        lines.append(f"- the first {run.limit} pairs of each data set alone")
    for facts in run.datasets:
        told = ", ".join(
            text(str(facts.get(key))) for key in ("split", "text", "relevance")
        )
        lines.append(
            f"- data set {code(facts['name'])}: {told}, fingerprint"
            f" {code(str(facts.get('fingerprint'))[:12])}"
        )
    for model in run.models:
        if model.tested:
            known = (
                f"{key} {code(str(model.card[key])[:40])}"
                for key in _OF_A_MODEL
                if model.card.get(key)
            )
            lines.append(f"- model {code(model.name)}: {', '.join(known) or 'no card'}")
    host = ", ".join(
        f"{text(str(key))} {text(str(value))}"
        for key, value in host_of(run).items()
        if value
    )
    gates = (
        "no gates"
        if run.gates_sha256 is None
        else f"gates sha256 {code(run.gates_sha256[:12])}"
    )
    lines.append(f"- {host}; {gates}")
    yield "### Where it comes from\n\n" + "\n".join(lines)


_OF_A_MODEL = ("source", "revision", "sha256")


def _command(command: str) -> str:
    shown = plain(command)
    fence = "`" * (
        1 + max((len(found) for found in re.findall("`+", shown)), default=0)
    )
    return (
        f"{fence}{shown}{fence}"
        if shown.strip("`") == shown
        else f"{fence} {shown} {fence}"
    )
