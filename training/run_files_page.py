"""Writes the tables of docs/run-files.md: `python -m training.run_files_page`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest_retrieval_robust
from training.contact_sheet import DOCS, replace_part

PAGE = DOCS / "run-files.md"
SCHEMA = Path(pytest_retrieval_robust.__file__).parent / "reports" / "run.schema.json"
HEADER = ("| field | holds | |", "| --- | --- | --- |")
Schema: TypeAlias = Mapping[str, Any]


def main() -> None:
    """Write the generated part of the page."""
    replace_part(PAGE, "schema", tables())


def tables() -> str:
    """A section for the whole document, and one for each kind of object in it."""
    document = read_schema()
    sections = [section("The document", document)]
    for name, schema in {**document["$defs"], **inline(document)}.items():
        sections.append(section(f"`{shown(name)}`", schema))
    return "\n\n".join(sections)


def read_schema() -> Schema:
    """The schema. Where a field holds one of some words, it names these itself."""
    document: Schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    definitions = document["$defs"]
    of_words = [name for name in definitions if "enum" in definitions[name]]
    for name in of_words:
        words = definitions.pop(name)["enum"]
        for definition in definitions.values():
            for field in definition["properties"].values():
                if field.get("$ref") == f"#/$defs/{name}":
                    field["enum"] = words
                    del field["$ref"]
    return document


def inline(schema: Any) -> dict[str, Schema]:
    """Objects with a name of their own that are defined where they are used."""
    named: dict[str, Schema] = {}
    values = schema if isinstance(schema, list) else []
    if isinstance(schema, dict):
        values = [value for key, value in schema.items() if key != "$defs"]
        for definition in schema.get("$defs", {}).values():
            named |= inline(list(definition.get("properties", {}).values()))
        if "title" in schema and "$defs" not in schema and "properties" in schema:
            named[schema["title"]] = schema
    for value in values:
        named |= inline(value)
    return named


def shown(name: str) -> str:
    """`Outcome` for `OutcomeForm`, a class that no user imports."""
    return name.removesuffix("Form")


def section(title: str, schema: Schema) -> str:
    """A heading, what the object is, and one row per field."""
    lines = [f"### {title}", ""]
    if "description" in schema:
        lines += [schema["description"], ""]
    return "\n".join([*lines, *HEADER, *rows(schema)])


def rows(schema: Schema) -> Iterator[str]:
    """The fields, in the order of the file."""
    for name, field in schema["properties"].items():
        said = field.get("description", "")
        is_explained = re.search("absent|missing", said, re.IGNORECASE)
        if name not in schema["required"] and not is_explained:
            said = f"May be absent. {said}".strip()
        yield f"| `{name}` | {kind_of(field)} | {said} |"


def kind_of(field: Schema) -> str:
    """What a field holds, in words, with a link to a table of this page."""
    if "$ref" in field:
        return reference(field["$ref"].rpartition("/")[2])
    if "enum" in field:
        return ", ".join(f"`{json.dumps(word)}`" for word in field["enum"])
    if "anyOf" in field:
        return " or ".join(kind_of(choice) for choice in field["anyOf"])
    kinds = field.get("type", "any value")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    words = [word_of(kind, field) for kind in kinds if kind != "null"]
    return " or ".join([*words, *["null" for kind in kinds if kind == "null"]])


def reference(name: str) -> str:
    return f"[{shown(name)}](#{shown(name).lower()})"


def word_of(kind: str, field: Schema) -> str:
    """One of the types of JSON, with its bounds or with what is in it."""
    if kind == "array":
        if field.get("maxItems") == 2:
            return f"two of: {kind_of(field['items'])}"
        return f"list of: {kind_of(field['items'])}"
    if kind == "object" and "title" in field and "properties" in field:
        return reference(field["title"])
    if kind == "object":
        by = "by k" if "propertyNames" in field else "by name"
        return f"{by}: {kind_of(field.get('additionalProperties', {}))}"
    if kind in ("number", "integer"):
        return bounded("whole number" if kind == "integer" else "number", field)
    return {"string": "text", "boolean": "true or false"}.get(kind, kind)


def bounded(word: str, field: Schema) -> str:
    """`number, 0 to 1`."""
    low, high = field.get("minimum"), field.get("maximum")
    if low is None and high is None:
        return word
    if high is None:
        return f"{word} from {low}"
    return f"{word}, {low} to {high}" if low is not None else f"{word} up to {high}"


if __name__ == "__main__":
    main()
