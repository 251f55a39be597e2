"""What the rules make of made-up reports, one kind after the other."""

from __future__ import annotations

import pytest

from pytest_retrieval_robust.core.counterfactuals import EDIT_KINDS
from pytest_retrieval_robust.core.errors import ArgumentError
from pytest_retrieval_robust.texts.edits.rules import edited_by_rules

Edit = tuple[str, str, str]


def edits_of(report: str) -> list[Edit]:
    """(kind, action, text) of each edit, with one space for any run of white space."""
    return [
        (edit.kind, edit.action, " ".join(edit.text.split()))
        for edit in edited_by_rules([report]).edits
    ]


EDITED = [
    (
        "There is a small left pleural effusion.",
        ("negation", "added", "There is no left pleural effusion."),
    ),
    (
        "Mild bibasilar atelectasis.",
        ("negation", "added", "No bibasilar atelectasis."),
    ),
    (
        "Calcified granuloma is again noted.",
        ("negation", "added", "No calcified granuloma is noted."),
    ),
    (
        "There is no pneumothorax.",
        ("negation", "removed", "There is a pneumothorax."),
    ),
    (
        "No pleural effusions or pneumothoraces are seen.",
        (
            *("negation", "removed"),
            "No pleural effusions are seen. There is a pneumothorax.",
        ),
    ),
    (
        "No focal consolidation, pleural effusion, or pneumothorax.",
        (
            *("negation", "removed"),
            "No focal consolidation or pneumothorax. There is a pleural effusion.",
        ),
    ),
    (
        "There are no pleural effusions or pulmonary edema.",
        (
            *("negation", "removed"),
            "There is no pulmonary edema. There is a pleural effusion.",
        ),
    ),
    (
        "There is no evidence of pneumothorax.",
        ("negation", "removed", "There is evidence of a pneumothorax."),
    ),
    (
        "No pneumothorax. No acute cardiopulmonary abnormality.",
        (
            *("negation", "removed"),
            "There is a pneumothorax. No other acute cardiopulmonary abnormality.",
        ),
    ),
    (
        "The lungs are clear. No focal consolidation.",
        (
            *("negation", "removed"),
            "The lungs are otherwise clear. There is a focal consolidation.",
        ),
    ),
    (
        "No pneumothorax. There is no pneumothorax or effusion.",
        (
            *("negation", "removed"),
            "There is a pneumothorax. There is no effusion. There is a pneumothorax.",
        ),
    ),
    (
        "Small left pleural effusion. The LEFT effusion is layering.",
        (
            *("side", "swapped"),
            "Small right pleural effusion. The RIGHT effusion is layering.",
        ),
    ),
    (
        "There is a right-sided pneumothorax.",
        ("side", "swapped", "There is a left-sided pneumothorax."),
    ),
    (
        "A small nodule is seen. The heart is normal.",
        ("severity", "changed", "A large nodule is seen. The heart is normal."),
    ),
    (
        "Mildly tortuous aorta.",
        ("severity", "changed", "Severely tortuous aorta."),
    ),
    (
        "An 8 mm nodule in the lingula. The lungs are clear.",
        ("size", "changed", "A 16 mm nodule in the lingula. The lungs are clear."),
    ),
    (
        "Right apical mass measuring 6.5 cm.",
        ("size", "changed", "Right apical mass measuring 3.25 cm."),
    ),
    (
        "There is a basilar opacity.",
        ("zone", "changed", "There is an apical opacity."),
    ),
    (
        "Right upper lobe pneumonia.",
        ("zone", "changed", "Right lower lobe pneumonia."),
    ),
    (
        "Endotracheal tube tip is 3 cm above the carina. No effusion.",
        (
            *("device", "moved"),
            "Endotracheal tube tip is 3 cm below the carina. No effusion.",
        ),
    ),
    (
        "Right PICC terminates in the mid SVC. The lungs are clear.",
        (
            *("device", "moved"),
            "Right PICC terminates in the right ventricle. The lungs are clear.",
        ),
    ),
    (
        "A left pacemaker is in place. The lungs are clear.",
        ("device", "removed", "There is no pacemaker. The lungs are clear."),
    ),
    (
        "Left pleural effusion. No pneumothorax.",
        ("finding", "swapped", "Left pneumothorax. No pleural effusion."),
    ),
    (
        "Minimal left basilar atelectasis. No acute disease.",
        (
            *("finding", "swapped"),
            "Minimal left basilar consolidation. No other acute disease.",
        ),
    ),
    (
        "Stable cardiomegaly.",
        ("change", "changed", "Worsening cardiomegaly."),
    ),
    (
        "An unchanged left pleural effusion.",
        ("change", "changed", "A worsening left pleural effusion."),
    ),
    (
        "Pulmonary edema has worsened since the prior study.",
        ("change", "changed", "Pulmonary edema is unchanged since the prior study."),
    ),
]


@pytest.mark.parametrize(("report", "edit"), EDITED, ids=lambda value: value[:40])
def test_one_thing_of_a_report_is_made_wrong(report: str, edit: Edit) -> None:
    assert edit in edits_of(report)


