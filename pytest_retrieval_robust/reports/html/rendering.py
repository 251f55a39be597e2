"""What turns a template of a page into one file: styles, scripts, and texts made harmless."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from .._text import level_text, number, percent, plain, readable, short
from .svg import swatch

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Assets:
    """What the page loads, which stands in the page itself."""

    style: Markup
    script: Markup
    early: Markup
    """The script that runs before anything is drawn."""

    @classmethod
    def read(cls, *more_styles: str) -> Assets:
        """Those of every page, and style sheets of a page of another kind."""
        styles = map(_asset, ("page.css", *more_styles))
        return cls(Markup("").join(styles), _asset("page.js"), _asset("early.js"))

    @property
    def style_hash(self) -> str:
        return _hash(self.style)

    @property
    def script_hashes(self) -> tuple[str, str]:
        return _hash(self.early), _hash(self.script)


@cache
def environment() -> Environment:
    """What renders templates of this folder: every text is made harmless and escaped."""
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
    """Every text of the page, made harmless and readably short, before it is escaped."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return readable(value)
    return value


def _multiline(text: str) -> Markup:
    return Markup("\n").join(plain(line) for line in text.splitlines())


def _whole(text: str) -> Markup:
    """A text that is shown to its end: a report, a command."""
    return Markup.escape(plain(text))


def _base64(content: bytes) -> Markup:
    return Markup(base64.b64encode(content).decode())


def _asset(name: str) -> Markup:
    return Markup((_FOLDER / name).read_text(encoding="utf-8"))


def _hash(content: str) -> str:
    """As a Content-Security-Policy names a script or style that may stand in the page."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
