"""A page taken apart: its elements, their words, and the data that it offers to save."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest


def parsed(page: str) -> Element:
    """The page's elements; any error of HTML fails."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)  # type: ignore[no-any-return]


def words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def find(page: Element, path: str) -> list[Element]:
    return page.findall(f".//{path}")


def data_of(page: Element) -> dict[str, Any]:
    (block,) = (
        script
        for script in find(page, "script")
        if script.get("type") == "application/json"
    )
    return json.loads(block.text or "", parse_constant=lambda name: pytest.fail(name))  # type: ignore[no-any-return]


def rows_of(table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (dict(zip(table["columns"], row, strict=True)) for row in table["rows"])


def element_tag(element: Element) -> str:
    return str(element.tag)


def section_of(page: Element, name: str) -> Element:
    """The section with that id."""
    (section,) = (part for part in find(page, "section") if part.get("id") == name)
    return section
