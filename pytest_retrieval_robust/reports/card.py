"""A model's part of its card on the Hugging Face Hub: metadata and a section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..core.cases import DIRECTIONS, FAMILIES, Family
from ..core.catalogue import unknown_name
from ..core.errors import RobustError
from ..core.outcomes import ModelRecord
from ..core.words import counted
from ..gate.record import RunRecord
from ._text import percent, plain
from .family_summary import FAMILY_TITLES
from .markdown.dialect import code, table, text
from .run_series import series_of
from .series import Point, Series

_LEADS: dict[Family, str] = {
    "occlusion": (
        "Recall@k in %, with its 95 % interval, when a share of each image is hidden."
        " Kept: Recall at the highest level divided by that with nothing hidden, in %."
    ),
    "corruption": (
        "Recall@k in %, with its 95 % interval, when images are acquired worse, at"
        " severities from 0 (clean) to 1. Kept: Recall at the highest severity divided by"
        " that at severity 0, in %."
    ),
    "text-noise": (
        "Recall@k in %, with its 95 % interval, when reports are written worse, at"
        " severities from 0 (clean) to 1. Kept: Recall at the highest severity divided by"
        " that at severity 0, in %."
    ),
}


def model_card(run: RunRecord, name: str | None = None) -> str:
    """The `model-index` metadata between its `---`, and a section of Markdown.

    Merge the two into the card that the model already has. Without a name, the model is
    the only one that the run tested.

    Raises:
        UnknownNameError: The run has no such model.
        RobustError: The run did not test the model. Or no name was given, and the run
            tested none or several models.
    """
    from huggingface_hub import CardData

    if name is None:
        name = _only_tested(run)
    model = _model(run, name)
    series = [line for line in series_of(run) if line.model == name]
    fields: dict[str, Any] = {"model-index": [_index(run, model, series)]}
    metadata = CardData(**fields).to_yaml()
    section = "\n\n".join(_section(run, model, series))
    return f"---\n{metadata}\n---\n\n{section}\n"


def _only_tested(run: RunRecord) -> str:
    tested = list(dict.fromkeys(outcome.case.model for outcome in run.outcomes))
    if len(tested) != 1:
        raise RobustError(
            f"Expected a run that tested one model, got {len(tested)}"
            f" ({', '.join(tested) or 'none'}). Name one with --model."
        )
    return tested[0]


def _model(run: RunRecord, name: str) -> ModelRecord:
    models = {model.name: model for model in run.models}
    if name not in models:
        raise unknown_name("model", name, models)
    if not any(outcome.case.model == name for outcome in run.outcomes):
        reason = models[name].reason or "none of its tests finished"
        raise RobustError(
            f"Expected a model that the run tested, got model={name!r}: {reason}. Run"
            " its tests first."
        )
    return models[name]


def _index(
    run: RunRecord, model: ModelRecord, series: Sequence[Series]
) -> dict[str, Any]:
    results = []
    for subject in dict.fromkeys(map(_subject, series)):
        dataset, _, occluder = subject
        lines = [line for line in series if _subject(line) == subject]
        metrics = [metric for line in lines for metric in _metrics(line)]
        # The Hub refuses a result without metrics.
        if metrics:
            result = {
                "task": {
                    "type": "image-text-retrieval",
                    "name": f"Image-report retrieval, {plain(occluder)}",
                },
                "dataset": _dataset(run, dataset),
                "metrics": metrics,
            }
            results.append(result)
    return {"name": plain(model.name), "results": results}


def _subject(line: Series) -> tuple[str, Family, str]:
    return line.dataset, line.family, line.occluder


def _dataset(run: RunRecord, name: str) -> dict[str, str]:
    """A data set as `model-index` describes it."""
    part = "" if run.limit is None else f" (first {counted(run.limit, 'pair')})"
    description = {"name": f"{plain(name)}{part}", "type": plain(name)}
    facts = _facts_of(run, name)
    if facts.get("split"):
        description["split"] = plain(str(facts["split"]))
    if facts.get("fingerprint"):
        description["revision"] = plain(str(facts["fingerprint"]))
    return description


def _facts_of(run: RunRecord, dataset: str) -> Mapping[str, Any]:
    for facts in run.datasets:
        if facts["name"] == dataset:
            return facts
    return {}


def _metrics(line: Series) -> Iterator[dict[str, Any]]:
    """In %, as the Hub's other retrieval results are."""
    direction = line.direction.replace("-", " ")
    for place, point in enumerate(line.recall):
        if point.value is None:
            continue
        yield {
            "type": f"recall_at_{line.k}",
            "value": round(100 * point.value, 2),
            "name": f"Recall@{line.k}, {direction}, {line.level_words(place)} (%)",
        }


