"""Edits of free text in English by conservative rules: what they cannot read they leave."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...core.counterfactuals import EDIT_KINDS, EditedReports, ReportEdit
from ...core.errors import ArgumentError
from .change import change_changes
from .coverage import LEFT_ALONE, Coverage
from .device import device_changes
from .document import Document, read_document
from .finding import finding_changes
from .language import is_english
from .negation_added import added_negations
from .negation_removed import removed_negations
from .rewriting import Change
from .sentence import Sentence
from .severity import severity_changes
from .side import side_changes
from .size import size_changes
from .zone import zone_changes


@dataclass(frozen=True, repr=False)
class RuleEdits(EditedReports):
    """The edits that the rules made, with what they left alone."""

    coverage: Coverage


def edited_by_rules(reports: Sequence[str]) -> RuleEdits:
    """The minimal edits of chest radiograph reports in English, by rules.

    Each edit makes one thing of a report wrong: a finding denied or asserted, its side,
    severity, size, zone or course, a device, or one finding in place of another. Where
    several sentences speak of the same finding, all are changed or none is. Only sections
    of findings and impression, and text under no heading, are edited.

    The edits follow from the text of each report alone, in the order of the reports and of
    `EDIT_KINDS`. The time grows linearly with the length of the texts.

    Raises:
        ArgumentError: `reports` holds something that is no text.
    """
    edits: list[ReportEdit] = []
    left_alone = Counter(dict.fromkeys(LEFT_ALONE, 0))
    known: dict[str, tuple[list[tuple[str, str, str]], str]] = {}
    sentences: dict[str, Sentence] = {}
    for number, report in enumerate(reports):
        if not isinstance(report, str):
            raise ArgumentError(
                f"Expected reports as texts, got reports[{number}] of type"
                f" {type(report).__name__}. Give a list of str."
            )
        # Many studies share one text.
        if report not in known:
            known[report] = _edits_of(report, sentences)
        of_report, reason = known[report]
        edits += [ReportEdit(number, *edit) for edit in of_report]
        if reason:
            left_alone[reason] += 1
    return RuleEdits(
        edits=edits,
        reports=len(reports),
        source="rules",
        coverage=_coverage(edits, len(reports), left_alone),
    )


def _coverage(
    edits: Sequence[ReportEdit], reports: int, left_alone: Mapping[str, int]
) -> Coverage:
    by_kind = Counter(edit.kind for edit in edits)
    pairs = {(edit.kind, edit.report) for edit in edits}
    reports_by_kind = Counter(kind for kind, _ in pairs)
    return Coverage(
        reports=reports,
        edited=len({edit.report for edit in edits}),
        edits={kind: by_kind[kind] for kind in EDIT_KINDS},
        edited_by_kind={kind: reports_by_kind[kind] for kind in EDIT_KINDS},
        left_alone=dict(left_alone),
    )


def _edits_of(
    report: str, sentences: dict[str, Sentence]
) -> tuple[list[tuple[str, str, str]], str]:
    """(kind, action, text) of each edit, and why there is none."""
    words = report.split()
    if len(words) < 2:
        return [], "one word" if words else "empty"
    document = read_document(report, sentences)
    said = [word for sentence in document.sentences for word in sentence.words]
    if said and not is_english(said):
        return [], "another language"
    edits = []
    texts = {" ".join(words)}
    for kind, change in _changes(document):
        text = document.changed(change.sentences)
        compared = " ".join(text.split())
        if compared not in texts:
            texts.add(compared)
            edits.append((kind, change.action, text))
    if edits:
        return edits, ""
    is_about_any = any(
        sentence.mentions or sentence.devices for sentence in document.sentences
    )
    return [], "nothing to edit" if is_about_any else "no finding"


def _changes(document: Document) -> Iterator[tuple[str, Change]]:
    for kind in EDIT_KINDS:
        for make in _RULES[kind]:
            for change in make(document):
                yield kind, change


def _device_changes(document: Document) -> Iterator[Change]:
    digest = hashlib.blake2b(document.text.encode("utf-8", "surrogatepass"))
    return device_changes(document, digest.digest()[0])


_RULES: Mapping[str, Sequence[Callable[[Document], Iterator[Change]]]] = {
    "negation": (added_negations, removed_negations),
    "side": (side_changes,),
    "severity": (severity_changes,),
    "size": (size_changes,),
    "zone": (zone_changes,),
    "device": (_device_changes,),
    "finding": (finding_changes,),
    "change": (change_changes,),
}
