"""Whether the members of a supposed dual encoder are of the kinds that the protocol says."""

from __future__ import annotations

from collections.abc import Iterator

from .card import ModelCard
from .encoder import DualEncoder

_TEXTS = {
    "name": "Results are saved under it.",
    "device": "Give where its rows are made: 'cpu', 'cuda:0' or 'mps'.",
}
_METHODS = ("prepare", "encode_images", "encode_reports")


def broken_member(model: DualEncoder, name: str) -> str | None:
    """A sentence about the first member of another kind, or None.

    `name` is what the model is called in it. A property of the user's own may raise.
    """
    return next(_broken_members(model, name), None)


def _broken_members(model: DualEncoder, name: str) -> Iterator[str]:
    for member, advice in _TEXTS.items():
        value: object = getattr(model, member)
        if not isinstance(value, str) or not value:
            yield (
                f"Expected {member} of {name} as a text, got {_kind(value)}. {advice}"
            )
    card: object = model.card
    if not isinstance(card, ModelCard):
        yield (
            f"Expected the card of {name} to be a ModelCard, got {_kind(card)}. Return"
            " ModelCard(source=...)."
        )
    for member in _METHODS:
        method: object = getattr(model, member)
        if not callable(method):
            yield (
                f"Expected a method {member} of {name}, got {_kind(method)}. See"
                " DualEncoder, or use encoder_from_callables."
            )


def _kind(value: object) -> str:
    if value is None:
        return "None"
    if value == "":
        return "an empty text"
    return f"a {type(value).__name__}"
