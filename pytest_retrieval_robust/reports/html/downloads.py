"""The data behind the page's figures and tables, which its script gives as CSV files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ...gate.record import RunRecord
from .._text import known
from ..curve_csv import CURVE_COLUMNS, curve_csv
from ..edit_tables import CSV_COLUMNS, edit_csv
from ..group_tables import GROUP_COLUMNS, group_csv
from ..series import Series
from .changes import CHANGE_COLUMNS, Change, change_csv
from .costs import COST_COLUMNS, SPEED_COLUMNS, cost_csv, speeds
from .gate_table import GATE_COLUMNS, GateRow, gate_csv
from .searches import SHARE_COLUMNS, breaking_csv, map_columns, map_csv

_Table = tuple[Sequence[str], Sequence[Sequence[object]]]


@dataclass(frozen=True)
class Downloads:
    names: tuple[str, ...]
    """The tables that have rows."""
    text: Markup
    """All of them as JSON that may stand in a script element."""


def downloads_of(
    run: RunRecord,
    series: Sequence[Series],
    changes: Sequence[Change],
    gates: Sequence[GateRow],
) -> Downloads:
    tables: dict[str, _Table] = {
        "curves": (CURVE_COLUMNS, curve_csv(series)),
        "baseline": (CHANGE_COLUMNS, change_csv(changes)),
        "gates": (GATE_COLUMNS, gate_csv(gates)),
        "breaking": (SHARE_COLUMNS, breaking_csv(run.breaking)),
        "sensitivity": (map_columns(run.breaking), map_csv(run.breaking)),
        "groups": (GROUP_COLUMNS, group_csv(run.groups)),
        "edits": (CSV_COLUMNS, edit_csv(run.counterfactuals)),
        "speeds": (SPEED_COLUMNS, speeds(run)),
        "costs": (COST_COLUMNS, cost_csv(run)),
    }
    content = {}
    for name, (columns, rows) in tables.items():
        if rows:
            json_rows = [list(map(_json, row)) for row in rows]
            content[name] = {"columns": columns, "rows": json_rows}
    text = json.dumps(
        content, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    # Within a script element nothing else can end it or open a comment.
    for sign, escaped in (("&", r"\u0026"), ("<", r"\u003c"), (">", r"\u003e")):
        text = text.replace(sign, escaped)
    return Downloads(tuple(content), Markup(text))


def _json(value: object) -> object:
    """Six digits are more than any run can tell apart."""
    if not isinstance(value, float):
        return value
    finite = known(value)
    return None if finite is None else float(f"{finite:.6g}")
