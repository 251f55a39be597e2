"""What holds of the edits of any text, and of reports that are put together at random."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.counterfactuals import EDIT_KINDS
from pytest_retrieval_robust.texts.edits.document import read_document
from pytest_retrieval_robust.texts.edits.rules import edited_by_rules

SENTENCES = (
    "There is a small left pleural effusion.",
    "Small left pleural effusion.",
    "No pneumothorax.",
    "No pleural effusion or pneumothorax is seen.",
    "Mild cardiomegaly.",
    "Stable cardiomegaly.",
    "The heart is normal in size.",
    "The lungs are clear.",
    "Right lower lobe pneumonia.",
    "Minimal left basilar atelectasis.",
    "A 8 mm nodule in the right upper lobe.",
    "Endotracheal tube tip is 3 cm above the carina.",
    "Possible pneumonia.",
    "Severe degenerative changes of the spine.",
    "No acute cardiopulmonary abnormality.",
    "IMPRESSION:",
    "INDICATION: Left pleural effusion.",
    "XXXX ___ 1.",
)
reports = st.lists(st.sampled_from(SENTENCES), max_size=8).map(" ".join)
PLAIN_WORDS = ("the", "sky", "is", "blue", "and", "of", "a", "river", "tall", "tree.")


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    edited = edited_by_rules([text])
    coverage = edited.coverage
    assert coverage.edited + sum(coverage.left_alone.values()) == 1


@given(st.lists(st.one_of(reports, st.text(max_size=40)), max_size=4))
def test_an_edit_follows_from_its_report_alone(texts: list[str]) -> None:
    together = edited_by_rules(texts).edits
    alone = [
        (number, edit.kind, edit.action, edit.text)
        for number, text in enumerate(texts)
        for edit in edited_by_rules([text]).edits
    ]
    assert [(e.report, e.kind, e.action, e.text) for e in together] == alone


@given(reports)
def test_edits_differ_from_their_report_and_from_each_other(report: str) -> None:
    edits = edited_by_rules([report]).edits
    texts = [" ".join(report.split()), *(" ".join(e.text.split()) for e in edits)]
    assert len(set(texts)) == len(texts)
    assert {edit.kind for edit in edits} <= set(EDIT_KINDS)


@given(st.lists(st.sampled_from(PLAIN_WORDS)).map(" ".join))
def test_a_text_without_findings_has_no_edit(text: str) -> None:
    assert edited_by_rules([text]).edits == []


@given(reports)
def test_what_is_not_changed_is_kept_to_the_letter(report: str) -> None:
    """All sentences that an edit changes speak of one finding, or of the whole."""
    for edit in edited_by_rules([report]).edits:
        kept = [sentence for sentence in SENTENCES if sentence in edit.text]
        lost = {s for s in SENTENCES if s in report} - set(kept)
        groups = [
            read_document(s).sentences[0].groups for s in lost if "acute" not in s
        ]
        named = [group for group in groups if group]
        # "The lungs are clear" goes with a finding of the lungs that is added.
        if edit.kind != "finding" and named:
            assert frozenset.intersection(*named), (edit.action, lost)


@given(reports)
def test_other_sections_are_never_edited(report: str) -> None:
    text = f"INDICATION: Left pleural effusion and mild edema. FINDINGS: {report}"
    for edit in edited_by_rules([text]).edits:
        assert edit.text.startswith(text.partition("FINDINGS")[0])


INVOLUTIONS = (
    "Small left pleural effusion.",
    "There is a large right pneumothorax.",
    "Mild right upper lobe pneumonia.",
    "There is a right lower lobe nodule.",
    "Severe scoliosis.",
)


FILLERS = ("Heart size is normal.", "The aorta is calcified.", "Bones are intact.")


@given(st.sampled_from(INVOLUTIONS), st.lists(st.sampled_from(FILLERS), max_size=3))
def test_sides_severities_zones_and_findings_can_be_swapped_back(
    asserted: str, fillers: list[str]
) -> None:
    report = " ".join([asserted, *fillers])
    kinds = ("side", "severity", "zone", "finding")
    swapped = [e for e in edited_by_rules([report]).edits if e.kind in kinds]
    assert swapped
    for edit in swapped:
        back = edited_by_rules([edit.text]).edits
        assert report in [other.text for other in back if other.kind == edit.kind]


def test_a_plain_denial_can_be_taken_back() -> None:
    report = "There is no pneumothorax. Heart size is normal."
    (removed,) = edited_by_rules([report]).edits
    texts = [edit.text for edit in edited_by_rules([removed.text]).edits]
    assert report in texts
