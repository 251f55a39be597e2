"""The parts of the page other than curves: baseline, breaking shares, maps, costs,
gates, where it all came from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import Any

from markupsafe import Markup

from ..core.cases import DIRECTIONS, Json
from ..core.costs import CostMeasurement
from ..core.searches import BreakingOutcome, HeatMap
from ..core.verdict import GateKind, Verdict
from ..gate.breaking import breaking_bounds
from ..gate.comparison import CellDifference
from ..gate.record import RunRecord
from ..retrieval.intervals import holm
from ._svg import Trace, heat_map, interval, panel
from ._text import QUANTILES, known, level_text, number, percent, plain, short
from ._views import View

_ALPHA = 0.05
_SHADES_OF_GATES = {"fail": 0, "inconclusive": 1, "pass": 2, "ungated": 3}
GATE_WORDS = {
    "fail": "not met",
    "inconclusive": "inconclusive",
    "pass": "met",
    "ungated": "not judged",
}


@dataclass(frozen=True)
class Change:
    """One cell beside the baseline's."""

    view: View
    status: str
    """`lost`, `gained` or `unclear`."""
    cell: CellDifference
    model: str
    dataset: str
    occluder: str
    p: float
    drawing: Markup


def changes(run: RunRecord) -> list[Change]:
    """The cells beside the baseline, significant losses first, then the greatest loss;
    p by Holm in each view.
    """
    if run.baseline is None:
        return []
    found: list[Change] = []

    def place(cell: CellDifference) -> tuple[str, int]:
        return cell.direction, cell.k

    for _, group in groupby(sorted(run.baseline.cells, key=place), key=place):
        cells = list(group)
        reach = max(
            [
                0.01,
                *(
                    abs(end)
                    for cell in cells
                    for end in (cell.low, cell.high)
                    if math.isfinite(end)
                ),
            ]
        )
        adjusted = holm([cell.p for cell in cells])
        found += [
            _change(cell, p, reach) for cell, p in zip(cells, adjusted, strict=True)
        ]
    rank = {"lost": 0, "unclear": 1, "gained": 2}
    return sorted(
        found, key=lambda one: (rank[one.status], one.cell.value, one.cell.case)
    )


def _change(cell: CellDifference, p: float, reach: float) -> Change:
    status = "unclear" if p >= _ALPHA else "lost" if cell.value < 0 else "gained"
    return Change(
        View(direction=DIRECTIONS.index(cell.direction), k=cell.k),
        status,
        cell,
        short(cell.case.model),
        short(cell.case.dataset),
        short(cell.case.occluder) if cell.case.level > 0 else "nothing hidden",
        p,
        interval(cell.value, cell.low, cell.high, reach),
    )


CHANGE_COLUMNS = (
    *(
        "status",
        "model",
        "data set",
        "occluder",
        "level",
        "seed",
        "direction",
        "k",
        "baseline",
        "candidate",
    ),
    *("difference", "low", "high", "wins", "losses", "p", "p Holm"),
)


def change_csv(found: Sequence[Change]) -> list[list[object]]:
    rows: list[list[object]] = []
    for one in found:
        cell, case = one.cell, one.cell.case
        who = [
            plain(case.model),
            plain(case.dataset),
            plain(case.occluder),
            case.level,
            case.seed,
        ]
        numbers = [
            cell.baseline,
            cell.candidate,
            cell.value,
            cell.low,
            cell.high,
            cell.wins,
            cell.losses,
            cell.p,
            one.p,
        ]
        rows.append([one.status, *who, cell.direction, cell.k, *numbers])
    return rows


@dataclass(frozen=True)
class Breaking:
    """Searches that can be set side by side: the same data set, k, grid and fill."""

    title: str
    note: str
    drawing: Markup
    quantiles: tuple[str, ...]
    rows: tuple[tuple[int, str, tuple[tuple[str, str], ...], int, int, str], ...]
    """(number, model, (quantile, interval) each, found, unbroken, encodings)."""


