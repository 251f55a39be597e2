"""Searches in one image: which cells matter to a model, and the fewest whose hiding
pushes the report out of the top k.

Each is a generator for `Probe.run`, which answers many of them at once; an "encoding"
is one hidden version looked at.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._probe import Answers, Hidden, Search

_CERTAIN = 1e-5
"""A margin below minus this is out of the top k in exact arithmetic too; float32 scores
of unit rows err by less.
"""
_AN_ATTEMPT = 4
"""Encodings a cell that a further attempt may need: one is begun only where the budget
has as many.
"""
_KEPT_FOR_SHRINKING = 0.2
"""The share of the encodings that the search forward leaves for giving cells back."""


@dataclass(frozen=True, eq=False)
class Breaking:
    """What a search for the smallest breaking occlusion found in one image of N cells."""

    cells: NDArray[np.bool_]
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
class _Asker:
    """Counts what a search asks for, and remembers how much it may."""

    cells: int
    budget: int
    asked: int = 0

    def can_ask(self, versions: int, keep: int = 0) -> bool:
        return self.asked + versions + keep <= self.budget

    def ask(self, versions: Hidden) -> Generator[Hidden, Answers, Answers]:
        self.asked += len(versions)
        answers = yield versions
        return answers


def search_breaking(cells: int, budget: int) -> Search[Breaking]:
    """The fewest of `cells` cells that break a retrieval, by at most `budget`
    encodings, three or more a cell.

    Forward: every cell is tried alone, and the fewest of the most harmful ones that
    break it are found by halving. A quarter of those are then hidden for good and all
    others tried again beside them, as long as the budget allows, since what a cell
    matters depends on what is hidden already. Backward: blocks of the hidden cells are
    given back, the least harmful first, and blocks of half the size when none can be,
    down to single cells (delta debugging, A. Zeller and R. Hildebrandt 2002,
    10.1109/32.988498, with several blocks at a time). What is left of the budget goes
    into further attempts that begin with the most harmful cell, the second most harmful
    one, and so on.
    """
    asker = _Asker(cells, budget)
    nothing = np.zeros(cells, dtype=np.bool_)
    first = yield from asker.ask(
        np.concatenate([nothing[None], np.eye(cells, dtype=np.bool_)])
    )
    falls, harm = _falls(first), -first.margin[1:]
    if _is_broken(first)[0]:
        return Breaking(nothing, False, True, True, asker.asked, falls)
    hidden, minimal = ~nothing, False
    broken = False
    for start in (None, *np.argsort(-harm, kind="stable").tolist()):
        # Two cells are the fewest where no single one was seen to do it, and one always is.
        if broken and (hidden.sum() <= 2 or not asker.can_ask(_AN_ATTEMPT * cells)):
            break
        if start is not None and not asker.can_ask(_AN_ATTEMPT * cells):
            break
        found = yield from _attempt(asker, harm, start)
        if found is not None and (not broken or found[0].sum() < hidden.sum()):
            hidden, minimal, broken = *found, True
    return Breaking(hidden, True, broken, minimal, asker.asked, falls)


def search_falls(cells: int) -> Search[NDArray[np.float64]]:
    """(cells,) by how much the right report's score falls when each cell alone is
    hidden: cells + 1 encodings.
    """
    nothing = np.zeros((1, cells), dtype=np.bool_)
    answers = yield np.concatenate([nothing, np.eye(cells, dtype=np.bool_)])
    return _falls(answers)


def search_worst_order(cells: int) -> Search[NDArray[np.int64]]:
    """All cells, the most harmful one first: greedy, with what is hidden already.

    One cell at a time at first; later a quarter of what is hidden, so that it takes 14
    encodings a cell of 64.
    """
    hidden = np.zeros(cells, dtype=np.bool_)
    chosen: list[int] = []
    while len(chosen) < cells:
        rest = np.flatnonzero(~hidden)
        answers = yield _beside(hidden, rest)
        taken = rest[np.argsort(answers.margin, kind="stable")][
            : max(1, len(chosen) // 4)
        ]
        hidden[taken] = True
        chosen += taken.tolist()
    return np.array(chosen, dtype=np.int64)


def _attempt(
    asker: _Asker, harm: NDArray[np.float64], start: int | None
) -> Generator[Hidden, Answers, tuple[NDArray[np.bool_], bool] | None]:
    """Forward and back, beginning with one cell or with none: what is hidden, and
    whether it is one-minimal.
    """
    hidden = np.zeros(asker.cells, dtype=np.bool_)
    order = np.argsort(-harm, kind="stable")
    if start is not None:
        hidden[start] = True
        order = yield from _harmful_beside(asker, hidden)
    enough = yield from _forward(asker, hidden, order)
    if enough is None:
        return None
    found = yield from _give_back(asker, enough, harm)
    return found


def _harmful_beside(
    asker: _Asker, hidden: NDArray[np.bool_]
) -> Generator[Hidden, Answers, NDArray[np.int64]]:
    """The cells that are not hidden, the most harmful one beside those that are first."""
    rest = np.flatnonzero(~hidden)
    answers = yield from asker.ask(_beside(hidden, rest))
    return rest[np.argsort(answers.margin, kind="stable")]


def _forward(
    asker: _Asker, hidden: NDArray[np.bool_], order: NDArray[np.int64]
) -> Generator[Hidden, Answers, NDArray[np.bool_] | None]:
    best: NDArray[np.bool_] | None = None
    while True:
        needed: int | None = yield from _fewest(asker, hidden, order)
        if needed is not None and (best is None or hidden.sum() + needed < best.sum()):
            best = _with(hidden, order[:needed])
        step = max(1, (len(order) if needed is None else needed) // 4)
        keep = int(_KEPT_FOR_SHRINKING * asker.budget)
        if needed is None or needed <= 2 or not asker.can_ask(len(order) - step, keep):
            return best
        hidden = _with(hidden, order[:step])
        order = yield from _harmful_beside(asker, hidden)


def _fewest(
    asker: _Asker, hidden: NDArray[np.bool_], order: NDArray[np.int64]
) -> Generator[Hidden, Answers, int | None]:
    """How many cells of `order`, from its start, break it beside what is hidden; None
    where all of them do not.
    """
    counts = [
        *(
            2**power
            for power in range(len(order).bit_length())
            if 2**power < len(order)
        ),
        len(order),
    ]
    counts = counts if asker.can_ask(2 * len(counts)) else counts[-1:]
    answers = yield from asker.ask(
        np.stack([_with(hidden, order[:count]) for count in counts])
    )
    breaks = _is_broken(answers)
    if not breaks.any():
        return None
    position = int(np.argmax(breaks))
    low: int = counts[position - 1] if position else 0
    high: int = counts[position]
    while high - low > 1 and asker.can_ask(1):
        middle = (low + high) // 2
        answers = yield from asker.ask(_with(hidden, order[:middle])[None])
        low, high = (low, middle) if _is_broken(answers)[0] else (middle, high)
    return high


def _give_back(
    asker: _Asker, hidden: NDArray[np.bool_], harm: NDArray[np.float64]
) -> Generator[Hidden, Answers, tuple[NDArray[np.bool_], bool]]:
    """Fewer hidden cells that still break it, and whether none of them can be given back alone."""
    size = max(1, int(hidden.sum()) // 4)
    while True:
        cells = np.flatnonzero(hidden)
        if len(cells) == 1:  # nothing at all hidden was seen not to break it
            return hidden, True
        cells = cells[np.argsort(harm[cells], kind="stable")]
        size = min(size, len(cells) // 2)
        blocks = [cells[start : start + size] for start in range(0, len(cells), size)]
        if not asker.can_ask(len(blocks)):
            return hidden, False
        answers = yield from asker.ask(
            np.stack([_without(hidden, block) for block in blocks])
        )
        spare = [
            number
            for number in np.argsort(answers.margin, kind="stable")
            if _is_broken(answers)[number]
        ]
        if spare:
            hidden = yield from _without_most(
                asker, hidden, [blocks[number] for number in spare]
            )
        elif size == 1:
            return hidden, True
        else:
            size //= 2


def _without_most(
    asker: _Asker, hidden: NDArray[np.bool_], spare: list[NDArray[np.int64]]
) -> Generator[Hidden, Answers, NDArray[np.bool_]]:
    """As many of the blocks given back together, from the first, as halving finds; the
    first alone is known to do.
    """
    low, high = 1, len(spare)
    while low < high and asker.can_ask(1):
        middle = (low + high + 1) // 2
        answers = yield from asker.ask(
            _without(hidden, np.concatenate(spare[:middle]))[None]
        )
        low, high = (middle, high) if _is_broken(answers)[0] else (low, middle - 1)
    return _without(hidden, np.concatenate(spare[:low]))


def _falls(answers: Answers) -> NDArray[np.float64]:
    """What hiding one cell costs, where nothing was hidden in the first version and one
    cell in each of the others.
    """
    falls: NDArray[np.float64] = answers.right[0] - answers.right[1:]
    return falls


def _is_broken(answers: Answers) -> NDArray[np.bool_]:
    return answers.margin < -_CERTAIN * np.maximum(1.0, np.abs(answers.right))


def _with(hidden: NDArray[np.bool_], cells: NDArray[np.int64]) -> NDArray[np.bool_]:
    more = hidden.copy()
    more[cells] = True
    return more


def _without(hidden: NDArray[np.bool_], cells: NDArray[np.int64]) -> NDArray[np.bool_]:
    less = hidden.copy()
    less[cells] = False
    return less


def _beside(hidden: NDArray[np.bool_], cells: NDArray[np.int64]) -> Hidden:
    """(len(cells), N): each of the cells hidden beside what is hidden already."""
    versions = np.repeat(hidden[None], len(cells), axis=0)
    versions[np.arange(len(cells)), cells] = True
    return versions
