"""Names and lists as they are typed: `patches(grid=14,fill=mean)`, and back."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
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
    items = [""]
    depth = 0
    for sign in text:
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
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
    call = re.fullmatch(r"([^()=]+)(?:\((.*)\))?", text)
    if call is None:
        raise ConfigError(
            f"Expected NAME or NAME(key=value,...), got item={text!r}. Fix the item."
        )
    name, inner = call.groups()
    settings = {}
    for pair in inner.split(",") if inner else ():
        key, _, value = (part.strip() for part in pair.partition("="))
        if not key or not value:
            raise ConfigError(
                f"Expected key=value pairs inside the parentheses, got item={text!r}."
                " Fix the item."
            )
        settings[key] = value
    return name.strip(), settings


def call_name(name: str, settings: DataclassInstance, **written: str) -> str:
    """What `parse_call` reads: the name, with the fields that are not the defaults in
    alphabetical order.

    `written` gives fields whose text is not that of `str`.
    """
    from dataclasses import fields

    texts = {}
    for field in sorted(fields(settings), key=lambda field: field.name):
        value = getattr(settings, field.name)
        # A field that is not shown is no parameter.
        if field.repr and value != field.default:
            texts[field.name] = written.get(field.name) or _written(value)
    return _call(name, texts)


def call_with(name: str, parameters: Mapping[str, object]) -> str:
    """What `parse_call` reads: the name, with the parameters in alphabetical order.

    >>> call_with("hit-rate", {"k": 3})
    'hit-rate(k=3)'
    """
    texts = {key: _written(parameters[key]) for key in sorted(parameters)}
    return _call(name, texts)


def _call(name: str, texts: Mapping[str, str]) -> str:
    if not texts:
        return name
    pairs = ",".join(f"{key}={text}" for key, text in texts.items())
    return f"{name}({pairs})"


def _written(value: object) -> str:
    """The value's text. 1 and 1.0 are one value, and must be one name."""
    if isinstance(value, float):
        return str(value).removesuffix(".0")
    return str(value)


def slug(name: str) -> str:
    """A name as `-k` and file systems can take it.

    >>> slug("patches(grid=14)")
    'patches-grid14'
    """
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name.replace("=", "")).strip("-")
