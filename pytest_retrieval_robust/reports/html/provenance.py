"""What the page says of where its numbers come from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...core.cases import Json
from .._text import plain

_MOST_ITEMS = 20
_LARGE = 10_000
"""Whole numbers from here on are written with commas."""
Facts = list[tuple[str, str]]


def facts(record: Mapping[str, Any]) -> Facts:
    """(name, value) of what is known of a model, a data set or a host."""
    return [
        (plain(key.replace("_", " ")), plain(_fact(value)))
        for key, value in record.items()
        if value not in (None, [], "", {})
    ]


def _fact(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and value >= _LARGE:
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_fact(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        items = ", ".join(map(_fact, value[:_MOST_ITEMS]))
        rest = len(value) - _MOST_ITEMS
        return f"{items} and {rest} more" if rest > 0 else items
    return str(value)


def policy_text(tables: Sequence[Json]) -> str:
    """The gates as `robust.toml` would have them."""
    lines: list[str] = []
    for table in tables:
        lines.append("[[gate]]")
        lines += [f"{key} = {_toml(value)}" for key, value in table.items()]
        lines.append("")
    return "\n".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        items = [f"{key} = {_toml(inner)}" for key, inner in value.items()]
        return f"{{ {', '.join(items)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
