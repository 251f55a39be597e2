"""Formulae as MathML, which browsers draw without a script or a font from elsewhere."""

from __future__ import annotations

from html import escape

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util.logging import getLogger
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

LOGGER = getLogger(__name__)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Make it the renderer of pages in HTML."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mathml_of(node: nodes.math | nodes.math_block, *, as_block: bool) -> str:
    """The formula, or its source with a warning where docutils does not know a command."""
    try:
        written: str = tex2mathml(node.astext(), as_block=as_block)
    except MathError as error:
        LOGGER.warning("%s", error, location=node)
        written = f"<code>{escape(node.astext())}</code>"
    return written


def inline(translator: HTML5Translator, node: nodes.math) -> None:
    """A formula within a line."""
    translator.body.append(mathml_of(node, as_block=False))
    raise nodes.SkipNode


def block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """A formula on lines of its own, which scrolls by itself where it is too wide."""
    formula = mathml_of(node, as_block=True)
    translator.body.append(f'<div class="formula">{formula}</div>\n')
    raise nodes.SkipNode
