"""Whether the error of a cell is one that every actor would tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from .dealing import MOST_ATTEMPTS

if TYPE_CHECKING:
    from ...core.cases import Cell
    from .messages import SentError

W = TypeVar("W", bound=Hashable)


@dataclass(frozen=True, repr=False)
class _Told(Generic[W]):
    worker: W
    number: int
    text: str


class Failures(Generic[W]):
    """The errors that actors told of cells.

    An error of the encoder comes again wherever it is tried, and one of a machine does
    not: so the second actor decides.
    """

    def __init__(self) -> None:
        self._told: defaultdict[Cell, list[_Told[W]]] = defaultdict(list)

    def is_certain(
        self, worker: W, cell: Cell, number: int, error: SentError, workers: int
    ) -> bool:
        """Note an error; whether the cell has failed for good.

        It has if two workers told the same, or failed with the same batch, if there is
        but one of the `workers`, and after several attempts.
        """
        told = self._told[cell]
        told.append(_Told(worker, number, error.text))
        if workers < 2:
            return True
        others = [one for one in told if one.worker != worker]
        is_seconded = any(
            one.text == error.text or one.number == number for one in others
        )
        attempts = sum(one.number == number for one in told)
        return is_seconded or attempts >= MOST_ATTEMPTS
