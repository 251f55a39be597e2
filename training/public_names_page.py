"""Writes the table of names in docs/python.md: `python -m training.public_names_page`."""

from __future__ import annotations

import inspect
import re

import pytest_retrieval_robust
from training.contact_sheet import DOCS, replace_part

PAGE = DOCS / "python.md"
HEADER = ("| name | what it is |", "| --- | --- |")


def main() -> None:
    """Write the generated part of the page."""
    replace_part(PAGE, "names", table())


def table() -> str:
    """One row per public name: functions, errors, then types."""
    return "\n".join([*HEADER, *map(row, pytest_retrieval_robust.__all__)])


def row(name: str) -> str:
    return f"| `{name}` | {summary_of(name)} |"


def summary_of(name: str) -> str:
    """The first sentence of what its docstring says."""
    value = getattr(pytest_retrieval_robust, name)
    # An alias of a type has no docstring of its own.
    if not inspect.isclass(value) and not inspect.isroutine(value):
        return f"one of {', '.join(f'`{word}`' for word in value.__args__)}"
    docstring = inspect.cleandoc(value.__doc__ or "")
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    sentence = re.split(r"(?<=[.;]) |(?<=:) ", paragraph, maxsplit=1)[0]
    return sentence.rstrip(".;:").replace("|", r"\|")


if __name__ == "__main__":
    main()
