"""From test reports to what a run measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest

from ..core.cases import Case, Json
from ..core.costs import CostMeasurement
from ..core.counterfactual_outcomes import CounterfactualOutcome
from ..core.drift import DriftOutcome, drift_case
from ..core.outcomes import ModelRecord, Outcome
from ..core.searches import BreakingOutcome
from ..gate.measurements import Measurements, Scope
from .carried import TestRecord
from .mixed_installation import mixed_installation_note
from .unselected_datasets import unselected_note

if TYPE_CHECKING:
    from .session.state import RunState

_TEARDOWN = "its teardown failed (pytest's output says more)"
_CRASHED = (
    "a worker of pytest-xdist died in it (pytest's output says which one). The model's"
    " other tests were then left out: run it alone, without -n, to see why"
)
_BY_A_GATE = ""
"""What stands for the failures that a verdict explains."""


class _HasCase(Protocol):
    @property
    def case(self) -> Case: ...


M = TypeVar("M", bound=_HasCase)


@dataclass(repr=False)
class RunCollector:
    """Gathers what test reports carry.

    The same outcome may come with several tests: it is kept once.
    """

    measured_here: Mapping[Case, Outcome] = field(default_factory=dict)
    """What this process has measured itself, and keeps anyway; it grows as tests run."""
    finished: set[str] = field(default_factory=set)
    """The tests of ours that came to their end."""
    passed: set[str] = field(default_factory=set)
    crashed: set[str] = field(default_factory=set)
    """The models in whose tests a worker of pytest-xdist died."""
    _outcomes: dict[Case, Outcome] = field(default_factory=dict)
    _costs: dict[Case, CostMeasurement] = field(default_factory=dict)
    _breaking: dict[Case, BreakingOutcome] = field(default_factory=dict)
    _counterfactuals: dict[Case, CounterfactualOutcome] = field(default_factory=dict)
    _drift: dict[Case, DriftOutcome] = field(default_factory=dict)
    _cards: dict[str, Json] = field(default_factory=dict)
    _not_tested: dict[str, str] = field(default_factory=dict)
    _datasets: dict[str, Json] = field(default_factory=dict)
    _truncated: defaultdict[str, dict[str, int]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """How many reports a model cuts, by model and data set."""
    _notes: dict[str, None] = field(default_factory=dict)
    _failed: defaultdict[str, list[str]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Test ids by what went wrong; under `_BY_A_GATE` those whose verdict is shown anyway."""

    def add(self, report: pytest.TestReport) -> None:
        """Take in what the report of a phase of a test of ours carries."""
        # Only the phase that ends a test's work carries a record. It is taken off the
        # report, which pytest keeps to the end of the run.
        data: Json | None = vars(report).pop("robust", None)
        if data is not None:
            record = TestRecord.from_json(data)
            self._add_record(record)
            if report.failed and record.gate_objected:
                self._failed[_BY_A_GATE].append(report.nodeid)
            elif report.failed and record.failure is not None:
                self._failed[record.failure].append(report.nodeid)
        if report.when == "call" and report.passed:
            self.passed.add(report.nodeid)
        if report.when == "teardown":
            self.finished.add(report.nodeid)
            if report.failed:
                self._failed[_TEARDOWN].append(report.nodeid)

    def add_crash(self, test: str, model: str) -> None:
        """Note that the worker which ran a test died in it."""
        self.crashed.add(model)
        self.finished.add(test)
        self._failed[_CRASHED].append(test)
        self._not_tested[model] = f"a worker died in {test}"

    @property
    def gate_failures(self) -> int:
        """How many tests failed because of a gate."""
        return len(self._failed.get(_BY_A_GATE, ()))

    def _add_record(self, record: TestRecord) -> None:
        for outcome in record.outcomes:
            # What came with the report is a copy, of which thousands would be kept.
            measured = self.measured_here.get(outcome.case)
            kept = measured if measured == outcome else outcome
            self._outcomes[kept.case] = kept
        if record.cost is not None:
            self._costs[record.cost.case] = record.cost
        if record.breaking is not None:
            self._breaking[record.breaking.case] = record.breaking
        if record.drift is not None:
            self._drift[record.drift.case] = record.drift
        for counterfactual in record.counterfactuals:
            self._counterfactuals[counterfactual.case] = counterfactual
        if record.model is not None:
            self._add_model(record.model, record)
        if record.dataset is not None:
            self._add_dataset(record.dataset)
        self._notes |= dict.fromkeys(record.notes)

    def _add_model(self, model: str, record: TestRecord) -> None:
        if record.card is not None:
            card = self._cards.setdefault(model, {"truncated_reports": None})
            card.update(record.card)
        if record.not_tested is not None:
            self._not_tested[model] = record.not_tested
        if record.dataset is not None and record.truncated_reports is not None:
            # The card shows the sum over all data sets.
            truncated = self._truncated[model]
            truncated[record.dataset["name"]] = record.truncated_reports
            self._cards[model]["truncated_reports"] = sum(truncated.values())

    def _add_dataset(self, dataset: Json) -> None:
        """Keep the description of a sweep, which has read the pixels, before any other."""
        name = dataset["name"]
        if dataset["pixel_digest"] is not None or name not in self._datasets:
            self._datasets[name] = dataset

    def measurements(self, state: RunState, scope: Scope) -> Measurements:
        """All that was gathered, in the order of the run's models."""
        models = list(state.selection.models)
        broken = {
            message: tests
            for message, tests in self._failed.items()
            if message != _BY_A_GATE
        }
        return Measurements(
            identity=state.identity,
            scope=scope,
            limit=state.settings.limit,
            plan=state.whole_plan,
            outcomes=_in_order(self._outcomes.values(), models),
            costs=_in_order(self._costs.values(), models),
            breaking=_in_order(self._breaking.values(), models),
            counterfactuals=_clean_first(self._counterfactuals.values(), models),
            models=self._model_records(state),
            datasets=tuple(self._datasets[name] for name in sorted(self._datasets)),
            broken=tuple(sorted(map(_broken_sentence, broken, broken.values()))),
            broken_tests=sum(len(tests) for tests in broken.values()),
            notes=self._all_notes(state),
            drift=_in_order(self._drift.values(), models),
        )

    def _all_notes(self, state: RunState) -> tuple[str, ...]:
        of_data = unselected_note(state.settings) if self._datasets else None
        of_run = (of_data, mixed_installation_note())
        return (*sorted(self._notes), *(note for note in of_run if note is not None))

    def _model_records(self, state: RunState) -> tuple[ModelRecord, ...]:
        cases = (
            *self._outcomes,
            *self._costs,
            *self._breaking,
            *self._counterfactuals,
            *(case for case, drift in self._drift.items() if drift.is_measured),
        )
        tested = {case.model for case in cases}
        records = []
        for name, selected in state.selection.models.items():
            reason: str | None = None
            if name not in tested:
                reason = self._not_tested.get(name, self._reason_of(name))
            card = self._cards.get(name, {})
            records.append(
                ModelRecord(name, name in tested, reason, card, selected.named)
            )
        return tuple(records)

    def _reason_of(self, model: str) -> str:
        """Why nothing of a model was measured, where no test said so."""
        if drift_case(model) in self._drift:
            return "its test of drift found no fingerprint, and no other test was run"
        return "no test of it was run or finished"


def _in_order(measured: Iterable[M], models: Sequence[str]) -> tuple[M, ...]:
    """By the order of the run's models, then by case."""
    order = {name: number for number, name in enumerate(models)}

    def rank(measurement: M) -> tuple[int, Case]:
        return order.get(measurement.case.model, -1), measurement.case

    return tuple(sorted(measured, key=rank))


def _clean_first(
    measured: Iterable[CounterfactualOutcome], models: Sequence[str]
) -> tuple[CounterfactualOutcome, ...]:
    """By the order of the run's models, then by data set, the clean cell first."""
    ordered = _in_order(measured, models)

    def rank(outcome: CounterfactualOutcome) -> tuple[int, str, bool]:
        case = outcome.case
        return models.index(case.model), case.dataset, case.level > 0

    return tuple(sorted(ordered, key=rank))


def _broken_sentence(message: str, tests: Sequence[str]) -> str:
    first, *others = sorted(tests)  # workers report in any order
    more = f" and {len(others)} more" if others else ""
    return f"{first}{more}: {message}"