def breaking_figures(run: RunRecord, numbers: Mapping[str, int]) -> Iterator[Breaking]:
    """How many images break by hiding no more than a share: one figure for each kind of search."""
    kinds = dict.fromkeys(
        (one.dataset, one.k, one.grid, one.fill) for one in run.breaking
    )
    for kind in kinds:
        found = [
            one
            for one in run.breaking
            if (one.dataset, one.k, one.grid, one.fill) == kind
        ]
        yield _breaking(found, numbers)


def _breaking(found: Sequence[BreakingOutcome], numbers: Mapping[str, int]) -> Breaking:
    first = found[0]
    title = (
        f"{short(first.dataset)}: the smallest share whose hiding breaks the top"
        f" {first.k}"
    )
    most = max([share for one in found for share in one.shares if share < 1] or [1.0])
    end = math.ceil(20 * most) / 20
    traces = [Trace(numbers[one.model], _steps(one, end)) for one in found]
    drawing = panel(
        traces,
        levels=[end * tenth / 10 for tenth in range(11)],
        x_label="share of the image hidden, %",
        y_label="images broken, %",
        label=f"{title}. Its quantiles are in the table below.",
        steps=True,
    )
    note = (
        f"{first.images} images, {first.grid} x {first.grid} cells, {first.fill}; of"
        " images whose report is found with nothing hidden. Shares are upper bounds: a"
        " smaller occlusion may exist."
    )
    rows = tuple(
        (
            numbers[one.model],
            short(one.model),
            tuple(
                (percent(one.quantile(share)), _bounds(one, share))
                for share in QUANTILES
            ),
            len(one.shares),
            one.unbroken,
            number(one.encodings, 0),
        )
        for one in found
    )
    return Breaking(
        title, note, drawing, tuple(f"{100 * share:g} %" for share in QUANTILES), rows
    )


def _steps(
    one: BreakingOutcome, end: float
) -> list[tuple[float, float | None, float | None, float | None]]:
    """The share of images that break by hiding no more than x."""
    count = len(one.shares)
    rising = [
        (share, sum(other <= share for other in one.shares) / count)
        for share in dict.fromkeys(one.shares)
    ]
    inside = [(x, y) for x, y in rising if x <= end]
    last = inside[-1][1] if inside else 0.0
    return (
        [(x, y, None, None) for x, y in [(0.0, 0.0), *inside, (end, last)]]
        if count
        else []
    )


def _bounds(one: BreakingOutcome, share: float) -> str:
    low, high = breaking_bounds(one, share, 0.975)
    return f"{percent(low, 0)}–{percent(high, 0)}"


def breaking_csv(found: Sequence[BreakingOutcome]) -> list[list[object]]:
    """One row an image, without saying which: `model, data set, k, grid, fill, share`."""
    return [
        [plain(one.model), plain(one.dataset), one.k, one.grid, one.fill, share]
        for one in found
        for share in one.shares
    ]


@dataclass(frozen=True)
class Map:
    title: str
    text: str
    drawing: Markup


@dataclass(frozen=True)
class Maps:
    """The sensitivity maps of one model: over all images, and by finding."""

    whole: Map
    by_label: tuple[Map, ...]


def sensitivity_maps(
    found: Sequence[BreakingOutcome], grounds: Mapping[tuple[str, str], str]
) -> list[Maps]:
    """The maps of each search; `grounds` are the ids of pictures beneath them, by model
    and data set.
    """

    def maps(one: BreakingOutcome) -> Maps:
        ground = grounds.get((one.model, one.dataset))
        whole = _map(
            f"{short(one.model)} on {short(one.dataset)}", one.sensitivity, ground
        )
        return Maps(
            whole,
            tuple(
                _map(short(label), one.by_label[label], ground)
                for label in sorted(one.by_label)
            ),
        )

    return [maps(one) for one in found]


