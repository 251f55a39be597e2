"""Foreign text made harmless, and facts of an object as a small table for a notebook.

Names of models and data sets may hold anything.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from html import escape

_TURNING = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
)
"""They would turn round, or break, the line that they stand in."""
_INVISIBLE = ("Cc", "Cs", "Cn")
"""Unicode's categories of control signs, lone surrogates and unassigned code points."""


# The same few names stand in thousands of cells.
@lru_cache(maxsize=8192)
def plain(text: str) -> str:
    r"""`text` on one line; what would control the page or the reading direction is written out.

    >>> plain("a\nb\u202ec")
    'a b\\u202ec'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(sign: str) -> str:
    if sign in "\t\n\r":
        return " "
    if sign in _TURNING or unicodedata.category(sign) in _INVISIBLE:
        return sign.encode("unicode_escape").decode()
    return sign


def plain_html(text: str) -> str:
    """`plain` text, escaped for a page."""
    return escape(plain(text))


def facts_as_html(title: str, facts: Mapping[str, object]) -> str:
    """A table of a title and a row for each fact that is known, escaped."""
    rows = "".join(
        f"<tr><th>{plain_html(fact)}</th><td>{plain_html(_text(value))}</td></tr>"
        for fact, value in facts.items()
        if value is not None and value != ""
    )
    return f"<table><caption>{plain_html(title)}</caption><tbody>{rows}</tbody></table>"


def _text(value: object) -> str:
    # True is a number to Python.
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