def _section(
    run: RunRecord, model: ModelRecord, series: Sequence[Series]
) -> Iterator[str]:
    families = {line.family for line in series}
    for family in FAMILIES:
        # The section says what occlusions are even where none was measured.
        if family in families or (family == "occlusion" and not families):
            yield f"## Retrieval under {FAMILY_TITLES[family]}"
            yield _LEADS[family]
            of_family = [line for line in series if line.family == family]
            yield from _tables(of_family)
    if any(line.is_at_chance for line in series):
        yield (
            "With nothing hidden the model retrieves no better than chance, so there is"
            " nothing to keep."
        )
    yield "\n".join(_facts(run, model, {line.dataset for line in series}))


def _tables(series: Sequence[Series]) -> Iterator[str]:
    for subject in dict.fromkeys(map(_subject, series)):
        dataset, _, occluder = subject
        for direction in DIRECTIONS:
            lines = [
                line
                for line in series
                if _subject(line) == subject and line.direction == direction
            ]
            yield (
                f"**{direction.replace('-', ' ').capitalize()}**, {code(occluder)} on"
                f" {code(dataset)}: {counted(lines[0].queries, 'query', 'queries')}, gallery"
                f" {lines[0].gallery}."
            )
            yield _recalls(lines)


def _recalls(lines: Sequence[Series]) -> str:
    """One row per k, one column per level."""
    heads = {}
    for line in lines:
        for place, point in enumerate(line.recall):
            heads[point.level] = line.level_words(place)
    levels = sorted(heads)
    columns = ["", *(heads[level] for level in levels), "kept", "chance"]
    return table(columns, [_row(line, levels) for line in lines], 1)


def _row(line: Series, levels: Sequence[float]) -> list[str]:
    cells = {point.level: _cell(point) for point in line.recall}
    retention = "at chance" if line.is_at_chance else percent(line.last_retention)
    return [
        f"Recall@{line.k}",
        *(cells.get(level, "–") for level in levels),
        retention,
        percent(line.chance),
    ]


def _cell(point: Point) -> str:
    recall = percent(point.value)
    if point.low is None or point.high is None:
        return recall
    return f"{recall} ({percent(point.low)}–{percent(point.high)})"


def _facts(run: RunRecord, model: ModelRecord, datasets: set[str]) -> Iterator[str]:
    for facts in run.datasets:
        if facts["name"] not in datasets:
            continue
        terms = [
            text(str(facts[key]))
            for key in ("split", "text", "relevance")
            if facts.get(key)
        ]
        fingerprint = code(str(facts.get("fingerprint"))[:12])
        yield f"- {code(facts['name'])}: {', '.join(terms)}, fingerprint {fingerprint}"
    origin = [
        f"{key} {code(str(model.card[key]))}"
        for key in ("source", "revision", "sha256", "licence", "terms")
        if model.card.get(key)
    ]
    if origin:
        yield f"- weights: {', '.join(origin)}"
    if run.limit is not None:
        yield f"- a smoke run on only the first {counted(run.limit, 'pair')}"
    if run.scope.partial is not None:
        yield f"- a partial run ({text(run.scope.partial)})"
    yield (
        f"- measured by pytest-retrieval-robust {text(run.identity.version)} on"
        f" {text(run.identity.started)}, run {code(run.identity.id)}"
    )
