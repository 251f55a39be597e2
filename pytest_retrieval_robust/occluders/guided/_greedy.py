"""Searches in one image: which cells matter to a model, and the fewest whose hiding
pushes the report out of the top k.

Each is a generator for `Probe.run`, which answers many of them at once. An "encoding" is
one hidden version that the model looks at.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._probe import Answers, Hidden, Search

Cells: TypeAlias = NDArray[np.int64]
"""Numbers of cells."""
CellMask: TypeAlias = NDArray[np.bool_]
"""(N,): true where a cell is hidden."""

CERTAIN = 1e-5
"""A margin below minus this is out of the top k in exact arithmetic too; float32 scores
of unit rows err by less.
"""
_AN_ATTEMPT = 4
"""Encodings per cell that a further attempt may need: one is begun only where the budget
has as many.
"""
_RESERVED_FOR_SHRINKING = 0.2
"""The share of the encodings that the search forward leaves for giving cells back."""


@dataclass(frozen=True, eq=False)
class Breaking:
    """What a search for the smallest breaking occlusion found in one image of N cells."""

    cells: CellMask
    """(N,) the cells whose hiding pushes the right report out of the top k: an upper
    bound on the fewest. None of them where nothing has to be hidden, all of them where
    nothing that was tried did it.
    """
    found_clean: bool
    """Whether the right report is in the top k with nothing hidden."""
    broken: bool
    """Whether `cells` do it."""
    one_minimal: bool
    """Whether giving back any one of the cells was seen to bring the right report back."""
    encodings: int
    falls: NDArray[np.float64]
    """(N,) by how much the right report's score falls when one cell is hidden."""


@dataclass
class _Budget:
    """Counts the encodings that a search asks for, up to the most that it may."""

    cells: int
    encodings: int
    spent: int = 0

    def allows(self, versions: int) -> bool:
        return self.spent + versions <= self.encodings

    def allows_attempt(self) -> bool:
        return self.allows(_AN_ATTEMPT * self.cells)

    def ask(self, versions: Hidden) -> Generator[Hidden, Answers, Answers]:
        self.spent += len(versions)
        answers = yield versions
        return answers


class _Attempt(NamedTuple):
    """Hidden cells that break a retrieval."""

    hidden: CellMask
    one_minimal: bool

    @property
    def size(self) -> int:
        return int(self.hidden.sum())


def search_breaking(cells: int, budget: int) -> Search[Breaking]:
    """The fewest of `cells` cells that break a retrieval, by at most `budget`
    encodings, three or more per cell.

    Forward: every cell is tried alone, and the fewest of the most harmful ones that
    break it are found by halving. A quarter of those are then hidden for good and all
    others tried again beside them, as long as the budget allows, because what a cell
    matters depends on what is hidden already. Backward: blocks of the hidden cells are
    given back, the least harmful first, and blocks of half the size when none can be,
    down to single cells (delta debugging, A. Zeller and R. Hildebrandt 2002,
    10.1109/32.988498, with several blocks at a time). What is left of the budget goes
    into further attempts that begin with the most harmful cell, the second most harmful
    one, and so on.
    """
    limit = _Budget(cells, budget)
    clean_and_single = yield from limit.ask(_clean_and_single(cells))
    falls = _falls(clean_and_single)
    harm = -clean_and_single.margin[1:]
    nothing = np.zeros(cells, dtype=np.bool_)
    if _breaks(clean_and_single)[0]:
        return Breaking(nothing, False, True, True, limit.spent, falls)

    best = yield from _attempt(limit, harm, None)
    for first_cell in _harmful_first(harm).tolist():
        # Two cells are the fewest where no single one was seen to do it, and a single
        # one always is.
        is_fewest = best is not None and best.size <= 2
        if is_fewest or not limit.allows_attempt():
            break
        attempt = yield from _attempt(limit, harm, first_cell)
        if attempt is not None and (best is None or attempt.size < best.size):
            best = attempt
    if best is None:
        return Breaking(~nothing, True, False, False, limit.spent, falls)
    return Breaking(best.hidden, True, True, best.one_minimal, limit.spent, falls)


def search_falls(cells: int) -> Search[NDArray[np.float64]]:
    """(cells,) by how much the right report's score falls when each cell alone is
    hidden: cells + 1 encodings.
    """
    answers = yield _clean_and_single(cells)
    return _falls(answers)


