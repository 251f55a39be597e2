"""What a reader of the numbers has to know besides them."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.cases import Json
from ..core.outcomes import ModelRecord
from ..core.words import counted
from ..gate.record import RunRecord

_SHOWN_KEYS = 3


def notes_of(run: RunRecord) -> list[str]:
    """The notes of a report that has parts of its own for the baseline and the reference."""
    said_there: tuple[str, ...] = ()
    for saved in (run.baseline, run.reference):
        if saved is not None:
            said_there += (*saved.obstacles, *saved.vanished)
    warnings = [warning for warning in run.warnings if warning not in said_there]
    return [*warnings, *loading_notes(run), *decoding_notes(run)]


def decoding_notes(run: RunRecord) -> list[str]:
    """Whose images were decoded otherwise than usual."""
    names = [
        dataset["name"]
        for dataset in run.datasets
        if dataset.get("decoding") == "device"
    ]
    if not names:
        return []
    return [
        f"{', '.join(names)}: JPEGs that the device could decode were decoded and resized"
        " there, whose pixels differ from Pillow's by rounding. Compare a run with"
        " --robust-decode host before its recalls are published"
    ]


def loading_notes(run: RunRecord) -> list[str]:
    """What must be known of the loaded models.

    Each fact stands once, with the models that it is true of.
    """
    models_of: dict[str, list[str]] = {}
    for model in run.models:
        for fact in _facts(run, model):
            models_of.setdefault(fact, []).append(model.name)
    return [f"{', '.join(names)}: {fact}" for fact, names in models_of.items()]


def _facts(run: RunRecord, model: ModelRecord) -> Iterator[str]:
    effect = model.card.get("precision_effect")
    if effect is not None:
        yield _half_precision(effect)
    unexpected_keys = model.card.get("unexpected_keys") or []
    if unexpected_keys:
        yield _unexpected(unexpected_keys)
    if model.card.get("truncated_reports"):
        yield _truncation(run, model)


def _half_precision(effect: Json) -> str:
    """What it does to embeddings, and what to do about it."""
    images = effect["images"]
    reports = effect["reports"]
    return (
        "half precision moves its embeddings: cosine to fp32 at least"
        f" {images['lowest_cosine']:.6f} over {counted(images['count'], 'image')} and"
        f" {reports['lowest_cosine']:.6f} over {counted(reports['count'], 'report')}. Compare a"
        " run in fp32 before its recalls are published"
    )


def _unexpected(keys: list[str]) -> str:
    """Weights that were not loaded: a sign that the network is not the trained one."""
    names = ", ".join(keys[:_SHOWN_KEYS])
    if len(keys) > _SHOWN_KEYS:
        names += ", ..."
    count = counted(len(keys), "key")
    return f"{count} of its checkpoint did not fit the network: {names}"


def _truncation(run: RunRecord, model: ModelRecord) -> str:
    """How many reports are longer than the model's context: it never reads their end."""
    cut = model.card["truncated_reports"]
    outcomes = [outcome for outcome in run.outcomes if outcome.case.model == model.name]
    measured = {outcome.case.dataset for outcome in outcomes}
    counts = [facts["reports"] for facts in run.datasets if facts["name"] in measured]
    reports = counted(cut, "report")
    if counts:
        total = sum(counts)
        reports = f"{cut} of {counted(total, 'report')} ({100 * cut / total:.1f} %)"
    context = model.card.get("context_length")
    verb = "is" if cut == 1 else "are"
    return f"{reports} {verb} longer than the {context} tokens that the model reads"