def _map(title: str, heat: HeatMap, ground: str | None) -> Map:
    row, column = heat.peak
    rows, columns = len(heat.rows), len(heat.rows[0])
    most = heat.rows[row][column]
    text = (
        f"{heat.images} images; the greatest mean fall, {number(most, 4)}, in row"
        f" {row + 1} of {rows} from the top, column {column + 1} of {columns} from the"
        " left"
    )
    return Map(title, text, heat_map(heat.rows, f"{title}: {text}", ground))


def map_columns(found: Sequence[BreakingOutcome]) -> tuple[str, ...]:
    side = range(1, max((len(one.sensitivity.rows) for one in found), default=0) + 1)
    return (
        "model",
        "data set",
        "finding",
        "images",
        "cells a side",
        *(f"r{row}c{column}" for row in side for column in side),
    )


def map_csv(found: Sequence[BreakingOutcome]) -> list[list[object]]:
    """One row a map, under `map_columns`: the mean fall in each cell; the cells of a
    smaller grid are left empty.
    """
    side = max((len(one.sensitivity.rows) for one in found), default=0)
    rows: list[list[object]] = []
    for one in found:
        for label, heat in (
            ("all images", one.sensitivity),
            *sorted(one.by_label.items()),
        ):
            digits, missing = _digits(heat), [None] * (side - len(heat.rows))
            cells = [
                number
                for row in heat.rows
                for number in (*(round(fall, digits) for fall in row), *missing)
            ]
            who = [
                plain(one.model),
                plain(one.dataset),
                plain(label),
                heat.images,
                len(heat.rows),
            ]
            rows.append([*who, *cells, *([None] * side * len(missing))])
    return rows


def _digits(heat: HeatMap) -> int:
    """Decimals by which the map's greatest number has three digits."""
    most = max(
        (abs(fall) for row in heat.rows for fall in row if math.isfinite(fall)),
        default=0.0,
    )
    return 3 - math.floor(math.log10(most)) - 1 if most > 0 else 0


SPEED_COLUMNS = (
    "model",
    "data set",
    "images per second",
    "encode seconds",
    "occlude seconds",
    "device",
    "precision",
)
COST_COLUMNS = (
    *(
        "model",
        "data set",
        "occluder",
        "level",
        "ms per image",
        "relative cost (quartiles)",
    ),
    *("latency ms p50 / p95", "peak memory GiB", "beside", "hardware"),
)


def speeds(run: RunRecord) -> list[list[str]]:
    """Model, data set, images a second, seconds of encoding and of hiding, device, precision."""
    rows = []
    for (model, dataset), group in groupby(
        run.outcomes, key=lambda one: (one.case.model, one.case.dataset)
    ):
        timings = [outcome.timing for outcome in group]
        rates = [
            rate
            for one in timings
            if (rate := known(one.images_per_second)) is not None
        ]
        rows.append(
            [
                short(model),
                short(dataset),
                number(median(rates), 0) if rates else "from the store",
                number(math.fsum(one.encode_seconds for one in timings), 1),
                number(math.fsum(one.occlude_seconds for one in timings), 1),
                timings[0].device,
                timings[0].precision,
            ]
        )
    return rows


def costs(run: RunRecord) -> list[list[str]]:
    """What `occlusion_timer` measured, a row a case."""
    return [_cost(one) for one in run.costs]


def _cost(one: CostMeasurement) -> list[str]:
    low, high = one.spread
    latency = (
        "–"
        if one.latency is None
        else f"{1e3 * one.latency.p50:.1f} / {1e3 * one.latency.p95:.1f}"
    )
    memory = (
        "–"
        if one.peak_memory_bytes is None
        else number(one.peak_memory_bytes / 2**30, 2)
    )
    beside = (
        "–"
        if one.reference is None
        else f"{one.reference.ratio:.2f} × {short(one.reference.model)}"
    )
    return [
        short(one.case.model),
        short(one.case.dataset),
        short(one.case.occluder),
        level_text(one.case.level),
        number(1e3 * one.occluded_seconds, 2),
        f"{number(one.relative_cost, 2)} ({number(low, 2)}–{number(high, 2)})",
        latency,
        memory,
        beside,
        short(one.hardware or one.device),
    ]


