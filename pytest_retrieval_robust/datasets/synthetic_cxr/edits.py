"""The reports of studies with one fact changed; all else keeps its words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ...core.counterfactuals import EditedReports, ReportEdit
from .changes import Change, assertions_of, changes_of, insertions
from .composition import Composition, Phrase
from .facts import DENIED_ALONE, DEVICES, Fact, facts_of, states_of
from .impressions import edited_impression
from .reports import compose
from .rewording import Rewording, denied_by
from .studies import Study, is_plausible


@dataclass(frozen=True, repr=False)
class StudyEdit:
    """A change of a study's report."""

    change: Change
    study: Study
    """What the edited report describes: another study of the same body."""
    text: str


def edit_reports(
    studies: Sequence[Study],
    reports: Sequence[str],
    groups: Sequence[int],
    labels_of: Callable[[Study], frozenset[str]] | None = None,
) -> EditedReports:
    """The edits of `reports`, each of which is that of the study of the same number.

    Reports of one group are right for the same images. Left out is an edit that would be
    right too: it says what another report of its group says, or leaves the study's
    labels as they are where reports with the same labels are right (`labels_of`).
    """
    right = set(zip(groups, reports, strict=True))
    edits: list[ReportEdit] = []
    for number, study in enumerate(studies):
        for edit in StudyEdits(study).edits():
            is_right = (groups[number], edit.text) in right
            if labels_of is not None:
                is_right = is_right or labels_of(edit.study) == labels_of(study)
            if not is_right:
                change = edit.change
                edits.append(ReportEdit(number, change.kind, change.action, edit.text))
    return EditedReports(tuple(edits), len(reports), "exact")


class StudyEdits:
    """The edits of one study's report."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._facts = facts_of(study)
        self._report = compose(study)
        self._words = Rewording(study)

    def edits(self) -> Iterator[StudyEdit]:
        """One of each kind for each fact to which it applies, and one inserted device."""
        for alternatives in self._alternatives():
            edits = (self._edit(change) for change in alternatives)
            yield from islice((edit for edit in edits if edit is not None), 1)

    def _alternatives(self) -> Iterator[Sequence[Change]]:
        """Alternatives. The first one of each that applies is made."""
        for fact in self._facts:
            yield from changes_of(fact)
        for phrase in self._report.findings:
            denied = [slot for slots in denied_by(phrase) for slot in slots]
            if denied:
                yield self._words.in_order(assertions_of(denied), denied[0])
        yield self._words.in_order(insertions(), DEVICES[0])

    def _edit(self, change: Change) -> StudyEdit | None:
        """The edit that makes a change. None where there is no such study or report, or
        where the report would contradict itself.
        """
        facts = change.applied_to(self._facts)
        slots = {fact.slot for fact in facts}
        states = states_of(facts)
        # What comes may be there already, on the other side.
        if len(slots) < len(facts) or not is_plausible(states):
            return None
        report = self._with_sentences(change)
        if not report.body or any(
            slots.intersection(one.denied) for one in report.body
        ):
            return None
        impression = edited_impression(report.impression, change, facts, self._words)
        text = replace(report, impression=impression).text
        return StudyEdit(change, replace(self._study, states=states), text)

    def _with_sentences(self, change: Change) -> Composition:
        report = self._report
        findings = self._changed(report.findings, change)
        devices = self._changed(report.devices, change)
        new = change.new
        spoken_of = {phrase.slot for phrase in (*findings, *devices)}
        if new is not None and new.slot not in spoken_of:
            devices = (*devices, self._words.sentence(new))
        return replace(report, findings=findings, devices=devices)

    def _changed(self, phrases: Sequence[Phrase], change: Change) -> tuple[Phrase, ...]:
        return tuple(
            new for phrase in phrases for new in self._in_place_of(phrase, change)
        )

    def _in_place_of(self, phrase: Phrase, change: Change) -> list[Phrase]:
        """What stands where a sentence stood: mostly itself."""
        old, new = change.old, change.new
        if old is not None and phrase.slot == old.slot:
            return self._in_place_of_old(phrase, old, new)
        if old is None and new is not None and new.slot in phrase.denied:
            still_denied = [
                slots for slots in denied_by(phrase) if new.slot not in slots
            ]
            denials = [self._words.denial_like(slots, phrase) for slots in still_denied]
            return [*denials, self._words.sentence(new)]
        return [phrase]

    def _in_place_of_old(
        self, phrase: Phrase, old: Fact, new: Fact | None
    ) -> list[Phrase]:
        if new is not None:
            choice = phrase.choice if old.name == new.name else None
            return [self._words.sentence(new, choice)]
        denials = [slots for slots in DENIED_ALONE if old.slot in slots]
        return [self._words.denial(slots) for slots in denials]
