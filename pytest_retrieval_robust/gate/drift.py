"""The limit on how far a model's rows of fixed inputs may move from its fingerprint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..core.cases import Case, Direction, Plan
from ..core.drift import DriftOutcome, DriftPart, PartName, fingerprint_command
from ..core.verdict import GateKey, GateKind, Verdict, VerdictName
from .decision import Decision, pass_or_fail

_SUBJECTS: Mapping[PartName, str] = {
    "tokenizer": "token ids",
    "pixels": "prepared pixels",
    "weights": "weights",
}
"""What is compared of each part."""
_NAMED = 4
"""Sentences, pictures or versions that a sentence names; the rest are counted."""


@dataclass(frozen=True)
class DriftLimit:
    """`drift = { file = "fingerprints/ours.json", max = 1e-3 }`: no row of a fixed picture
    or sentence is further than that from the row in the file, as 1 - cosine.
    """

    maximum: float
    file: str | None = None
    """Relative to the folder of `robust.toml`; None for the usual place."""
    is_named: bool = False
    """Whether its table names the file, or the model by its own name: a file that is
    missing then fails.
    """

    @property
    def key(self) -> GateKey:
        return GateKey(GateKind.DRIFT)

    def gate(self, _: Direction | None = None) -> GateKey:
        """The gate that its verdicts name."""
        return self.key

    def applies_at(self, _: Case) -> bool:
        """Never: it is about a model, not about a cell."""
        return False

    def is_planned_at(self, _: Case, __: Plan) -> bool:
        """Never: it is planned once per model, not at cells."""
        return False

    def judge(self, drift: DriftOutcome, _: Decision | None = None) -> Verdict:
        """Whether every row is within the limit; with what moved, if anything did."""
        if drift.largest is None:
            verdict: VerdictName = "fail" if self.is_named else "ungated"
            return self._verdict(drift, verdict, _missing(drift))
        passes = drift.largest <= self.maximum and not drift.refused
        return self._verdict(drift, pass_or_fail(passes), self._sentence(drift, passes))

    def _verdict(
        self, drift: DriftOutcome, verdict: VerdictName, sentence: str
    ) -> Verdict:
        return Verdict(
            drift.case,
            self.key,
            verdict,
            drift.largest,
            self.maximum,
            sentence,
            decided_by=None if drift.largest is None else "point",
        )

    def _sentence(self, drift: DriftOutcome, passes: bool) -> str:
        assert drift.largest is not None  # `judge` saw that there is a file
        is_near = drift.largest <= self.maximum
        parts = [
            (
                f"{drift.model} beside {drift.file}: the largest 1 - cosine of"
                f" {drift.inputs} fixed pictures and sentences is"
                f" {drift.largest:.2g}{_worst(drift)}, {_WORDS[is_near]} the limit of"
                f" {self.maximum:g}."
            )
        ]
        if drift.refused:
            parts.append(
                f"The model refuses on one side alone: {_listed(drift.refused)}."
            )
        parts += _moved_parts(drift.parts)
        if not passes:
            parts += _explanation(drift)
            parts.append(
                "Go back to what the file was made with, or make it again with"
                f" `{fingerprint_command(drift.model)}` if the change is meant."
            )
        return " ".join(parts)


_WORDS = {True: "within", False: "above"}


def _missing(drift: DriftOutcome) -> str:
    return (
        f"{drift.model}: not compared, because there is no fingerprint {drift.file}."
        f" Make it with `{fingerprint_command(drift.model)}`, with the folder of"
        " robust.toml as SUITE, and commit it."
    )


def _worst(drift: DriftOutcome) -> str:
    """Where it is, if anything moved."""
    return f" ({drift.worst})" if drift.worst is not None and drift.largest else ""


def _moved_parts(parts: Sequence[DriftPart]) -> list[str]:
    return [_moved(part) for part in parts if part.state == "moved"]


def _moved(part: DriftPart) -> str:
    if part.name == "weights":
        return "The weights moved: the loaded parameters differ."
    subject = "token ids" if part.name == "tokenizer" else "pixels as prepared"
    whose = "sentences" if part.name == "tokenizer" else "pictures"
    head = "The tokenizer" if part.name == "tokenizer" else "The preprocessing"
    return (
        f"{head} moved: other {subject} of {len(part.moved)} of {part.compared} {whose}"
        f" ({_listed(part.moved)})."
    )


def _explanation(drift: DriftOutcome) -> list[str]:
    """What did not move, what is not known, and which versions differ."""
    same = [_SUBJECTS[part.name] for part in drift.parts if part.state == "same"]
    unknown = [
        _SUBJECTS[part.name] for part in drift.parts if part.state == "not known"
    ]
    has_moved = len(same) + len(unknown) < len(drift.parts)
    sentences = []
    if same:
        sentences.append(f"The same: {', '.join(same)}.")
    if unknown:
        sentences.append(f"Not known: {', '.join(unknown)}.")
    if not has_moved:
        verb = (
            "one of them, or the numerics, moved" if unknown else "the numerics moved"
        )
        reason = "the arithmetic of a library, the device or the precision"
        sentences.append(f"So {verb} ({reason}).")
    if drift.differences:
        sentences.append(f"Other versions and settings: {_listed(drift.differences)}.")
    else:
        sentences.append("Versions, device and precision are the same.")
    return sentences


def _listed(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = len(names) - _NAMED
    if more <= 0:
        return "; ".join(names)
    return f"{'; '.join(names[:_NAMED])}; and {more} more"
