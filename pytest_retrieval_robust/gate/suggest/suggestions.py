"""From a saved run to the limits that its models can be held to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...core.catalogue import is_glob
from ...core.verdict import Verdict
from ...core.words import counted
from ..chance import untrained
from ..judged import clean_outcomes
from ..measurements import Identity
from ..pairing import Run
from ..policy import Policy
from ..record import Against, judge_run
from .asked import Asked, marks_of
from .subject import Subject
from .suggested import Place, Suggested, key_of
from .tables import policy_of

FEWEST_PATIENTS = 100
"""With fewer the bounds of the gate itself hold less often than they say."""


@dataclass(frozen=True)
class OfModel:
    """The limits of one model, which share the risk."""

    model: str
    gates: int
    """Gates that share it: each seed counts."""
    suggested: tuple[Suggested, ...]
    left_out: tuple[str, ...]
    """A sentence for each limit that its own run would not pass."""


@dataclass(frozen=True)
class Suggestions:
    """What a run suggests."""

    identity: Identity
    asked: Asked
    marks: tuple[str, ...]
    """What keeps the run from being a full one."""
    models: tuple[OfModel, ...]
    """Those that get limits."""
    refused: tuple[str, ...]
    """A sentence for each model and data set that gets none."""


def suggest(run: Run, asked: Asked) -> Suggestions:
    """Limits at which each model, unchanged and measured on another sample of as many
    queries, fails any of its gates with a probability of at most `asked.risk`.

    Every limit is met by the run that it comes from.

    Raises:
        RobustError: The run is partial or limited and not forced, or has measured no such
            model, data set or k.
    """
    asked = asked.checked(run.measured)
    refused: list[str] = []
    models = []
    for model in asked.models:
        subjects = []
        for dataset in asked.datasets:
            subject = Subject(run, asked, model, dataset)
            problem = _problem(subject)
            if problem is None:
                subjects.append(subject)
            else:
                refused.append(problem)
        of_model = _of_model(run, asked, model, subjects)
        if of_model.suggested:
            models.append(of_model)
        elif subjects:
            refused.append(f"{model}: no number leaves room for a floor above chance.")
    return Suggestions(
        run.measured.identity,
        asked,
        tuple(marks_of(run.measured)),
        tuple(models),
        tuple(refused),
    )


def _problem(subject: Subject) -> str | None:
    """Why a model gets no limits on a data set, or None."""
    key = (subject.model, subject.dataset)
    clean = clean_outcomes(subject.run.measured).get(key)
    if clean is None or not subject.curves:
        return (
            f"Expected the recall of {subject.model} on {subject.dataset} with nothing"
            " hidden, got none. Run the whole suite."
        )
    problem = untrained(clean)
    if problem is not None:
        return problem
    for name in (subject.model, subject.dataset):
        if is_glob(name):
            return (
                f"Expected a name without *, ? and [, got {name!r}: a table would read"
                " it as a glob. Rename it."
            )
    patients, queries = subject.patients
    if patients < FEWEST_PATIENTS:
        return (
            f"Expected at least {FEWEST_PATIENTS} patients before limits of"
            f" {subject.model} are suggested, got {patients}"
            f" ({counted(queries, 'query', 'queries')}) on {subject.dataset}: too few"
            " to say how far an unchanged model may fall. Measure more."
        )
    return None


def _of_model(run: Run, asked: Asked, model: str, subjects: list[Subject]) -> OfModel:
    gates = sum(subject.gates for subject in subjects)
    suggested = [each for subject in subjects for each in subject.suggested(gates)]
    if not suggested:
        return OfModel(model, gates, (), ())
    verdicts = _verdicts(run, policy_of(suggested, asked))
    kept = []
    left_out = []
    for each in suggested:
        own = verdicts.get(each.key, [])
        problem = next(_objections(each, own), None)
        if problem is None:
            kept.append(each.judged(own))
        else:
            left_out.append(problem)
    return OfModel(model, gates, tuple(kept), tuple(dict.fromkeys(left_out)))


def _verdicts(run: Run, policy: Policy) -> dict[tuple[Place, object], list[Verdict]]:
    """What the limits, written down and read again, say of their own run."""
    verdicts: dict[tuple[Place, object], list[Verdict]] = {}
    for verdict in judge_run(run, policy, Against()).verdicts:
        verdicts.setdefault(key_of(verdict), []).append(verdict)
    return verdicts


def _objections(suggested: Suggested, verdicts: list[Verdict]) -> Iterator[str]:
    """Why a limit is not met by its own run: it lies within chance, or nothing was
    changed.
    """
    if not verdicts:
        yield (
            f"{suggested.gate} of {suggested.place.perturbation}: its table would select"
            " nothing, because the name is read as a glob."
        )
    for verdict in verdicts:
        is_uncompared = verdict.gate.kind.compared_with is not None
        if verdict.verdict != "pass" and not is_uncompared:
            yield verdict.sentence
