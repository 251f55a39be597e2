"""Facts of an object as a small table, for a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


def facts_as_html(title: str, facts: Mapping[str, object]) -> str:
    """A table of a title and a row for each fact that is known, escaped."""
    rows = "".join(
        f"<tr><th>{escape(fact)}</th><td>{escape(_text(value))}</td></tr>"
        for fact, value in facts.items()
        if value is not None and value != ""
    )
    return f"<table><caption>{escape(title)}</caption><tbody>{rows}</tbody></table>"


def _text(value: object) -> str:
    # True is a number to Python.
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
