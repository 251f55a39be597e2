"""Between a run in memory and the document that its `run.json` holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import UNSET
from msgspec.structs import asdict

from ...core.cases import DIRECTIONS, Direction
from ...core.codec import Json, to_plain
from ...core.outcomes import ModelRecord, Outcome, finite
from ...core.searches import BreakingOutcome
from ...gate.measurements import Identity, Measurements, Scope
from .comparison_forms import (
    AccumulatedForm,
    AttemptForm,
    BaselineForm,
    CellForm,
    ChangeForm,
    GroupForm,
    GroupsForm,
    ReferenceForm,
    TriedForm,
)
from .document import (
    SCHEMA_VERSION,
    ChangedForm,
    CorruptionErrorsForm,
    CurveForm,
    DatasetForm,
    LayoutForm,
    ModelForm,
    NamedErrorsForm,
    OutcomeForm,
    RunDocument,
    RunFacts,
    SearchForm,
    VerdictForm,
)
from .forms import Ends

if TYPE_CHECKING:
    from ...gate.accumulated import AccumulatedChange, Change
    from ...gate.attempts import AttemptRecord
    from ...gate.compared_runs import BaselineRecord, ReferenceRecord
    from ...gate.corruption_table import CorruptionErrors
    from ...gate.curve_intervals import Interval
    from ...gate.group_numbers import CellGroups
    from ...gate.record import RunRecord
    from ...retrieval.curve import Curve


def document_of(run: RunRecord, ranks_sha256: str | None, host: Json) -> RunDocument:
    """The run as `run.json` has it, all but the digest of its content."""
    return RunDocument(
        schema_version=SCHEMA_VERSION,
        run=_facts(run, ranks_sha256, host),
        models=[_model_form(model) for model in run.models],
        datasets=[DatasetForm(**dataset) for dataset in run.datasets],
        outcomes=[_outcome_form(outcome) for outcome in run.outcomes],
        costs=list(run.costs),
        breaking=[_search_form(search) for search in run.breaking],
        curves=[
            _curve(run, curve, direction)
            for curve in run.curves
            for direction in DIRECTIONS
        ],
        layouts=[LayoutForm(**vars(layout)) for layout in run.layouts],
        baseline=None if run.baseline is None else _baseline(run.baseline),
        reference=UNSET if run.reference is None else _reference(run.reference),
        attempt=UNSET if run.attempt is None else _attempt(run.attempt),
        verdicts=[VerdictForm(**verdict.as_json()) for verdict in run.verdicts],
        changed=[ChangedForm(**vars(each)) for each in run.changed] or UNSET,
        corruption_errors=list(map(_corruption_errors, run.corruption_errors)) or UNSET,
        counterfactuals=list(run.counterfactuals),
        groups=list(map(_groups, run.groups)) or UNSET,
        drift=list(run.drift),
    )


def _groups(cell: CellGroups) -> GroupsForm:
    groups = [GroupForm(**vars(group)) for group in cell.groups]
    return GroupsForm(**{**vars(cell), "groups": groups})


def _corruption_errors(errors: CorruptionErrors) -> CorruptionErrorsForm:
    named = [NamedErrorsForm(**vars(each)) for each in errors.perturbations]
    return CorruptionErrorsForm(**{**vars(errors), "perturbations": named})


def _facts(run: RunRecord, ranks_sha256: str | None, host: Json) -> RunFacts:
    return RunFacts(
        id=run.identity.id,
        started=run.identity.started,
        version=run.identity.version,
        command=run.scope.command,
        host=host,
        gates_sha256=run.gates_sha256,
        policy=list(run.policy),
        ranks_sha256=ranks_sha256,
        limit=run.limit,
        partial=run.scope.partial,
        plan=run.plan,
        replayed=run.replayed,
        failures=list(run.failures),
        warnings=list(run.warnings),
        broken=list(run.broken),
        broken_tests=run.broken_tests,
        other_failures=list(run.other_failures) or UNSET,
        status=run.release.status,
    )


def _curve(run: RunRecord, curve: Curve, direction: Direction) -> CurveForm:
    """The curve with the 95 % interval of each of its numbers, null where ranks are missing."""
    form = CurveForm(
        **curve.as_json(direction),
        auc_interval={},
        half_level_interval={},
        slope_interval={},
        retention_interval={},
    )
    for k in sorted(curve.clean.scores(direction).recall):
        at_k = run.intervals.get((curve.clean.case, direction, k))
        form.auc_interval[k] = None if at_k is None else _ends(at_k.auc)
        form.half_level_interval[k] = None if at_k is None else _ends(at_k.half_level)
        form.slope_interval[k] = None if at_k is None else _ends(at_k.slope)
        form.retention_interval[k] = None if at_k is None else _by_level(at_k.retention)
    return form


def _by_level(intervals: Mapping[float, Interval]) -> dict[str, Ends | None]:
    return {f"{level:g}": _ends(interval) for level, interval in intervals.items()}


def _ends(interval: Interval) -> Ends:
    return finite(interval.low), finite(interval.high)


def _baseline(baseline: BaselineRecord) -> BaselineForm:
    return BaselineForm(
        id=baseline.id,
        started=baseline.started,
        version=baseline.version,
        obstacles=list(baseline.obstacles),
        vanished=list(baseline.vanished),
        cells=[CellForm(**cell.as_json()) for cell in baseline.cells],
    )


def _reference(reference: ReferenceRecord) -> ReferenceForm:
    return ReferenceForm(
        id=reference.id,
        started=reference.started,
        version=reference.version,
        obstacles=list(reference.obstacles),
        vanished=list(reference.vanished),
        changes=list(map(_accumulated, reference.changes)),
    )


def _accumulated(change: AccumulatedChange) -> AccumulatedForm:
    baseline = None if change.baseline is None else _change(change.baseline)
    own = {"candidate": _change(change.candidate), "baseline": baseline}
    return AccumulatedForm(**{**vars(change), **own})


def _change(change: Change) -> ChangeForm:
    return ChangeForm(change.recall, change.value, (change.low, change.high))


def _attempt(attempt: AttemptRecord) -> AttemptForm:
    return AttemptForm(
        tried=[TriedForm(**vars(each)) for each in attempt.tried],
        same_weights=attempt.same_weights,
        ledger_sha256=attempt.ledger_sha256,
        line_sha256=attempt.line_sha256,
    )


def _outcome_form(outcome: Outcome) -> OutcomeForm:
    """An outcome as the file has it."""
    return OutcomeForm(**vars(outcome))


def _search_form(search: BreakingOutcome) -> SearchForm:
    """A search as the file has it: its quantiles are there for readers."""
    return SearchForm(
        **vars(search), median=search.quantile(0.5), quantile_5=search.quantile(0.05)
    )


def _model_form(model: ModelRecord) -> ModelForm:
    """A model as the file has it: with the facts of its card beside its name."""
    facts = model.as_json()
    return ModelForm(
        **{name: facts[name] for name in ModelForm.__struct_fields__ if name in facts}
    )


def measured_of(document: RunDocument, notes: tuple[str, ...]) -> Measurements:
    """What a document says that was measured; what follows from it is computed anew."""
    run = document.run
    return Measurements(
        identity=Identity(run.id, run.started, run.version, run.host),
        scope=Scope(run.partial, run.command),
        limit=run.limit,
        plan=run.plan,
        outcomes=tuple(map(_outcome, document.outcomes)),
        costs=tuple(document.costs),
        breaking=tuple(map(_search, document.breaking)),
        counterfactuals=tuple(document.counterfactuals),
        models=tuple(map(_model, document.models)),
        datasets=tuple(map(to_plain, document.datasets)),
        broken=tuple(run.broken),
        broken_tests=run.broken_tests,
        notes=notes,
        drift=tuple(document.drift),
        other_failures=tuple(run.other_failures or ()),
    )


def _outcome(form: OutcomeForm) -> Outcome:
    return Outcome(**asdict(form))


def _search(form: SearchForm) -> BreakingOutcome:
    fields = asdict(form)
    del fields["median"], fields["quantile_5"]
    return BreakingOutcome(**fields)


def _model(form: ModelForm) -> ModelRecord:
    return ModelRecord.from_json(to_plain(form))
