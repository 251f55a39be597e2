"""How far a sweep had come when its time was over, in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ...core.cases import CLEAN, level_word
from ...core.errors import TimedOutError
from ...core.foreign import titled, with_traceback_text
from ...core.words import counted

if TYPE_CHECKING:
    from ...core.cases import Cell
    from ...core.time_limit import TimeLimit

_TITLE = "Your own code was here (newest last):"


class Stage(Enum):
    """What a sweep does, in this order."""

    REPORTS = "reports"
    IMAGES = "images"
    RANKS = "ranks"


@dataclass(frozen=True)
class Reached:
    """How far a sweep has come."""

    stage: Stage
    batches: int
    whole_batches: int
    """Batches that are encoded in every cell."""
    cells: int
    ranked: int
    """Cells whose ranks are known."""
    under_way: Cell | None
    """The cell that was begun last, if that is known."""
    is_kept: bool
    """Whether there is a store."""

    def __str__(self) -> str:
        """What was done: it completes "Expected ... to end, got"."""
        cells = counted(self.cells, "cell")
        if self.stage is Stage.RANKS:
            return f"all images encoded, and {self.ranked} of {cells} ranked"
        batches = counted(self.batches, "batch", "batches")
        done = f"{self.whole_batches} of {batches} of images"
        if self.stage is Stage.REPORTS:
            return f"{done}: its reports were still being encoded"
        encoded = f"{done} encoded in all {cells}"
        if self.cells == 1:
            encoded = f"{done} encoded"
        if self.under_way is None:
            return f"{encoded}; no cell was begun"
        return f"{encoded}; the last that was begun was {_shown(self.under_way)}"


def timed_out(
    limit: TimeLimit, model: str, dataset: str, reached: Reached
) -> TimedOutError:
    """The error of a sweep whose time was over."""
    kept = ""
    if reached.is_kept:
        kept = " The embedding store keeps what was encoded, so that a new run goes on."
    return with_place(
        TimedOutError(
            f"Expected the sweep of {model} on {dataset} to end within"
            f" timeout={limit.seconds:g} seconds, got {reached}.{kept} Raise the"
            " timeout, lower --robust-limit, or look at what the encoder waits for."
        ),
        limit,
    )


def with_place(error: TimedOutError, limit: TimeLimit) -> TimedOutError:
    """The error, with the lines of the user's own code that were under way."""
    return with_traceback_text(error, titled(_TITLE, limit.lines))


def _shown(cell: Cell) -> str:
    if cell == CLEAN:
        return "level 0"
    word = level_word(cell.family)
    return f"{cell.occluder} at {word} {cell.level:g}, seed {cell.seed}"
