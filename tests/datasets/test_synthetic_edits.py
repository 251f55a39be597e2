"""Edits of the reports of the embedded data set, read back by a reader that knows words
alone: each differs from its report in the one thing that was edited.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.core.counterfactuals import (
    EDIT_KINDS,
    EditedReports,
    ReportEdit,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.changes import Change
from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.datasets.synthetic_cxr.edits import (
    StudyEdits,
    edit_reports,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.facts import (
    FACTS,
    facts_of,
    states_of,
)
from pytest_retrieval_robust.datasets.synthetic_cxr.reports import write_report
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import NORMAL, Study, draw

from .report_reader import (
    Reading,
    Said,
    is_device,
    labels_and_joints,
    read,
    sentences,
)

GONE = {("negation", "added"), ("device", "removed")}
NEW = {("negation", "removed"), ("device", "inserted")}


@pytest.fixture(scope="module")
def data() -> SyntheticCxr:
    return SyntheticCxr()


@pytest.fixture(scope="module")
def edited(data: SyntheticCxr) -> EditedReports:
    return data.edited_reports()


def require_one_difference(
    before: Reading, after: Reading, edit: ReportEdit | Change
) -> None:
    """Fail unless the two readings differ in what the edit says, and in nothing else."""
    gone = [*before.found - after.found]
    come = [*after.found - before.found]
    what = (edit.kind, edit.action)
    expected = (int(what not in NEW), int(what not in GONE))
    assert (len(gone), len(come)) == expected
    names_of_denied = before.denied ^ after.denied
    if what == ("negation", "added"):
        assert after.denied - before.denied == {gone[0].name} == names_of_denied
    elif what == ("negation", "removed"):
        assert before.denied - after.denied == {come[0].name} == names_of_denied
    else:
        assert not names_of_denied
    if what in GONE | NEW:
        assert is_device((gone or come)[0].name) == (edit.kind == "device")
    else:
        require_one_change(gone[0], come[0], edit)


def require_one_change(old: Said, new: Said, edit: ReportEdit | Change) -> None:
    pairs = {
        field.name: (getattr(old, field.name), getattr(new, field.name))
        for field in fields(Said)
    }
    differing = {name for name, (was, became) in pairs.items() if was != became}
    if edit.kind == "device":
        assert is_device(old.name)
        assert len(differing) == 1
        assert differing < {"side", "place"}
    elif edit.kind == "finding":
        assert not is_device(old.name)
        assert not is_device(new.name)
        assert pairs.pop("name")[0] != new.name
        assert all(was == became for was, became in pairs.values() if was and became)
    else:
        assert not is_device(old.name)
        assert differing == {edit.kind}


def test_every_edit_differs_from_its_report_in_the_one_thing_that_was_edited(
    data: SyntheticCxr, edited: EditedReports
) -> None:
    readings = [read(report) for report in data.reports]
    for edit in edited.edits:
        require_one_difference(readings[edit.report], read(edit.text), edit)


def test_no_edited_report_contradicts_itself(
    data: SyntheticCxr, edited: EditedReports
) -> None:
    for text in (*data.reports, *(edit.text for edit in edited.edits)):
        assert read(text).agrees_with_itself(), text


def test_the_reader_finds_what_the_studies_show(data: SyntheticCxr) -> None:
    for study, report in zip(data.studies, data.reports, strict=True):
        shown = {
            Said(fact.name, fact.side, fact.zone, fact.size, fact.severity, fact.place)
            for fact in facts_of(study)
        }
        well_placed = {replace(one, place="") for one in shown if one.place == "good"}
        shown = {one for one in shown if one.place != "good"} | well_placed
        assert read(report).found == shown


def test_all_sentences_but_the_edited_one_stay(
    data: SyntheticCxr, edited: EditedReports
) -> None:
    for edit in edited.edits:
        before = Counter(sentences(data.reports[edit.report]))
        after = Counter(sentences(edit.text))
        assert (before - after).total() <= 1
        # What else a sentence denied needs one of its own.
        assert (after - before).total() <= 1 + (edit.kind == "negation")


def require_the_same_joints(before: str, after: str) -> None:
    """Fail unless the labels of both impressions are joined in both as in one of them."""
    old, new = labels_and_joints(before), labels_and_joints(after)
    labels = {*old[::2]} & {*new[::2]}
    kept_old = set(zip(old[::2], old[2::2], strict=False))
    for place in range(1, len(new), 2):
        pair = (new[place - 1], new[place + 1])
        if pair in kept_old:
            old_place = 2 * old[::2].index(pair[0]) + 1
            assert old[old_place] == new[place]
        elif new[place] == " and ":
            # One of the two is new, in place of a joined one.
            assert " and " in old
            assert len({*pair} & labels) == 1


def test_all_labels_but_the_edited_one_stay_with_what_is_between_them(
    data: SyntheticCxr, edited: EditedReports
) -> None:
    for edit in edited.edits:
        report = data.reports[edit.report]
        before, after = (
            Counter(labels_and_joints(t)[::2]) for t in (report, edit.text)
        )
        remarks = read(report).remark, read(edit.text).remark
        may_differ = 1 + (remarks[0] != remarks[1])
        assert (before - after).total() <= may_differ
        assert (after - before).total() <= may_differ
        require_the_same_joints(report, edit.text)


def test_a_moved_line_stays_in_its_vein(
    data: SyntheticCxr, edited: EditedReports
) -> None:
    other = {"right": "left", "left": "right"}
    moved = []
    for edit in edited.edits:
        report = data.reports[edit.report]
        gone = read(report).found - read(edit.text).found
        if edit.action == "moved" and {said.name for said in gone} == {"line"}:
            moved.append(edit)
            pairs = zip(report.lower().split(), edit.text.lower().split(), strict=True)
            differing = [pair for pair in pairs if len({*pair}) == 2]
            assert differing
            assert all(other[old] == new for old, new in differing)
    assert len(moved) > 20


def test_every_report_has_edits_and_every_kind_that_the_reports_have_words_for(
    data: SyntheticCxr, edited: EditedReports
) -> None:
    assert (edited.source, edited.reports) == ("exact", len(data.reports))
    assert edited.edited == len(data.reports)
    counts = Counter(edit.kind for edit in edited.edits)
    assert {*counts} == {*EDIT_KINDS} - {"change"}
    assert min(counts.values()) > 200
    devices = {edit.action for edit in edited.edits if edit.kind == "device"}
    assert devices == {"inserted", "removed", "moved"}
    negations = {edit.action for edit in edited.edits if edit.kind == "negation"}
    assert negations == {"added", "removed"}


def test_no_two_edits_of_a_report_are_the_same(edited: EditedReports) -> None:
    texts = [(edit.report, edit.text) for edit in edited.edits]
    assert len({*texts}) == len(texts)


def test_no_edit_says_what_another_right_report_says() -> None:
    study = draw(1, 1, "test")
    report = write_report(study)
    edits = edit_reports([study], [report], [0]).edits
    # As if another image of the same group had the first edit as its own report.
    fewer = edit_reports([study, study], [report, edits[0].text], [0, 0]).edits
    assert [edit.text for edit in fewer if edit.report == 0] == [
        edit.text for edit in edits[1:]
    ]


def test_where_labels_say_what_is_right_every_edit_changes_them() -> None:
    data = SyntheticCxr(pairs=60, relevance="same-labels", labels="unsided")
    kinds = {edit.kind for edit in data.edited_reports().edits}
    assert kinds == {"negation", "device", "finding"}
    sided = SyntheticCxr(pairs=60, relevance="same-labels").edited_reports()
    assert {edit.kind for edit in sided.edits} == {*kinds, "side"}


def test_a_normal_report_has_negations_to_remove_and_devices_to_insert() -> None:
    study = next(
        study
        for index in range(50)
        if "No " in write_report(study := Study(5, index, NORMAL))
    )
    actions = {
        (edit.change.kind, edit.change.action) for edit in StudyEdits(study).edits()
    }
    assert actions == {("negation", "removed"), ("device", "inserted")}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**40), st.integers(0, 2**40), st.sampled_from(["train", "test"]))
def test_the_edits_of_any_study_hold(seed: int, index: int, split: str) -> None:
    study = draw(seed, index, split)
    before = read(write_report(study))
    edits = [*StudyEdits(study).edits()]
    assert [edit.text for edit in edits] == [
        edit.text for edit in StudyEdits(study).edits()
    ]
    for edit in edits:
        after = read(edit.text)
        assert after.agrees_with_itself()
        require_one_difference(before, after, edit.change)


def test_facts_are_another_way_to_write_states(data: SyntheticCxr) -> None:
    assert all(states_of(facts_of(study)) == study.states for study in data.studies)
    assert all(facts_of(Study(0, 0, states_of([fact]))) == (fact,) for fact in FACTS)


def test_edits_show_no_text(edited: EditedReports) -> None:
    assert repr(edited.edits[0]) == "<ReportEdit negation added of report 0>"
    assert "500 of 500 reports" in repr(edited)