def test_a_device_is_inserted_where_none_is_spoken_of() -> None:
    report = "The heart is normal in size. The lungs are clear. No effusion."
    inserted = [text for kind, action, text in edits_of(report) if action == "inserted"]
    assert len(inserted) == 1
    assert inserted[0].startswith(f"{report} A")


def test_a_device_is_inserted_at_the_end_of_the_findings() -> None:
    report = "FINDINGS: Heart size is normal. No effusion. Clear lungs. IMPRESSION: No edema."
    inserted = [text for kind, action, text in edits_of(report) if action == "inserted"]
    assert len(inserted) == 1
    assert inserted[0].endswith(". IMPRESSION: No edema.")


MIMIC_STYLE = """
                                 FINAL REPORT
 INDICATION:  ___-year-old man with left effusion  // effusion?

 FINDINGS:

 There is a small left
 pleural effusion.  No pneumothorax is
 seen.

 IMPRESSION:

 1. Small left pleural effusion, discussed with Dr. ___.
"""


def test_lines_and_spaces_of_a_report_are_kept() -> None:
    texts = [edit.text for edit in edited_by_rules([MIMIC_STYLE]).edits]
    start, body = MIMIC_STYLE.split("FINDINGS")
    assert f"{start}FINDINGS{body.replace('left', 'right')}" in texts
    seen = body.replace("No pneumothorax is", "A pneumothorax is")
    assert f"{start}FINDINGS{seen}" in texts


SECTIONS = (
    "EXAMINATION: Chest. INDICATION: Left pleural effusion. TECHNIQUE: Portable."
    " COMPARISON: ___, left pleural effusion. FINDINGS: Small left pleural effusion."
    " IMPRESSION: 1. Small left pleural effusion."
)


def test_only_findings_and_impression_are_edited() -> None:
    side = "EXAMINATION: Chest. INDICATION: Left pleural effusion. TECHNIQUE: Portable."
    side += " COMPARISON: ___, left pleural effusion. FINDINGS: Small right pleural"
    side += " effusion. IMPRESSION: 1. Small right pleural effusion."
    assert ("side", "swapped", side) in edits_of(SECTIONS)
    before = SECTIONS.partition("FINDINGS")[0]
    assert all(text.startswith(before) for _, _, text in edits_of(SECTIONS))


def test_headings_without_capitals_are_known() -> None:
    report = "indication : left effusion . findings : small left effusion ."
    side = "indication : left effusion . findings : small right effusion ."
    assert ("side", "swapped", side) in edits_of(report)


def test_capitals_and_marks_of_a_report_are_kept() -> None:
    lower = "the heart is normal . there is no pneumothorax ."
    upper = "THE HEART IS NORMAL. NO PNEUMOTHORAX OR EFFUSION."
    assert ("negation", "removed", lower.replace("is no pn", "is a pn")) in edits_of(
        lower
    )
    assert (
        *("negation", "removed"),
        "THE HEART IS NORMAL. NO PNEUMOTHORAX. THERE IS AN EFFUSION.",
    ) in edits_of(upper)


def test_a_full_stop_of_an_abbreviation_ends_no_sentence() -> None:
    report = "Small left effusion, seen by Dr. Left at 3 p.m. today."
    # Two sides in one sentence: were it cut at "Dr.", the first part would be edited.
    assert not [kind for kind, _, _ in edits_of(report) if kind == "side"]


def test_kinds_come_in_their_order_and_reports_in_theirs() -> None:
    reports = ["Small left pleural effusion.", "Mild right basilar atelectasis."]
    edits = edited_by_rules(reports).edits
    assert {edit.report for edit in edits} == {0, 1}
    assert [edit.report for edit in edits] == sorted(edit.report for edit in edits)
    kinds = [EDIT_KINDS.index(edit.kind) for edit in edits if edit.report == 0]
    assert kinds == sorted(kinds)


def test_coverage_counts_reports_and_edits() -> None:
    reports = ["No pneumothorax.", "", "Pneumothorax", "The sky is blue.", "No edema."]
    reports += ["Kein Pneumothorax.", "Possible pneumonia in the right lung."]
    edited = edited_by_rules(reports)
    coverage = edited.coverage
    assert coverage.reports == edited.reports == 7
    assert coverage.edited == edited.edited == 2
    assert coverage.share == pytest.approx(2 / 7)
    assert coverage.edits == {kind: 2 * (kind == "negation") for kind in EDIT_KINDS}
    assert coverage.edited_by_kind["negation"] == 2
    assert coverage.left_alone == {
        "empty": 1,
        "one word": 1,
        "another language": 1,
        "no finding": 1,
        "nothing to edit": 1,
    }
    assert edited.source == "rules"


def test_no_reports_have_no_share() -> None:
    edited = edited_by_rules([])
    assert edited.edits == []
    assert edited.coverage.share is None


def test_something_that_is_no_text_is_an_error_with_its_number() -> None:
    with pytest.raises(ArgumentError, match=r"reports\[1\] of type NoneType"):
        edited_by_rules(["No edema.", None])  # type: ignore[list-item]


def test_a_representation_shows_no_words() -> None:
    edited = edited_by_rules(["There is a small left pleural effusion."])
    assert "effusion" not in repr(edited)
    assert "effusion" not in repr(list(edited.edits))