def search_worst_order(cells: int) -> Search[Cells]:
    """All cells, the most harmful one first: greedy, with what is hidden already.

    One cell at a time at first; later a quarter of what is hidden, so that it takes 14
    encodings per cell of 64.
    """
    hidden = np.zeros(cells, dtype=np.bool_)
    order: list[int] = []
    while len(order) < cells:
        rest = np.flatnonzero(~hidden)
        answers = yield _beside(hidden, rest)
        step = max(1, len(order) // 4)
        most_harmful = rest[_harmful_first(-answers.margin)][:step]
        hidden[most_harmful] = True
        order += most_harmful.tolist()
    return np.array(order, dtype=np.int64)


def _attempt(
    budget: _Budget, harm: NDArray[np.float64], first_cell: int | None
) -> Generator[Hidden, Answers, _Attempt | None]:
    """Forward and back, beginning with one cell or with none; None if nothing breaks it."""
    hidden = np.zeros(budget.cells, dtype=np.bool_)
    order = _harmful_first(harm)
    if first_cell is not None:
        hidden[first_cell] = True
        order = yield from _harmful_beside(budget, hidden)
    enough = yield from _forward(budget, hidden, order)
    if enough is None:
        return None
    attempt = yield from _give_back(budget, enough, harm)
    return attempt


def _harmful_beside(
    budget: _Budget, hidden: CellMask
) -> Generator[Hidden, Answers, Cells]:
    """The cells that are not hidden, the most harmful one beside the hidden ones first."""
    rest = np.flatnonzero(~hidden)
    answers = yield from budget.ask(_beside(hidden, rest))
    return rest[_harmful_first(-answers.margin)]


def _forward(
    budget: _Budget, hidden: CellMask, order: Cells
) -> Generator[Hidden, Answers, CellMask | None]:
    """The smallest of the occlusions tried that break it; None where none of them does."""
    best: CellMask | None = None
    reserve = int(_RESERVED_FOR_SHRINKING * budget.encodings)
    while True:
        needed: int | None = yield from _fewest(budget, hidden, order)
        if needed is None:
            return best
        if best is None or hidden.sum() + needed < best.sum():
            best = _with(hidden, order[:needed])
        # A quarter is hidden for good, then all others are ranked again beside it.
        step = max(1, needed // 4)
        if needed <= 2 or not budget.allows(len(order) - step + reserve):
            return best
        hidden = _with(hidden, order[:step])
        order = yield from _harmful_beside(budget, hidden)


def _fewest(
    budget: _Budget, hidden: CellMask, order: Cells
) -> Generator[Hidden, Answers, int | None]:
    """How many cells of `order`, from its start, break it beside what is hidden; None
    where all of them do not.
    """
    counts = _doubling_counts(len(order))
    if not budget.allows(2 * len(counts)):
        counts = counts[-1:]
    versions = np.stack([_with(hidden, order[:count]) for count in counts])
    answers = yield from budget.ask(versions)
    breaks = _breaks(answers)
    if not breaks.any():
        return None
    position = int(np.argmax(breaks))
    too_few = counts[position - 1] if position else 0
    enough = counts[position]
    while enough - too_few > 1 and budget.allows(1):
        middle = (too_few + enough) // 2
        answers = yield from budget.ask(_with(hidden, order[:middle])[None])
        if _breaks(answers)[0]:
            enough = middle
        else:
            too_few = middle
    return enough


def _doubling_counts(most: int) -> list[int]:
    """1, 2, 4, ... below `most`, and `most` itself."""
    counts = []
    count = 1
    while count < most:
        counts.append(count)
        count *= 2
    return [*counts, most]


def _give_back(
    budget: _Budget, hidden: CellMask, harm: NDArray[np.float64]
) -> Generator[Hidden, Answers, _Attempt]:
    """Fewer hidden cells that still break it."""
    size = max(1, int(hidden.sum()) // 4)
    while True:
        cells = np.flatnonzero(hidden)
        # With nothing at all hidden it was seen not to break.
        if len(cells) == 1:
            return _Attempt(hidden, True)
        # Blocks of the least harmful cells come first.
        cells = cells[np.argsort(harm[cells], kind="stable")]
        size = min(size, len(cells) // 2)
        blocks = [cells[start : start + size] for start in range(0, len(cells), size)]
        if not budget.allows(len(blocks)):
            return _Attempt(hidden, False)
        versions = np.stack([_without(hidden, block) for block in blocks])
        answers = yield from budget.ask(versions)
        spare = [blocks[number] for number in _still_breaking(answers)]
        if spare:
            hidden = yield from _without_most(budget, hidden, spare)
        elif size == 1:
            return _Attempt(hidden, True)
        else:
            size //= 2


def _still_breaking(answers: Answers) -> Cells:
    """The numbers of the versions that break it, the lowest margin first."""
    rising = np.argsort(answers.margin, kind="stable")
    return rising[_breaks(answers)[rising]]


def _without_most(
    budget: _Budget, hidden: CellMask, spare: list[Cells]
) -> Generator[Hidden, Answers, CellMask]:
    """With as many of the spare blocks given back together, from the first on, as halving
    finds. The first alone is known to be spare.
    """
    possible = 1
    most = len(spare)
    while possible < most and budget.allows(1):
        middle = (possible + most + 1) // 2
        fewer = _without(hidden, np.concatenate(spare[:middle]))
        answers = yield from budget.ask(fewer[None])
        if _breaks(answers)[0]:
            possible = middle
        else:
            most = middle - 1
    return _without(hidden, np.concatenate(spare[:possible]))


def _clean_and_single(cells: int) -> Hidden:
    """Nothing hidden in the first version, and one cell in each of the others."""
    nothing = np.zeros((1, cells), dtype=np.bool_)
    return np.concatenate([nothing, np.eye(cells, dtype=np.bool_)])


def _falls(clean_and_single: Answers) -> NDArray[np.float64]:
    """What hiding each cell alone costs."""
    scores = clean_and_single.right
    falls: NDArray[np.float64] = scores[0] - scores[1:]
    return falls


def _harmful_first(harm: NDArray[np.float64]) -> Cells:
    return np.argsort(-harm, kind="stable")


def _breaks(answers: Answers) -> CellMask:
    return answers.margin < -CERTAIN * np.maximum(1.0, np.abs(answers.right))


def _with(hidden: CellMask, cells: Cells) -> CellMask:
    more: CellMask = hidden.copy()
    more[cells] = True
    return more


def _without(hidden: CellMask, cells: Cells) -> CellMask:
    fewer: CellMask = hidden.copy()
    fewer[cells] = False
    return fewer


def _beside(hidden: CellMask, cells: Cells) -> Hidden:
    """(len(cells), N): each of the cells hidden beside what is hidden already."""
    versions = np.repeat(hidden[None], len(cells), axis=0)
    versions[np.arange(len(cells)), cells] = True
    return versions
