"""Names and lists as they are typed: `patches(grid=14,fill=mean)`, and back."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from .errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


LOADED = time.time()
"""When this process loaded the package: code that is younger on disk need not be the
code that runs.
"""


def split_list(flag: str, text: str) -> list[str]:
    """`a,b(c=1,d=2)` as `["a", "b(c=1,d=2)"]`: commas inside parentheses belong to the item.

    >>> split_list("--robust-occluders", "patches, patches(grid=14,fill=mean)")
    ['patches', 'patches(grid=14,fill=mean)']
    """
    items, depth = [""], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            break
        if sign == "," and depth == 0:
            items.append("")
        else:
            items[-1] += sign
    items = [item.strip() for item in items]
    if depth != 0 or not all(items):
        raise ConfigError(
            "Expected comma-separated items with matching parentheses, got"
            f" {flag}={text!r}. Write it as one,two(name=value,name=value)."
        )
    return items


def parse_call(text: str) -> tuple[str, dict[str, str]]:
    """`patches(grid=14,fill=mean)` as `("patches", {"grid": "14", "fill": "mean"})`.

    >>> parse_call("patches")
    ('patches', {})
    """
    found = re.fullmatch(r"([^()=]+)(?:\((.*)\))?", text)
    if found is None:
        raise ConfigError(
            f"Expected NAME or NAME(key=value,...), got item={text!r}. Mend the item."
        )
    pairs = [pair.partition("=") for pair in found[2].split(",")] if found[2] else []
    if not all(key.strip() and sign and value.strip() for key, sign, value in pairs):
        raise ConfigError(
            f"Expected key=value pairs inside the parentheses, got item={text!r}. Mend"
            " the item."
        )
    return found[1].strip(), {key.strip(): value.strip() for key, _, value in pairs}


def call_name(name: str, settings: DataclassInstance, **written: str) -> str:
    """What `parse_call` reads: the name, with the fields that are not the defaults in
    alphabetical order.

    `written` gives fields whose text is not that of `str`.
    """
    from dataclasses import fields

    named = [f for f in fields(settings) if f.repr]  # what is not shown is no parameter
    changed = {
        f.name: getattr(settings, f.name)
        for f in named
        if getattr(settings, f.name) != f.default
    }
    texts = {key: written.get(key) or _written(value) for key, value in changed.items()}
    inner = ",".join(f"{key}={texts[key]}" for key in sorted(texts))
    return f"{name}({inner})" if inner else name


def _written(value: object) -> str:
    """1 and 1.0 are one value, and must be one name."""
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def slug(name: str) -> str:
    """A name as words that `-k` and file systems can take: `patches(grid=14)` is
    `patches-grid14`.
    """
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name.replace("=", "")).strip("-")
