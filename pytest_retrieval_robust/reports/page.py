"""The HTML report: one file that asks for nothing from elsewhere, and holds images and
texts only where asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ..core.verdict import GateKind
from ..gate.record import RunRecord
from . import ReportEntry, _page_curves, _page_facts
from ._svg import SHADES, swatch
from ._text import known, level_text, number, percent, plain, readable, short
from ._views import Switches
from .saved_run import host_of
from .series import Series, series_of
from .terminal import notes_of

if TYPE_CHECKING:
    from jinja2 import Environment

    from ..core.catalogue import Catalogue
    from ..core.sample_sheets import SampleSheet

_FOLDER = Path(__file__).parent / "templates"


def register(catalogue: Catalogue[ReportEntry]) -> None:
    catalogue.add(
        ReportEntry(
            "html",
            "one page: verdict, curves, tables, provenance",
            render_html,
            render_html,
        )
    )


def render_html(run: RunRecord, samples: Sequence[SampleSheet] = ()) -> str:
    """The whole page; see docs/reports.md for what it shows. Images and report texts
    are in `samples` alone.
    """
    style, script, early = (
        _asset(name) for name in ("page.css", "page.js", "early.js")
    )
    means = {
        (sheet.model, sheet.dataset): sheet.mean
        for sheet in samples
        if sheet.mean is not None
    }
    ids = {
        mean: f"mean-{place}"
        for place, mean in enumerate(dict.fromkeys(means.values()))
    }
    grounds = {key: ids[mean] for key, mean in means.items()}
    context = _context(run)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            style=style,
            script=script,
            early=early,
            style_hash=_hash(style),
            script_hashes=[_hash(early), _hash(script)],
            shows_images=bool(samples),
            samples=[sheet for sheet in samples if sheet.samples],
            means=ids,
            maps=_page_facts.sensitivity_maps(run.breaking, grounds),
            **context,
        )
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finished,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {
        "percent": percent,
        "number": number,
        "short": short,
        "level": level_text,
        "multiline": _multiline,
        "whole": _whole,
        "base64": _base64,
    }
    environment.filters |= filters
    environment.globals |= {"swatch": swatch}
    return environment


def _finished(value: Any) -> Any:
    """Every text that is put into the page, made harmless, and no longer than anyone
    reads, before it is escaped.
    """
    return (
        readable(value)
        if isinstance(value, str) and not isinstance(value, Markup)
        else value
    )


def _multiline(text: str) -> Markup:
    return Markup("\n").join(plain(line) for line in text.splitlines())


def _whole(text: str) -> Markup:
    """What is shown to its end: a report, a command."""
    return Markup.escape(plain(text))


def _base64(content: bytes) -> Markup:
    return Markup(base64.b64encode(content).decode())


def _asset(name: str) -> Markup:
    return Markup((_FOLDER / name).read_text(encoding="utf-8"))


def _hash(content: str) -> str:
    """As a Content-Security-Policy names a script or style that may stand in the page."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _context(run: RunRecord) -> dict[str, Any]:
    series = series_of(run)
    switches = Switches.of(series)
    numbers = {
        name: place
        for place, name in enumerate(dict.fromkeys((*switches.models, *_searched(run))))
    }
    machines = {one.hardware or one.device for one in run.costs}
    hardware = short(machines.pop()) if len(machines) == 1 else None
    changes, gates = _page_facts.changes(run), _page_facts.gates(run.verdicts)
    return {
        "run": run,
        "host": _page_facts.facts(host_of(run)),
        "counts": run.verdict_counts(),
        "switches": switches,
        "numbers": numbers,
        "legend": [(numbers[name], short(name)) for name in switches.models],
        "figures": list(_page_curves.curve_figures(series, switches)),
        "levels": _page_curves.table_levels(series),
        "rows": list(_page_curves.table_rows(series, switches)),
        "layouts": max((len(one.seeds) for one in series), default=1),
        "guided": _page_curves.guided_kinds(switches.occluders),
        "occluder_figures": list(_page_curves.occluder_figures(series, switches)),
        "worst_rows": list(_page_curves.worst_rows(series, switches)),
        "changes": changes,
        "gates": gates,
        "failed": [gate for gate in gates if gate.verdict.verdict == "fail"],
        "open": [gate for gate in gates if gate.verdict.verdict == "inconclusive"],
        "ungated": sum(verdict.gate.kind is GateKind.NONE for verdict in run.verdicts),
        "notes": notes_of(run),
        "severities": list(
            dict.fromkeys(one.occluder for one in series if one.is_severity)
        ),
        "absent": [model for model in run.models if not model.tested],
        "breaking": list(_page_facts.breaking_figures(run, numbers)),
        "shades": list(range(SHADES + 1)),
        "speeds": _page_facts.speeds(run),
        "costs": [row[:-1] if hardware else row for row in _page_facts.costs(run)],
        "cost_hardware": hardware,
        "models": [
            (model.name, _page_facts.facts(model.as_json()))
            for model in run.models
            if model.tested
        ],
        "datasets": [
            (facts["name"], _page_facts.facts(facts)) for facts in run.datasets
        ],
        "policy": _page_facts.policy_text(run.policy),
        **_downloads(run, series, changes, gates),
    }


def _searched(run: RunRecord) -> Iterable[str]:
    return (one.model for one in run.breaking)


def _downloads(
    run: RunRecord,
    series: Sequence[Series],
    changes: Sequence[_page_facts.Change],
    gates: Sequence[_page_facts.Gate],
) -> dict[str, Any]:
    """The data behind each figure and table, which the page's script gives as CSV
    files: their names, and all of it.
    """
    who = ("model", "data set")
    tables: dict[str, tuple[Sequence[str], Sequence[Sequence[object]]]] = {
        "curves": (_page_curves.CURVE_COLUMNS, _page_curves.curve_csv(series)),
        "baseline": (_page_facts.CHANGE_COLUMNS, _page_facts.change_csv(changes)),
        "gates": (_page_facts.GATE_COLUMNS, _page_facts.gate_csv(gates)),
        "breaking": (
            (*who, "k", "grid", "fill", "share"),
            _page_facts.breaking_csv(run.breaking),
        ),
        "sensitivity": (
            _page_facts.map_columns(run.breaking),
            _page_facts.map_csv(run.breaking),
        ),
        "speeds": (_page_facts.SPEED_COLUMNS, _page_facts.speeds(run)),
        "costs": (_page_facts.COST_COLUMNS, _page_facts.costs(run)),
    }
    content = {
        name: {
            "columns": columns,
            "rows": [[_json(value) for value in row] for row in rows],
        }
        for name, (columns, rows) in tables.items()
        if rows
    }
    text = json.dumps(
        content, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    # Within a script element nothing else can end it or open a comment.
    harmless = (
        text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
    )
    return {"data": list(content), "data_text": Markup(harmless)}


def _json(value: object) -> object:
    """Six digits are more than any run can tell apart."""
    if isinstance(value, float):
        finite = known(value)
        return None if finite is None else float(f"{finite:.6g}")
    return value
