"""The reports of studies with one fact changed; all else keeps its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...core.counterfactuals import EditedReports, ReportEdit
from .changes import Change, assertions_of, changes_of, insertions
from .composition import Composition, Phrase
from .facts import DENIED_ALONE, DEVICES, Fact, facts_of, states_of
from .impressions import edited_impression
from .reports import compose
from .rewording import Rewording, denied_by
from .studies import Study, is_plausible


def edit_reports(
    studies: Sequence[Study], reports: Sequence[str], groups: Sequence[int]
) -> EditedReports:
    """The edits of `reports`, each of which is that of the study of the same number.

    Reports of one group are right for the same images. An edit that says what another
    report of its group says is left out.
    """
    right = set(zip(groups, reports, strict=True))
    edits = [
        edit
        for number, study in enumerate(studies)
        for edit in StudyEdits(study).edits(number)
        if (groups[number], edit.text) not in right
    ]
    return EditedReports(tuple(edits), len(reports), "exact")


class StudyEdits:
    """The edits of one study's report."""

    def __init__(self, study: Study) -> None:
        self._facts = facts_of(study)
        self._report = compose(study)
        self._words = Rewording(study)

    def edits(self, number: int) -> Iterator[ReportEdit]:
        """All of them, as edits of the report `number`."""
        for alternatives in self._alternatives():
            for change in alternatives:
                report = self._edited(change)
                if report is not None:
                    yield ReportEdit(number, change.kind, change.action, report.text)
                    break

    def _alternatives(self) -> Iterator[list[Change]]:
        """Lists of changes. The first one of each that applies is made."""
        for fact in self._facts:
            yield from changes_of(fact)
        for phrase in self._report.findings:
            denied = [slot for slots in denied_by(phrase) for slot in slots]
            if denied:
                yield self._words.in_order(assertions_of(denied), denied[0])
        yield self._words.in_order(insertions(), DEVICES[0])

    def _edited(self, change: Change) -> Composition | None:
        """The report after a change. None where there is no such report, or where it
        would contradict itself.
        """
        facts = change.applied_to(self._facts)
        slots = {fact.slot for fact in facts}
        # What comes may be there already, on the other side.
        if len(slots) < len(facts) or not is_plausible(states_of(facts)):
            return None
        report = self._with_sentences(change)
        if not report.body or any(
            slots.intersection(one.denied) for one in report.body
        ):
            return None
        impression = edited_impression(report.impression, change, facts, self._words)
        return replace(report, impression=impression)

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
            denials = [self._words.denial(slots) for slots in still_denied]
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
