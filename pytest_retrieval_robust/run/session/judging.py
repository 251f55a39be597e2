"""What judges a test. The controller judges the whole run again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import dropwhile, islice
from typing import TYPE_CHECKING

from ...core.cases import DIRECTIONS, Cell, Direction, Plan
from ...core.errors import RobustError
from ...core.outcomes import Outcome
from ...core.roles import Role
from ...gate.plan import paired_gates
from .measuring import Measurer
from .saved_runs import SavedRuns
from .state import RunState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...gate.attempts import AttemptNumbers
    from ...gate.comparison import Comparison
    from ...gate.difference import NotComparable
    from ...gate.evidence import Evidence
    from ...gate.judge import Judge
    from ...gate.measurements import Measurements
    from ...gate.pairing import Orders


class Judging:
    """Makes the judge of a test from the run's policy and the saved runs beside it."""

    def __init__(
        self, state: RunState, measurer: Measurer, saved_runs: SavedRuns
    ) -> None:
        self._state = state
        self._measurer = measurer
        self._saved_runs = saved_runs
        self._orders: dict[Role, Orders] = {role: {} for role in Role}

    def judge(self, outcomes: Iterable[Outcome]) -> Judge:
        """What judges these outcomes, by their ranks and beside the saved runs."""
        from ...gate.grouping import RunGroups
        from ...gate.judge import Judge

        measured = tuple(outcomes)
        return Judge(
            self._state.judging_policy,
            self.evidence,
            self._comparison(measured, Role.BASELINE),
            self._paired_gates.__getitem__,
            RunGroups(self.evidence, self._measurer.described_datasets()),
            self._comparison(measured, Role.REFERENCE),
            self._attempts,
        )

    @cached_property
    def _attempts(self) -> AttemptNumbers | None:
        """Which attempt this will be, should no other run come before its end.

        The controller counts again: what it takes for a later one has less of the error.
        """
        from ...gate.compared_runs import Against
        from ...gate.ledger import LedgerError
        from ..attempting import Attempting

        beside = {role: Against(self._saved_runs.beside(role)) for role in Role}
        run = self._measurements(())
        try:
            return Attempting(
                run, self._state.judging_policy, beside, self._state.ledger
            ).numbers
        except LedgerError:
            return None  # it fails the run at its end

    def _comparison(
        self, outcomes: tuple[Outcome, ...], role: Role
    ) -> Comparison | NotComparable | None:
        """The outcomes of a test beside the saved run in a role; None without one."""
        from ...gate.comparison import Run, compare

        saved = self._saved_runs.beside(role)
        if saved is None:
            return None
        # Runs are compared as a whole, so a test's outcomes are dressed as a run.
        run = Run(self._measurements(outcomes), self.evidence)
        return compare(run, saved, self._orders[role], role)

    def _measurements(self, outcomes: tuple[Outcome, ...]) -> Measurements:
        from ...gate.measurements import Measurements, Scope

        return Measurements(
            self._state.identity,
            Scope("one test", ""),
            self._state.settings.limit,
            self._plan,
            outcomes,
            costs=(),
            breaking=(),
            counterfactuals=(),
            models=(),
            datasets=self._measurer.described_datasets(),
            broken=(),
            broken_tests=0,
            notes=(),
        )

    @cached_property
    def _plan(self) -> Plan:
        return self._state.whole_plan

    @cached_property
    def evidence(self) -> Evidence:
        """One for all tests and the end of the run, so that all is estimated once."""
        from ...gate.evidence import Evidence

        return Evidence(self._state.store, self._state.gate_metrics, self._ranks_after)

    def _ranks_after(
        self, outcome: Outcome, direction: Direction
    ) -> Iterator[NDArray[np.int64]]:
        """The ranks of the cells that were swept after that of an outcome: those that
        the next tests ask for.
        """
        from ...gate.hit_samples import CELLS_AHEAD

        case = outcome.case
        result = self._measurer.sweep_of(case.model, case.dataset)
        if result is None or isinstance(result, RobustError):
            return
        own = Cell(case.occluder, case.level, case.seed, case.family)
        following = dropwhile(lambda cell: cell != own, result.cells)
        for cell in islice(following, 1, 1 + CELLS_AHEAD):
            measured = result.cells[cell]
            # Ranks of a cell that was asked for lie in the run's store, and are counted.
            if isinstance(measured, RobustError) or not len(measured.image_ranks):
                continue
            if direction == DIRECTIONS[0]:
                yield measured.image_ranks
            else:
                yield measured.report_ranks

    @cached_property
    def _paired_gates(self) -> Counter[str]:
        """How many gates beside a saved run the policy plans for each model."""
        planned = self._state.policy.planned(self._state.whole_plan)
        return paired_gates(planned)
