"""The groups of a run's queries: who is in them, and which are too small to judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..core.cases import Direction, Json
from ..core.plain_text import plain
from ..core.roles import Role
from ..core.strata import GroupKind, Stratum, strata_in
from ..core.words import counted
from ..retrieval.group_bounds import Members
from ..retrieval.patients import FEWEST_DEGREES, are_too_few
from .difference import NotComparable
from .evidence import Evidence

FEWEST_QUERIES = 20
FEWEST_PATIENTS = 10
"""Fewer say next to nothing of a group: bounds of its recall lie some 40 points apart, and
their error is no longer what they promise. `docs/groups.md` has the simulation.
"""
SMALL = (
    f"fewer than {FEWEST_QUERIES} queries, {FEWEST_PATIENTS} patients or"
    f" {FEWEST_DEGREES:g} degrees of freedom"
)


@dataclass(frozen=True, eq=False, repr=False)
class Group:
    """One group of a stratum, in one direction."""

    name: str
    kind: GroupKind
    members: Members

    @property
    def is_too_small(self) -> bool:
        """Whether nothing is judged of it: it is small, or a mixture of small groups."""
        return (
            self.kind == "too small"
            or self.members.queries < FEWEST_QUERIES
            or self.members.patients < FEWEST_PATIENTS
            # A few of them have most of the queries.
            or are_too_few(self.members.degrees_of_freedom)
        )

    def __str__(self) -> str:
        queries = counted(self.members.queries, "query", "queries")
        patients = counted(self.members.patients, "patient")
        if self.kind == "too small":
            return f"merged groups ({queries}, {patients})"
        # A word of a user's table may turn a line round.
        return f"{plain(self.name)} ({queries}, {patients})"


@dataclass(frozen=True, eq=False, repr=False)
class Grouping:
    """The groups of a stratum that have queries in one direction, each query in one."""

    stratum: str
    groups: tuple[Group, ...]
    codes: NDArray[np.int64]
    """(N,) the place of each query's group in `names`."""
    names: tuple[str, ...]
    """Of all groups in the record, those without queries in this direction included."""

    @cached_property
    def judged(self) -> tuple[Group, ...]:
        """The groups that are large enough."""
        return tuple(group for group in self.groups if not group.is_too_small)

    @cached_property
    def too_small(self) -> tuple[Group, ...]:
        """The groups that are not: they are named, never left out silently."""
        return tuple(group for group in self.groups if group.is_too_small)

    @property
    def small_words(self) -> str:
        """`(fewer than ...): rare (7 queries, 7 patients)`, as the end of a sentence."""
        return f"({SMALL}): {', '.join(map(str, self.too_small))}"

    def difference_from(
        self, other: Grouping, order: NDArray[np.int64], role: Role
    ) -> str | None:
        """How another run groups the same queries, as a part of a sentence; None where it
        does so alike. `order` are the places of these queries among the other's, and
        `role` is what the other run is to this one.
        """
        for mine, theirs, has, lacks in (
            (self, other, "this run", f"the {role}"),
            (other, self, f"the {role}", "this run"),
        ):
            known = {group.name for group in theirs.groups}
            missing = [group.name for group in mine.groups if group.name not in known]
            if missing:
                words = "the group" if len(missing) == 1 else "the groups"
                names = ", ".join(map(plain, missing))
                return f"{has} has {words} {names}, which {lacks} lacks"
        own = np.array(self.names)[self.codes]
        moved = int((own != np.array(other.names)[other.codes][order]).sum())
        if moved:
            verb = "is" if moved == 1 else "are"
            queries = counted(moved, "query", "queries")
            return f"{queries} {verb} in another group in the {role}"
        return None


class RunGroups:
    """The strata of a run's data sets."""

    def __init__(self, evidence: Evidence, datasets: Iterable[Json]) -> None:
        self._evidence = evidence
        self._strata: Mapping[str, Sequence[Stratum]] = {
            dataset["name"]: strata_in(dataset) for dataset in datasets
        }
        self._groupings: dict[tuple[str, str, Direction], Grouping] = {}

    def strata(self, dataset: str) -> tuple[str, ...]:
        """The names of a data set's strata, in the order of its record."""
        return tuple(stratum.name for stratum in self._strata.get(dataset, ()))

    def grouping(
        self, dataset: str, stratum: str, direction: Direction
    ) -> Grouping | NotComparable:
        """The groups of the queries in one direction, or why there are none."""
        key = (dataset, stratum, direction)
        if key not in self._groupings:
            names = self.strata(dataset)
            codes = self._evidence.group_codes(dataset, direction)
            if stratum not in names or codes is None:
                return NotComparable(_missing(dataset, stratum, names))
            line = names.index(stratum)
            recorded = self._strata[dataset][line]
            clusters = self._evidence.clusters(dataset, direction, codes.shape[1])
            groups = []
            for number, group in enumerate(recorded.groups):
                rows = np.flatnonzero(codes[line] == number)
                # A group may have images and no report of its own.
                if len(rows):
                    members = Members(rows, clusters)
                    groups.append(Group(group.name, group.kind, members))
            self._groupings[key] = Grouping(
                stratum,
                tuple(groups),
                codes[line],
                tuple(group.name for group in recorded.groups),
            )
        return self._groupings[key]


def _missing(dataset: str, stratum: str, names: Sequence[str]) -> str:
    """Why there is no such stratum, and what to do, as a part of a sentence."""
    if not names:
        return (
            f"{dataset} was measured without strata: name them among its options (strata"
            f' = ["{stratum}"]), and measure it again'
        )
    return (
        f"{dataset} was measured without the stratum {stratum}, with"
        f" {', '.join(names)}: name it among its options, and measure it again"
    )
