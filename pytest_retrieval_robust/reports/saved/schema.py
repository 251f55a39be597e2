"""`run.schema.json`, made of the types in `document`.

`python -m pytest_retrieval_robust.reports.saved.schema` writes the file anew.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec

from ...core import costs, counterfactual_outcomes, drift, outcomes, strata
from ...core.codec import Json
from . import comparison_forms, document
from .read import SCHEMA_FILE

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_NOT_IN_OLDER_RUNS = {
    ("Scores", "metrics"),
    ("Scores", "answers"),
    ("Timing", "from_store"),
    ("Timing", "hardware"),
    ("Timing", "encoded_on"),
    ("Case", "family"),
    ("Plan", "corruptions"),
    ("Plan", "text_noise"),
    ("Plan", "severities"),
    ("WinShare", "patients"),
    ("WinShare", "degrees_of_freedom"),
    ("DistractorRecall", "patients"),
    ("DistractorRecall", "degrees_of_freedom"),
}
"""Fields that the first runs of this version of the schema lack."""


def run_schema() -> Json:
    """The schema of `run.json`.

    All fields are required, but for those that may be unset, and no others are allowed.
    """
    definitions: dict[str, Json] = msgspec.json.schema(document.RunDocument)["$defs"]
    for definition in definitions.values():
        if "properties" in definition:
            _complete(definition)
    # Pairs first: a definition that stands in place of a reference is in its final form.
    definitions = {name: _changed(of, _pair) for name, of in definitions.items()}

    def nullable(node: Json) -> Json:
        return _nullable(node, definitions)

    definitions = {name: _changed(of, nullable) for name, of in definitions.items()}
    whole = definitions.pop(document.RunDocument.__name__)
    text = json.dumps([whole, definitions])
    used = {name: of for name, of in definitions.items() if f'/$defs/{name}"' in text}
    return {"$schema": _DRAFT, **whole, "$defs": used}


def schema_text() -> str:
    """The text of `run.schema.json`."""
    return json.dumps(run_schema(), indent=1) + "\n"


def _class_named(name: str) -> Any:
    """The class of a definition: of the document, or of what it holds."""
    for module in (
        document,
        comparison_forms,
        costs,
        outcomes,
        counterfactual_outcomes,
        drift,
        strata,
    ):
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(name)


def _complete(definition: Json) -> None:
    """Require what a class always writes, refuse what it does not have, and say what
    its fields mean.
    """
    name = definition["title"]
    kind = _class_named(name)
    definition["additionalProperties"] = False
    definition["description"] = _one_line(definition["description"])
    if not issubclass(kind, msgspec.Struct):
        # Its defaults are for those who make one. In the file every field is written.
        definition["required"] = [
            field
            for field in definition["properties"]
            if (name, field) not in _NOT_IN_OLDER_RUNS
        ]
    docstrings = _docstrings_of_fields(kind)
    for field, form in definition["properties"].items():
        form.pop("default", None)
        if field in docstrings:
            form["description"] = docstrings[field]


def _docstrings_of_fields(kind: type) -> dict[str, str]:
    """Field -> the text that stands below it."""
    source = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    [definition] = source.body
    assert isinstance(definition, ast.ClassDef)
    texts = {}
    for field, below in pairwise(definition.body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                texts[name] = _one_line(text)
    return texts


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _changed(node: Any, change: Callable[[Json], Json]) -> Any:
    """A schema with `change` applied to each object in it, the inner ones first."""
    if isinstance(node, list):
        return [_changed(item, change) for item in node]
    if isinstance(node, dict):
        return change({key: _changed(value, change) for key, value in node.items()})
    return node


def _pair(node: Json) -> Json:
    """Say of two numbers what each of them is: `fastjsonschema` has no `prefixItems`."""
    if "prefixItems" not in node:
        return node
    first, *_ = node.pop("prefixItems")
    return {**node, "items": first}


def _nullable(node: Json, definitions: dict[str, Json]) -> Json:
    """Write "this form or null" as one form, so that a message names the place within it."""
    match node:
        case {"anyOf": [form, {"type": "null"}], **rest}:
            reference = form.get("$ref", "").rpartition("/")[2]
            form = definitions.get(reference, form)
            if "enum" in form:
                return {**rest, "enum": [*form["enum"], None]}
            return {**form, "type": [form["type"], "null"], **rest}
    return node


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
