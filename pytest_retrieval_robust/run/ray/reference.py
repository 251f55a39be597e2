"""What all actors of a sweep have to be alike with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...core.errors import RobustError
from .sameness import Sameness

if TYPE_CHECKING:
    from ...measure.sweep.plan import SweepPlan


def reference_of(plan: SweepPlan, actors: Sequence[Sameness]) -> Sameness:
    """The controller itself, where an actor has its kind of device; else the actors' kind.

    Raises `RobustError` where actors have several kinds, of which none is the
    controller's.
    """
    own = Sameness.of(plan, None)
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
