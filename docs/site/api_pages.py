"""The pages of the public names: their signatures and docstrings, as the code has them.

A page in the repository says what its names are for; what the code says of each is
added when the site is built, so that the site can neither lack a name nor have another.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TypeAlias

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

import pytest_retrieval_robust as package
from pytest_retrieval_robust import strategies

PARTS = ("models", "datasets", "occluders", "corruptions", "texts")
"""Folders whose types are those of parts that a user may register."""
Names: TypeAlias = tuple[ModuleType, list[str]]
"""The names of a page, and the module that they are imported from."""


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the names to their pages, and links to them wherever a signature names one."""
    app.connect("source-read", add_names)
    app.connect("missing-reference", link_to_public_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def add_names(_app: Sphinx, page: str, source: list[str]) -> None:
    """Append to a page of names what the code says of each."""
    if page in PAGES:
        module, names = PAGES[page]()
        lines = [line for name in names for line in directive(module, name)]
        source[0] += "\n".join(["", "```{eval-rst}", *lines, "```", ""])


def directive(module: ModuleType, name: str) -> list[str]:
    """What autodoc is asked for."""
    value = getattr(module, name)
    full = f"{module.__name__}.{name}"
    if inspect.isroutine(value):
        return [f".. autofunction:: {full}", ""]
    if is_error(value):
        return [f".. autoclass:: {full}", "   :members:", "   :show-inheritance:", ""]
    if inspect.isclass(value):
        # Bases of other types are no names that a user may import.
        return [f".. autoclass:: {full}", "   :members:", ""]
    # An alias of a type.
    return [f".. autodata:: {full}", "   :no-value:", ""]


def functions() -> Names:
    """What is called."""
    return names_that(inspect.isroutine)


def errors() -> Names:
    """What is raised."""
    return names_that(is_error)


def parts() -> Names:
    """Types of models, data sets, occluders, corruptions and text noise."""
    return names_that(lambda value: is_type(value) and is_of_a_part(value))


def results() -> Names:
    """Every other type: what was measured, and how it was judged."""
    return names_that(lambda value: is_type(value) and not is_of_a_part(value))


def property_tests() -> Names:
    """The strategies, and what they draw."""
    return strategies, strategies.__all__


PAGES: Mapping[str, Callable[[], Names]] = {
    "docs/api-functions": functions,
    "docs/api-parts": parts,
    "docs/api-results": results,
    "docs/api-errors": errors,
    "docs/api-strategies": property_tests,
}
"""Together they have every public name once."""


def names_that(suit: Callable[[object], bool]) -> Names:
    """The names of the package whose values suit."""
    return package, [name for name in package.__all__ if suit(getattr(package, name))]


def is_error(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, Exception)


def is_type(value: object) -> bool:
    """Whether it is a class, a protocol or an alias of a type."""
    return not inspect.isroutine(value) and not is_error(value)


def is_of_a_part(value: object) -> bool:
    """Whether it is from a folder that parts are registered in."""
    module = getattr(value, "__module__", "")
    return any(module.startswith(f"{package.__name__}.{folder}") for folder in PARTS)


def link_to_public_name(
    app: Sphinx,
    env: BuildEnvironment,
    node: pending_xref,
    text: nodes.TextElement,
) -> nodes.reference | None:
    """Find a public name that an annotation calls by its module or by its last word."""
    name = node.get("reftarget", "").rpartition(".")[2]
    if node.get("refdomain") != "py" or name not in package.__all__:
        return None
    target = f"{package.__name__}.{name}"
    python = env.domains["py"]
    return python.resolve_xref(
        env, node["refdoc"], app.builder, "obj", target, node, text
    )
