"""Models beside their fingerprints, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.drift import DriftOutcome
from ..core.verdict import GateKind
from ..core.words import counted
from ..gate.record import RunRecord
from ._text import readable


def drift_sentences(run: RunRecord) -> list[str]:
    """How far each model is from its fingerprint, and which model has none."""
    return [readable(sentence) for sentence in _sentences(run)]


def _sentences(run: RunRecord) -> Iterator[str]:
    # A gate says more: whether that is near enough, and which part moved.
    said = {
        verdict.case.model: verdict.sentence
        for verdict in run.verdicts
        if verdict.gate.kind is GateKind.DRIFT
    }
    for drift in run.drift:
        yield said.get(drift.model) or _distance(drift)


def _distance(drift: DriftOutcome) -> str:
    if drift.largest is None:
        return f"{drift.model}: no fingerprint {drift.file}"
    where = f" ({drift.worst})" if drift.worst is not None and drift.largest > 0 else ""
    return (
        f"{drift.model}: 1 - cosine to {drift.file} is {drift.largest:.2g} at most{where},"
        f" of {counted(drift.inputs, 'picture or sentence', 'pictures and sentences')}"
    )
