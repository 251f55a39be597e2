"""The file that suggestions are written as: tables, and what the risk means."""

from __future__ import annotations

from collections.abc import Iterator

from ... import __version__
from ...core.words import counted
from .asked import Asked
from .margins import AGREEMENT
from .suggestions import OfModel, Suggestions
from .tables import comment, tables

_LEFT_OUT_SHOWN = 20


def as_toml(suggestions: Suggestions) -> str:
    """A part of a `robust.toml`: comments and `[[gate]]` tables, models after another."""
    parts = ["\n".join(comment(sentence) for sentence in _head(suggestions))]
    for of_model in suggestions.models:
        lines = [comment(sentence) for sentence in _lead(of_model, suggestions.asked)]
        lines += ["", tables(of_model.suggested, suggestions.asked)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _head(suggestions: Suggestions) -> Iterator[str]:
    identity = suggestions.identity
    asked = suggestions.asked
    yield (
        f"Suggested by pytest-retrieval-robust {__version__} from run {identity.id} of"
        f" {identity.started}."
    )
    for mark in suggestions.marks:
        yield f"NOT A FULL RUN: it is {mark}. Suggest limits from a full one again."
    yield (
        f"Risk {asked.risk:g}: a model that has not changed, measured on another sample"
        " of as many queries of as many patients, fails any of the gates of its name"
        f" with a probability of at most {asked.risk:g}. Both samples vary, this run's"
        " and the next, so limits lie below the interval of what was observed."
    )
    if len(suggestions.models) > 1:
        total = min(1.0, asked.risk * len(suggestions.models))
        yield (
            f"The risk is that of each model by itself: any of the"
            f" {len(suggestions.models)} fails with at most {total:g}."
        )
    yield _decision(asked)
    yield (
        "Above each limit stand what was observed, its interval of 95 %, and the loss at"
        " which the gate fails with a probability of 0.8. Weak: half of it could be lost"
        " unnoticed."
    )
    if asked.per != "cell":
        yield (
            "A margin is for a model that is as good as its baseline, whose hits"
            f" correlate with the baseline's at {AGREEMENT:g} or more."
        )


def _decision(asked: Asked) -> str:
    if asked.decide == "point":
        return (
            'Limits are for decide = "point": the number itself must reach the floor.'
        )
    return (
        f'Limits are for decide = "bound", confidence = {asked.confidence:g}: the lower'
        " bound must reach the floor; a gate that is inconclusive counts as failed."
    )


def _lead(of_model: OfModel, asked: Asked) -> Iterator[str]:
    yield (
        f"{of_model.model}: {counted(of_model.gates, 'gate shares', 'gates share')} the"
        f" risk of {asked.risk:g}, each seed counted."
    )
    if of_model.left_out:
        yield (
            f"Without a limit: {counted(len(of_model.left_out), 'number')}, because the"
            " run itself would not pass."
        )
    for sentence in of_model.left_out[:_LEFT_OUT_SHOWN]:
        yield f"* {sentence}"
    more = len(of_model.left_out) - _LEFT_OUT_SHOWN
    if more > 0:
        yield f"* and {more} more"
