"""Runs side by side: tables of the models that may be compared, and why others stand in
tables of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..core.cases import Direction, Json
from ..core.errors import ArgumentError
from .contenders import (
    Contender,
    Criterion,
    Setting,
    by_setting,
    contenders_of,
    nearest,
)
from .pairing import Run
from .ranked_table import shared_k, stand
from .standings import Question, Standings


@dataclass(frozen=True, repr=False)
class Entry:
    """A run that is to stand beside others."""

    run: Run
    place: str
    """What tells it from runs of the same models: the name of its folder."""
    name: str | None = None
    """What tables call its model; None: by the model's own name."""
    models: Sequence[str] = ("*",)
    """Globs of the models that take part."""


@dataclass(frozen=True, repr=False)
class Apart:
    """A model that a table leaves out."""

    name: str
    reason: str

    def as_json(self) -> Json:
        return {"name": self.name, "reason": self.reason}


@dataclass(frozen=True, repr=False)
class Table:
    """Models that may be compared."""

    standings: Standings
    why_apart: str | None
    """What differs from the table before that is most like it; None of the first one."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.standings.rows)


@dataclass(frozen=True, repr=False)
class SideBySide:
    """Every table, those of most models first, and what stands in none."""

    tables: tuple[Table, ...]
    apart: tuple[Apart, ...]


def side_by_side(
    entries: Sequence[Entry],
    k: int | None = None,
    direction: Direction = "image-to-report",
    criterion: Criterion = Criterion.MEAN,
) -> SideBySide:
    """Set the models of runs side by side, as far as they may be compared.

    `k` is the largest that all of a table have, unless it is given.

    Raises:
        ArgumentError: No model of the runs was measured with nothing changed.
    """
    named_apart = list(_named_apart(entries))
    runs = {id(contender.run) for _, contender in named_apart}
    # Named, so that no run is left out silently.
    apart = [_without_model(entry) for entry in entries if id(entry.run) not in runs]
    by_their_setting = by_setting(named_apart)
    if not by_their_setting:
        reasons = " ".join(f"{each.name}: {each.reason}" for each in apart)
        raise ArgumentError(
            f"Expected a model with Recall@k at level 0, got none. {reasons}"
        )
    tables: list[Table] = []
    before: list[Setting] = []
    # A stable sort: of equally many models in the order of the runs.
    largest_first = sorted(by_their_setting.items(), key=lambda item: -len(item[1]))
    for setting, contenders in largest_first:
        chosen_k = k or shared_k(contenders)
        if chosen_k is None:
            apart += [
                Apart(each.name, "Expected Recall@k, got none.") for each in contenders
            ]
            continue
        question = Question(chosen_k, direction, criterion)
        standings, left_out = stand(setting, contenders, question)
        apart += [Apart(each.name, problem.reason) for each, problem in left_out]
        if standings.rows:
            tables.append(Table(standings, _why_apart(setting, before)))
            before.append(setting)
    return SideBySide(tuple(tables), tuple(apart))


def _without_model(entry: Entry) -> Apart:
    """Why nothing of a run takes part."""
    cases = [curve.clean.case for curve in entry.run.measured.curves]
    known = dict.fromkeys(case.model for case in cases)
    if known:
        reason = (
            f"Expected a model of this run ({', '.join(known)}), got"
            f" models={', '.join(entry.models)!r}. Choose another name or glob."
        )
    else:
        reason = (
            "Expected a run with Recall@k at level 0, got one without it. Run the tests"
            " that measure it, as test_recall.py does."
        )
    return Apart(entry.place, reason)


def _why_apart(setting: Setting, before: Sequence[Setting]) -> str | None:
    other = nearest(setting, before)
    if other is None:
        return None
    differences = "; ".join(setting.differences(other))
    return f"Not in the table of {other}, because of {differences}."


def _named_apart(entries: Sequence[Entry]) -> Iterator[tuple[Setting, Contender]]:
    """The contenders of all entries; those of one name are told apart by their places,
    and by the ids of their runs where these are the same too.
    """
    candidates: list[tuple[Entry, Setting, Contender]] = []
    for entry in entries:
        for setting, contender in contenders_of(entry.run, entry.name, entry.models):
            candidates.append((entry, setting, contender))
    # A model stands once per perturbation: what counts is how many runs have its name.
    named = {(each.name, id(entry)) for entry, _, each in candidates}
    runs_of_name = Counter(name for name, _ in named)
    placed = {(_placed(entry, each), id(entry)) for entry, _, each in candidates}
    runs_of_place = Counter(name for name, _ in placed)
    for entry, setting, contender in candidates:
        name = contender.name
        if runs_of_name[name] > 1:
            name = _placed(entry, contender)
            if runs_of_place[name] > 1:
                name = f"{name} {entry.run.measured.identity.id}"
        yield setting, replace(contender, name=name)


def _placed(entry: Entry, contender: Contender) -> str:
    return f"{contender.name} ({entry.place})"
