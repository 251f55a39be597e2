"""A model's part of its card on the Hugging Face Hub: the `model-index` metadata, and a
section of Markdown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..core.cases import DIRECTIONS
from ..core.catalogue import unknown_name
from ..core.errors import RobustError
from ..core.outcomes import ModelRecord
from ..gate.record import RunRecord
from ._text import percent, plain
from .markdown import code, table, text
from .series import Point, Series, series_of


def model_card(run: RunRecord, name: str | None = None) -> str:
    """A README of the metadata, between its `---`, and the section; to be merged into a
    card that is there already.

    Without a name it is that of the only model that the run tested.

    Raises:
        UnknownNameError: The run has no such model. RobustError: It has, and did not
        test it. Or no name was given, and not exactly one model was tested.
    """
    name = _only_tested(run) if name is None else name
    model = _model(run, name)
    series = [one for one in series_of(run) if one.model == name]
    metadata = "\n".join(_yaml({"model-index": [_index(run, model, series)]}))
    return (
        f"---\n{metadata}\n---\n\n" + "\n\n".join(_section(run, model, series)) + "\n"
    )


def _only_tested(run: RunRecord) -> str:
    tested = list(dict.fromkeys(outcome.case.model for outcome in run.outcomes))
    if len(tested) != 1:
        raise RobustError(
            f"Expected a run that tested one model, got {len(tested)}"
            f" ({', '.join(tested) or 'none'}). Name one with --model."
        )
    return tested[0]


def _model(run: RunRecord, name: str) -> ModelRecord:
    found = {model.name: model for model in run.models}
    if name not in found:
        raise unknown_name("model", name, found)
    if not any(outcome.case.model == name for outcome in run.outcomes):
        reason = found[name].reason or "no test of it was run or finished"
        raise RobustError(
            f"Expected a model that the run tested, got model={name!r}: {reason}. Run"
            " its tests first."
        )
    return found[name]


def _index(
    run: RunRecord, model: ModelRecord, series: Sequence[Series]
) -> dict[str, Any]:
    places = dict.fromkeys((one.dataset, one.occluder) for one in series)
    results = []
    for dataset, occluder in places:
        of_place = [
            one for one in series if (one.dataset, one.occluder) == (dataset, occluder)
        ]
        facts = next((facts for facts in run.datasets if facts["name"] == dataset), {})
        part = "" if run.limit is None else f" (first {run.limit} pairs)"
        described = {"name": f"{plain(dataset)}{part}", "type": plain(dataset)}
        described |= {"split": plain(str(facts["split"]))} if facts.get("split") else {}
        described |= (
            {"revision": plain(str(facts["fingerprint"]))}
            if facts.get("fingerprint")
            else {}
        )
        metrics = [metric for one in of_place for metric in _metrics(one)]
        if not metrics:
            continue
        results.append(
            {
                "task": {
                    "type": "image-text-retrieval",
                    "name": f"Image-report retrieval, {plain(occluder)}",
                },
                "dataset": described,
                "metrics": metrics,
            }
        )
    return {"name": plain(model.name), "results": results}


def _metrics(one: Series) -> Iterator[dict[str, Any]]:
    """In %, as the Hub's other retrieval results are."""
    for place, point in enumerate(one.recall):
        if point.value is not None:
            name = (
                f"Recall@{one.k}, {one.direction.replace('-', ' ')},"
                f" {one.level_words(place)} (%)"
            )
            yield {
                "type": f"recall_at_{one.k}",
                "value": round(100 * point.value, 2),
                "name": name,
            }


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Block style; every scalar as JSON, which YAML reads."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict | list) and inner:
                yield f"{indent}{key}:"
                yield from _yaml(inner, f"{indent}  ")
            else:
                yield f"{indent}{key}: {json.dumps(inner, ensure_ascii=False)}"
    else:
        for inner in value:
            first, *rest = _yaml(inner, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest


def _section(
    run: RunRecord, model: ModelRecord, series: Sequence[Series]
) -> Iterator[str]:
    yield "## Retrieval under occlusion"
    yield (
        "Recall@k in %, with its 95 % interval, when a share of each image is hidden;"
        " what is kept is Recall at the highest level divided by that with nothing"
        " hidden."
    )
    for dataset, occluder in dict.fromkeys(
        (one.dataset, one.occluder) for one in series
    ):
        for direction in DIRECTIONS:
            drawn = [
                s
                for s in series
                if (s.dataset, s.occluder, s.direction)
                == (dataset, occluder, direction)
            ]
            heads = {
                point.level: one.level_words(at)
                for one in drawn
                for at, point in enumerate(one.recall)
            }
            levels, first = sorted(heads), drawn[0]
            yield (
                f"**{direction.replace('-', ' ').capitalize()}**, {code(occluder)} on"
                f" {code(dataset)}: {first.queries} queries, gallery {first.gallery}."
            )
            yield table(
                ("", *(heads[level] for level in levels), "kept", "chance"),
                [_row(one, levels) for one in drawn],
                1,
            )
    if any(one.is_at_chance for one in series):
        yield (
            "With nothing hidden it retrieves no better than chance, so that there is"
            " nothing to keep."
        )
    yield "\n".join(_facts(run, model, {one.dataset for one in series}))


def _row(one: Series, levels: Sequence[float]) -> list[str]:
    cells = {point.level: _cell(point) for point in one.recall}
    kept = "at chance" if one.is_at_chance else percent(one.last_kept)
    return [
        f"Recall@{one.k}",
        *(cells.get(level, "–") for level in levels),
        kept,
        percent(one.chance),
    ]


def _cell(point: Point) -> str:
    ends = (
        ""
        if point.low is None or point.high is None
        else f" ({percent(point.low)}–{percent(point.high)})"
    )
    return f"{percent(point.value)}{ends}"


def _facts(run: RunRecord, model: ModelRecord, datasets: set[str]) -> Iterator[str]:
    for facts in (facts for facts in run.datasets if facts["name"] in datasets):
        told = ", ".join(
            text(str(facts[key]))
            for key in ("split", "text", "relevance")
            if facts.get(key)
        )
        yield (
            f"- {code(facts['name'])}: {told}, fingerprint"
            f" {code(str(facts.get('fingerprint'))[:12])}"
        )
    known = ", ".join(
        f"{key} {code(str(model.card[key]))}"
        for key in ("source", "revision", "sha256")
        if model.card.get(key)
    )
    if known:
        yield f"- weights: {known}"
    if run.limit is not None:
        yield f"- a smoke run on the first {run.limit} pairs alone"
    if run.scope.partial is not None:
        yield f"- a partial run ({text(run.scope.partial)})"
    yield (
        f"- measured by pytest-retrieval-robust {text(run.identity.version)} on"
        f" {text(run.identity.started)}, run {code(run.identity.id)}"
    )
