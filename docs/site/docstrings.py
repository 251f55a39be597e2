"""Docstrings and annotations of the code, as a reader of the site wants to see them."""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Iterator

from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.typing import ExtensionMetadata

import pytest_retrieval_robust as package

ONE_LINERS = ("attribute", "property", "data")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Read docstrings as Google's style has them, and annotations without bounds."""
    app.connect("autodoc-process-docstring", read_sections)
    app.connect("autodoc-process-signature", readable)
    for name in package.__all__:
        for holder in annotated(getattr(package, name)):
            leave_bounds_out(holder)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def read_sections(
    _app: Sphinx,
    what: str,
    name: str,
    value: object,
    _options: object,
    lines: list[str],
) -> None:
    """Replace the sections of a docstring by what reStructuredText has for them.

    Napoleon as an extension would also split the sentence of an attribute at its first
    colon, and take what is before it for a type.
    """
    if what not in ONE_LINERS:
        lines[:] = GoogleDocstring(lines, name=name, obj=value).lines()


def readable(
    _app: Sphinx,
    _what: str,
    _name: str,
    value: object,
    _options: object,
    signature: str | None,
    returned: str | None,
) -> tuple[str, str | None] | None:
    """A signature without what only looks like a parameter, and what is no Python."""
    if not signature:
        return None
    if getattr(value, "_is_protocol", False):
        # A protocol is called by nobody.
        return "", None
    return signature.replace("<factory>", "..."), returned


def annotated(value: object) -> Iterator[type]:
    """The classes of this package that a public class shows the fields of."""
    if inspect.isclass(value):
        for base in value.__mro__:
            if base.__module__.startswith(package.__name__):
                yield base


def leave_bounds_out(holder: type) -> None:
    """Write `float` where a field says `Share`: its bounds are for `run.schema.json`."""
    for written_in in (holder, vars(holder).get("__init__")):
        fields = getattr(written_in, "__annotations__", {})
        for field, written in fields.items():
            if isinstance(written, str):
                fields[field] = without_bounds(written, holder.__module__)


def without_bounds(written: str, module: str) -> str:
    """An annotation without `Annotated`, and without the aliases that stand for one."""
    names = vars(sys.modules[module])

    def meant(word: re.Match[str]) -> str:
        value = names.get(word[0])
        if typing.get_origin(value) is not typing.Annotated:
            return word[0]
        bare, *_bounds = typing.get_args(value)
        return inspect.formatannotation(bare)

    written = re.sub(r"Annotated\[(.+), \w+\]", r"\1", written)
    written = re.sub(r"\bByK\[", "Mapping[int, ", written)
    return re.sub(r"\b_?[A-Z]\w+", meant, written)
