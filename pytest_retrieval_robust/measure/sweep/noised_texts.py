"""The reports of a gallery under a noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...core.errors import CorruptionError

if TYPE_CHECKING:
    from ...core.cases import Cell
    from ...texts.noise import TextNoise


def noised_texts(noise: TextNoise, texts: Sequence[str], cell: Cell) -> list[str]:
    """The texts at the cell's severity, in their order; each different one is asked for
    once.

    Raises:
        CorruptionError: The noise gave something else than a text for each, which is not
            blank where the text was not.
    """
    # The lists may be written to by a user's class.
    different = list(dict.fromkeys(texts))
    noised = noise.apply(list(different), cell.level, cell.seed)
    problem = _problem(noised, different)
    if problem is not None:
        raise CorruptionError(
            f"Expected {len(different)} texts from the text noise {noise.name}, got"
            f" {problem}. Return one for each text, in their order, and leave none"
            " empty."
        )
    by_text = dict(zip(different, noised, strict=True))
    return [by_text[text] for text in texts]


def _problem(noised: object, texts: Sequence[str]) -> str | None:
    """What is wrong with what a noise gave, without a word of it."""
    if not isinstance(noised, list | tuple):
        return f"a value of type {type(noised).__name__}"
    if len(noised) != len(texts):
        return f"texts={len(noised)}"
    for text, before in zip(noised, texts, strict=True):
        if not isinstance(text, str):
            return f"a value of type {type(text).__name__} among them"
        if before.strip() and not text.strip():
            return "an empty text among them"
    return None
