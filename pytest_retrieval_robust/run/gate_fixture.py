"""The value of the fixture `gate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from ..core.roles import Role
from ..core.words import counted

if TYPE_CHECKING:
    from ..core.costs import CostMeasurement
    from ..core.counterfactual_outcomes import Counterfactuals
    from ..core.drift import DriftOutcome
    from ..core.outcomes import Outcome
    from ..core.searches import BreakingOutcome
    from ..core.verdict import Verdict
    from ..retrieval.curve import Curve
    from .session import RobustSession


class GateFixture:
    """The policy of this run, as a test asks it: sentences of what it forbids.

    A list without a sentence means that all is well.
    """

    def __init__(self, session: RobustSession) -> None:
        self._session = session
        self.objected = False
        """Whether a violation was found: verdicts explain why such a test fails."""

    def __repr__(self) -> str:
        # pytest shows it beside each assertion that fails.
        tables = counted(len(self._session.policy.tables), "gate table")
        return f"<GateFixture of {tables}>"

    def violations(self, outcome: Outcome, clean_outcome: Outcome) -> list[str]:
        """What violates the gates on recall, retention and single cells beside a saved run."""
        judge = self._session.judging.judge((clean_outcome, outcome))
        return self._sentences(judge.cell(outcome, clean_outcome))

    def curve_violations(self, curve: Curve) -> list[str]:
        """What violates the gates on area under the curve, half level and slope."""
        judge = self._session.judging.judge(curve.outcomes)
        return self._sentences(judge.curve(curve))

    def baseline_violations(self, curves: Sequence[Curve]) -> list[str]:
        """What violates the gates that pool all levels beside the baseline or the reference.

        Give it one curve per mask seed. Skips the test where neither is there, or no gate
        asks for the one that is.
        """
        if not any(map(self._compares_with, Role)):
            pytest.skip(
                "no baseline or reference was given, or no gate asks for it: see"
                " --robust-baseline and --robust-reference"
            )
        outcomes = [outcome for curve in curves for outcome in curve.outcomes]
        judge = self._session.judging.judge(outcomes)
        return self._sentences(judge.baseline(curves))

    def _compares_with(self, role: Role) -> bool:
        """Whether the saved run in a role is there, and a gate asks for it."""
        has_run = self._session.saved_runs.beside(role) is not None
        return has_run and self._session.policy.asks_for(role)

    def cost_violations(self, cost: CostMeasurement) -> list[str]:
        """What violates the gates on the cost of occluding, throughput, latency and memory."""
        return self._sentences(self._session.judging.judge(()).cost(cost))

    def breaking_violations(self, breaking: BreakingOutcome) -> list[str]:
        """What violates the gate on the smallest breaking occlusion."""
        return self._sentences(self._session.judging.judge(()).breaking(breaking))

    def counterfactual_violations(self, counterfactuals: Counterfactuals) -> list[str]:
        """What violates the gates on win shares and on recall among edited reports."""
        judge = self._session.judging.judge(())
        verdicts = [
            verdict
            for outcome in counterfactuals
            for verdict in judge.counterfactual(outcome)
        ]
        return self._sentences(verdicts)

    def drift_violations(self, drift: DriftOutcome) -> list[str]:
        """What violates the gate on the drift from the model's fingerprint.

        The test is skipped where there is no fingerprint, unless a gate names the file or
        the model.
        """
        verdicts = self._session.judging.judge(()).drift(drift)
        violations = self._sentences(verdicts)
        if not drift.is_measured and not violations:
            pytest.skip("; ".join(verdict.sentence for verdict in verdicts))
        return violations

    def _sentences(self, verdicts: list[Verdict]) -> list[str]:
        sentences = [verdict.sentence for verdict in verdicts if verdict.objects]
        self.objected |= bool(sentences)
        return sentences
