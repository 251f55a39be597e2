"""What limits are asked for, and whether a run can give them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from ...core.cases import DIRECTIONS, Direction
from ...core.catalogue import unknown_name
from ...core.errors import ArgumentError, RobustError
from ...core.verdict import DecidedBy
from ...core.words import counted, known_word, measured_k
from ..measurements import Measurements

Per: TypeAlias = Literal["all", "cell", "pooled"]
PERS: tuple[Per, ...] = ("all", "cell", "pooled")
"""Numbers of single cells, those over all levels, or both. Clean recall is in each."""


@dataclass(frozen=True)
class Asked:
    """Which limits, and how often an unchanged model may fail them."""

    risk: float = 0.05
    """The probability that an unchanged model fails any of them, in (0, 0.5)."""
    decide: DecidedBy = "point"
    confidence: float = 0.95
    """Of the bounds that decide: of every limit by bound, and of margins."""
    models: tuple[str, ...] = ()
    """Empty: all that the run tested; so are the other lists."""
    datasets: tuple[str, ...] = ()
    ks: tuple[int, ...] = ()
    directions: tuple[Direction, ...] = DIRECTIONS
    per: Per = "all"
    force: bool = False
    """Take a partial or limited run too. Its limits are marked."""

    def __post_init__(self) -> None:
        known_word("decide", self.decide, ("point", "bound"))
        known_word("per", self.per, PERS)
        if not 0 < self.risk < 0.5:
            raise ArgumentError(
                f"Expected a risk above 0 and below 0.5, got risk={self.risk!r}. Use"
                " 0.05: one unchanged model in twenty fails."
            )
        if not 0.5 < self.confidence < 1:
            raise ArgumentError(
                "Expected a confidence above 0.5 and below 1, got"
                f" confidence={self.confidence!r}. Use 0.95."
            )

    def checked(self, measured: Measurements) -> Asked:
        """The same with every model, data set and k by its name.

        Raises:
            RobustError: The run is partial or limited and not forced, or has measured no
                such model, data set or k.
        """
        marks = list(marks_of(measured))
        if marks and not self.force:
            raise RobustError(
                f"Expected a full run, got one that is {' and '.join(marks)}. Measure"
                " the whole suite on all pairs; or add --force, and the limits are"
                " marked."
            )
        cases = [outcome.case for outcome in measured.outcomes]
        models = dict.fromkeys(case.model for case in cases)
        datasets = dict.fromkeys(case.dataset for case in cases)
        # A suite without tests of recall has nothing that floors could guard.
        if not cases:
            raise RobustError(
                "Expected a run that measured recall, got outcomes=0. Run the tests of"
                " a suite that measure it (`python -m pytest_retrieval_robust init`"
                " copies one)."
            )
        return replace(
            self,
            models=_chosen("model", self.models, models, "--model"),
            datasets=_chosen("data set", self.datasets, datasets, "--dataset"),
            ks=_chosen_ks(self.ks, measured.plan.ks),
        )


def marks_of(measured: Measurements) -> Iterator[str]:
    """What keeps a run from being the whole suite on all of the data."""
    if measured.scope.partial is not None:
        yield f"partial ({measured.scope.partial})"
    if measured.limit is not None:
        yield f"limited to {counted(measured.limit, 'pair')} (--robust-limit)"


def _chosen(
    kind: str, names: tuple[str, ...], known: dict[str, None], argument: str
) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise unknown_name(kind, name, known, argument)
    return tuple(dict.fromkeys(names)) or tuple(known)


def _chosen_ks(ks: tuple[int, ...], known: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({measured_k(k, known) for k in ks or known}))
