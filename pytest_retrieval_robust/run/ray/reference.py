"""What all actors of a sweep have to be alike with."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.errors import RobustError
from .sameness import Sameness


def reference_of(own: Sameness, actors: Sequence[Sameness]) -> Sameness:
    """The controller itself, where an actor has its kind of device; else an actor.

    Raises `RobustError` where actors have several kinds, of which none is the
    controller's.
    """
    kinds: dict[str, Sameness] = {}
    for actor in actors:
        kinds.setdefault(actor.identity.device, actor)
    if own.identity.device in kinds:
        return own
    if len(kinds) == 1:
        (reference,) = kinds.values()
        return reference
    raise RobustError(
        "Expected actors of Ray on one kind of device, got"
        f" {', '.join(sorted(kinds))}. Embeddings of several kinds differ by rounding:"
        " use nodes of one kind."
    )
