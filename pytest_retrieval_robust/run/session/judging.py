"""What judges a test. The controller judges the whole run again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from ...core.cases import Plan
from ...core.outcomes import Outcome
from ...gate.plan import baseline_gates
from .measuring import Measurer
from .saved_runs import SavedRuns
from .state import RunState

if TYPE_CHECKING:
    from ...gate.comparison import Comparison
    from ...gate.difference import NotComparable
    from ...gate.evidence import Evidence
    from ...gate.judge import Judge
    from ...gate.measurements import Measurements
    from ...gate.pairing import Orders


class Judging:
    """Makes the judge of a test from the run's policy and baseline."""

    def __init__(
        self, state: RunState, measurer: Measurer, saved_runs: SavedRuns
    ) -> None:
        self._state = state
        self._measurer = measurer
        self._saved_runs = saved_runs
        self._orders: Orders = {}

    def judge(self, outcomes: Iterable[Outcome]) -> Judge:
        """What judges these outcomes, by their ranks and beside the baseline."""
        from ...gate.comparison import Run, compare
        from ...gate.judge import Judge

        baseline = self._saved_runs.baseline()
        comparison: Comparison | NotComparable | None = None
        if baseline is not None:
            # Runs are compared as a whole, so a test's outcomes are dressed as a run.
            run = Run(self._measurements(tuple(outcomes)), self.evidence)
            comparison = compare(run, baseline, self._orders)
        return Judge(
            self._state.judging_policy,
            self.evidence,
            comparison,
            self._baseline_gates.__getitem__,
        )

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

        return Evidence(
            self._state.store, self._state.gate_metrics, self._measurer.ranks_after
        )

    @cached_property
    def _baseline_gates(self) -> Counter[str]:
        """How many gates beside the baseline the policy plans for each model."""
        planned = self._state.policy.planned(self._state.whole_plan)
        return baseline_gates(planned)