@dataclass(frozen=True)
class Gate:
    verdict: Verdict
    told: str
    model: str
    where: str
    observed: str
    limit: str
    bounds: str
    loss: str


def gates(verdicts: Iterable[Verdict]) -> list[Gate]:
    """Every verdict of a gate, those that object first."""
    judged = [verdict for verdict in verdicts if verdict.gate.kind is not GateKind.NONE]
    return [
        _gate(verdict)
        for verdict in sorted(judged, key=lambda one: _SHADES_OF_GATES[one.verdict])
    ]


def _gate(verdict: Verdict) -> Gate:
    case = verdict.case
    low, high = verdict.bounds or (None, None)
    return Gate(
        verdict,
        GATE_WORDS[verdict.verdict],
        short(case.model),
        f"{short(case.dataset)}, {_place(verdict)}",
        number(verdict.observed),
        number(verdict.limit),
        (
            "–"
            if low is None
            else (
                f"{number(low)} or more"
                if high == math.inf
                else f"{number(low)} to {number(high)}"
            )
        ),
        number(verdict.detectable_loss),
    )


def _place(verdict: Verdict) -> str:
    """Where a gate looks: a cell, a curve, all levels and layouts together, or what a
    search found.
    """
    case, occluder = verdict.case, short(verdict.case.occluder)
    if _has_no_cell(verdict):
        return (
            occluder if verdict.is_of_a_search else f"{occluder}, all levels and seeds"
        )
    level = (
        f"levels 0 to {case.level:g}"
        if _is_of_a_curve(verdict)
        else f"level {case.level:g}"
    )
    return f"{occluder}, {level}, seed {case.seed}"


def _is_of_a_curve(verdict: Verdict) -> bool:
    return verdict.gate.kind.is_of_a_curve


def _has_no_cell(verdict: Verdict) -> bool:
    """Whether it is about a search, or about all levels and mask layouts together."""
    return verdict.gate.is_pooled or verdict.is_of_a_search


GATE_COLUMNS = (
    *(
        "verdict",
        "gate",
        "model",
        "data set",
        "occluder",
        "level",
        "seed",
        "observed",
        "limit",
        "low",
        "high",
    ),
    *("decided by", "confidence", "detectable loss", "sentence"),
)


def gate_csv(found: Sequence[Gate]) -> list[list[object]]:
    rows: list[list[object]] = []
    for one in found:
        verdict, case = one.verdict, one.verdict.case
        low, high = verdict.bounds or (None, None)
        level = None if _has_no_cell(verdict) or _is_of_a_curve(verdict) else case.level
        seed = None if _has_no_cell(verdict) else case.seed
        who = [
            plain(case.model),
            plain(case.dataset),
            plain(case.occluder),
            level,
            seed,
        ]
        numbers = [
            verdict.observed,
            verdict.limit,
            low,
            high,
            verdict.decided_by,
            verdict.confidence,
        ]
        sentence = plain(verdict.sentence)
        rows.append(
            [
                verdict.verdict,
                str(verdict.gate),
                *who,
                *numbers,
                verdict.detectable_loss,
                sentence,
            ]
        )
    return rows


def facts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of a model, a data set or a host, as (name, value), without what is empty."""
    told = [
        (key.replace("_", " "), _fact(value))
        for key, value in record.items()
        if value not in (None, [], "", {})
    ]
    return [(plain(key), plain(value)) for key, value in told]


def _fact(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and value >= 10_000:
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_fact(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        shown = ", ".join(map(_fact, value[:20]))
        return shown if len(value) <= 20 else f"{shown} and {len(value) - 20} more"
    return f"{value:g}" if isinstance(value, float) else str(value)


def policy_text(tables: Sequence[Json]) -> str:
    """The gates as `robust.toml` would have them."""
    return "\n".join(
        "\n".join(["[[gate]]", *(f"{key} = {_toml(table[key])}" for key in table), ""])
        for table in tables
    )


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(inner)}' for key, inner in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)
