"""Candidate and baseline group by group: no group may lose what the others gain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core.roles import Role
from ..retrieval.binomial import above_chance
from .difference import Difference, Errors, NotComparable
from .group_difference import GroupDifference
from .grouping import Group, Grouping
from .paired_hits import PairedHits

DifferenceOf: TypeAlias = Callable[[PairedHits, Errors], Difference]
"""The difference that paired hits show, of one cell or over levels."""


def worst_difference(
    hits: PairedHits, grouping: Grouping, difference_of: DifferenceOf, errors: Errors
) -> GroupDifference | NotComparable:
    """Candidate minus baseline in the group that loses most.

    A release needs every group: the bound that passes is the lowest of bounds at the
    whole error each (intersection-union). Any group may block: the groups share the error
    of the bound that fails.
    """
    groups = grouping.judged
    if not groups:
        return NotComparable(
            f"every group is too small to be judged {grouping.small_words}"
        )
    shared = replace(errors, gates=errors.gates * len(groups))
    differences = [
        difference_of(hits_of_group(hits, group), shared) for group in groups
    ]
    place = min(range(len(groups)), key=lambda number: differences[number].value)
    worst = differences[place]
    of_every_group = {
        "passes_at": min(each.passes_at for each in differences),
        "fails_at": min(each.fails_at for each in differences),
    }
    return GroupDifference(
        **{**vars(worst), **of_every_group},
        group=groups[place],
        grouping=grouping,
        every=tuple(differences),
    )


def nothing_to_lose(
    clean: PairedHits, hits: PairedHits, grouping: Grouping, chance: float, role: Role
) -> NotComparable | None:
    """Why a share of the clean recall says nothing of some group; None where it does.

    A group in which a model finds nothing keeps all of it. `clean` are the hits with
    nothing done, at the k at which "above chance" is decided, and `hits` those of the
    gate, of which the first cell is the clean one.
    """
    for group in grouping.judged:
        at_chance_k = hits_of_group(clean, group)
        at_k = hits_of_group(hits, group)
        for whose, found, own in (
            ("the model", at_chance_k.candidate, at_k.candidate),
            (f"the {role}", at_chance_k.baseline, at_k.baseline),
        ):
            is_above = above_chance(int(found.sum()), len(found), chance)
            if not is_above or not own[:, 0].any():
                return NotComparable(
                    f"{whose} retrieves no better than chance in the group {group} of"
                    f" {grouping.stratum} before anything is changed, and so has"
                    " nothing to lose there: gate the recall of the groups"
                )
    return None


def hits_of_group(hits: PairedHits, group: Group) -> PairedHits:
    """The paired hits of a group's queries alone."""
    rows = group.members.rows
    return PairedHits(hits.candidate[rows], hits.baseline[rows], group.members.clusters)


def shared_grouping(
    own: Grouping | NotComparable,
    theirs: Grouping | NotComparable,
    order: NDArray[np.int64],
    role: Role,
) -> Grouping | NotComparable:
    """The groups of a run's queries, which must be those of the saved run in a role too.
    `order` are the places of the queries among the saved run's.
    """
    if isinstance(own, NotComparable):
        return own
    if isinstance(theirs, NotComparable):
        return NotComparable(f"in the {role} {theirs.reason}")
    difference = own.difference_from(theirs, order, role)
    if difference is None:
        return own
    return NotComparable(
        f"{difference}, by {own.stratum}: measure the {role} again with these strata"
    )
