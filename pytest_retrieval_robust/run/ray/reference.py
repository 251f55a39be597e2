"""What all actors of a sweep have to be alike with."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.errors import RobustError
from ...measure.embeddings.identity import may_take
from .sameness import Sameness


def reference_of(
    own: Sameness, actors: Sequence[Sameness], named: Sequence[str] = ()
) -> Sameness:
    """What the actors of a sweep have to be like.

    The controller itself, where an actor has its kind of device; else an actor. `named`
    are the kinds of device that the user has named, of which the first one counts.

    Raises `RobustError` where actors have several kinds of which none is the
    controller's and none was named, and where none has a kind that was named.
    """
    kinds: dict[str, Sameness] = {}
    for actor in actors:
        kinds.setdefault(actor.identity.device, actor)
    there = ", ".join(sorted(kinds))
    if named:
        kinds = {kind: each for kind, each in kinds.items() if may_take(kind, named)}
        if not kinds:
            raise RobustError(
                "Expected actors of Ray on the kinds of device that"
                f" --robust-device-kinds names ({', '.join(named)}), got {there}. Name"
                " one of these."
            )
    if own.identity.device in kinds:
        return own
    for kind in named:
        if kind in kinds:
            return kinds[kind]
    if len(kinds) == 1 or named:
        return next(iter(kinds.values()))
    raise RobustError(
        f"Expected actors of Ray on one kind of device, got {there}. Embeddings of"
        " several kinds differ by rounding: use nodes of one kind, or name the kinds"
        " to mix with --robust-device-kinds."
    )
