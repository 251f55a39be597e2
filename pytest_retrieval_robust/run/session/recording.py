"""What a test report carries to the controller."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import pytest

from ...core.cases import Json
from ...core.counterfactual_outcomes import CounterfactualOutcome, Counterfactuals
from ...core.drift import DriftOutcome
from ...core.errors import RobustError
from ...core.foreign import shown_texts_note
from ...core.outcomes import Outcome
from ...core.searches import BreakingOutcome
from ...measure.timing.occlusion_timer import OcclusionTimer
from ...retrieval.curve import Curve
from ..carried import TestRecord
from ..gate_fixture import GateFixture
from ..our_tests import CaseParameters, parameters_of
from .loading import Loader
from .measuring import Measurer
from .state import RunState


class Recorder:
    """Records what is known after each test.

    Outcomes, cards and data sets go once. But what a failed test reports is reported
    again: other plugins repeat such tests, and may drop their reports.
    """

    def __init__(self, state: RunState, loader: Loader, measurer: Measurer) -> None:
        self._state = state
        self._loader = loader
        self._measurer = measurer
        self._reported: set[Hashable] = set()

    def record(
        self, item: pytest.Item, error: BaseException | None = None
    ) -> TestRecord:
        """The record of a test of ours; `error` is what it failed with."""
        parameters = parameters_of(item) or CaseParameters()
        model = parameters.model
        values: Mapping[str, Any] = getattr(item, "funcargs", {})
        is_final = error is None
        gate = values.get("gate")
        timer = values.get("occlusion_timer")
        cost = timer.measurement if isinstance(timer, OcclusionTimer) else None
        breaking = values.get("breaking")
        if not isinstance(breaking, BreakingOutcome):
            breaking = None
        # A timer or a search comes without the sweep that would describe the data set.
        dataset, truncated_reports = self._new_dataset(
            parameters, is_final, without_sweep=cost is not None or breaking is not None
        )
        return TestRecord(
            model=model,
            not_tested=self._loader.reason_not_tested(model),
            failure=None if error is None else self._describe(error),
            gate_objected=isinstance(gate, GateFixture) and gate.objected,
            outcomes=self._new_outcomes(parameters, values, is_final),
            cost=cost,
            breaking=breaking,
            counterfactuals=self._new_counterfactuals(values, is_final),
            drift=_drift_in(values),
            card=self._new_card(model, is_final),
            dataset=dataset,
            truncated_reports=truncated_reports,
            notes=self._notes(),
        )

    def _is_news(self, what: Hashable, is_final: bool) -> bool:
        """Whether something is still to be reported; not again after a final report."""
        is_news = what not in self._reported
        if is_final:
            self._reported.add(what)
        return is_news

    def _describe(self, error: BaseException) -> str:
        """What may be kept of a failure.

        Our own errors name no patient. Of others the name of the class is kept.
        """
        # The text of a foreign error may hold a patient's report.
        lines = str(error).strip().splitlines()
        if lines and lines[0] in self._state.own_failures:
            return lines[0]
        return f"{type(error).__name__} (pytest's output says more)"

    def _new_outcomes(
        self, parameters: CaseParameters, values: Mapping[str, Any], is_final: bool
    ) -> tuple[Outcome, ...]:
        model = parameters.model or ""
        dataset = parameters.dataset or ""
        # A test whose metric failed gets no outcome. What was measured is kept all the
        # same.
        without_metrics = self._measurer.without_metrics(model, dataset)
        outcomes = (*_outcomes_in(values), *without_metrics)
        return tuple(one for one in outcomes if self._is_news(one.case, is_final))

    def _new_counterfactuals(
        self, values: Mapping[str, Any], is_final: bool
    ) -> tuple[CounterfactualOutcome, ...]:
        found = values.get("counterfactuals")
        if not isinstance(found, Counterfactuals):
            return ()
        return tuple(
            outcome
            for outcome in found
            if self._is_news(("with edits", outcome.case), is_final)
        )

    def _new_card(self, model: str | None, is_final: bool) -> Json | None:
        card = self._loader.cards.get(model or "")
        # A card grows by what is found out about its model later: its keys tell.
        if card is None or not self._is_news((model, *card), is_final):
            return None
        return card

    def _new_dataset(
        self, parameters: CaseParameters, is_final: bool, *, without_sweep: bool
    ) -> tuple[Json | None, int | None]:
        """What is known of the data set, and how many of its reports the model cuts.

        It comes from the sweep. Timers and searches describe a data set `without_sweep`.
        """
        model = parameters.model or ""
        name = parameters.dataset or ""
        result = self._measurer.sweep_of(model, name)
        # A sweep that failed knows nothing that could be trusted.
        if result is not None and not isinstance(result, RobustError):
            if not self._is_news((model, name), is_final):
                return None, None
            return result.dataset, result.truncated_reports
        if not without_sweep or not self._is_news(("without sweep", name), is_final):
            return None, None
        return self._describe_dataset(name), None

    def _describe_dataset(self, name: str) -> Json:
        from ...measure.pairs import describe

        return describe(self._loader.pairs(name), self._state.settings.ks)

    def _notes(self) -> tuple[str, ...]:
        notes = [*self._loader.notes, *self._state.ray_notes]
        embeddings = self._state.embeddings
        if embeddings is not None:
            notes += embeddings.notes
        # Of the process that made the sentences: a worker of pytest-xdist may be another.
        of_texts = shown_texts_note()
        if of_texts is not None:
            notes.append(of_texts)
        return tuple(notes)


def _drift_in(values: Mapping[str, Any]) -> DriftOutcome | None:
    drift = values.get("drift")
    return drift if isinstance(drift, DriftOutcome) else None


def _outcomes_in(values: Mapping[str, Any]) -> Iterator[Outcome]:
    """The outcomes among the fixture values of a test, those of its curves included."""
    for name in ("outcome", "clean_outcome"):
        value = values.get(name)
        if isinstance(value, Outcome):
            yield value
    curves = [values.get("robustness_curve"), *(values.get("robustness_curves") or ())]
    for curve in curves:
        if isinstance(curve, Curve):
            yield from curve.outcomes
