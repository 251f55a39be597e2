"""What the rules leave alone: what is denied, in doubt, said twice, or not in English."""

from __future__ import annotations

import pytest

from pytest_retrieval_robust.texts.edits.coverage import LEFT_ALONE
from pytest_retrieval_robust.texts.edits.rules import edited_by_rules


def kinds_of(report: str) -> set[str]:
    return {edit.kind for edit in edited_by_rules([report]).edits}


def reason_of(report: str) -> str:
    left_alone = edited_by_rules([report]).coverage.left_alone
    assert set(left_alone) == set(LEFT_ALONE)
    return next((reason for reason, count in left_alone.items() if count), "")


NO_SUCH_EDIT = [
    ("side", "No left pleural effusion."),
    ("side", "Left pleural effusion cannot be excluded."),
    ("side", "Possible right lower lobe pneumonia."),
    ("side", "Right middle lobe pneumonia."),
    ("side", "Left lingular opacity."),
    ("side", "Left ventricular enlargement with edema."),
    ("side", "Bilateral pleural effusions, left greater than right."),
    ("side", "Left pleural effusion. Right pleural effusion."),
    ("side", "Left pleural effusion. The right lung is clear."),
    ("side", "Left basilar opacity. The left lung base may be collapsed or scarred."),
    ("side", "Left base opacity. Left lower lobe pneumonia or scarring."),
    ("side", "XXXX left pleural effusion."),
    (
        "side",
        "No pneumothorax following right thoracentesis; small residual right effusion.",
    ),
    ("side", "Small right effusion. Status post right thoracentesis."),
    ("side", "Left chest tube in place. Small left pneumothorax."),
    ("side", "Small right effusion. LLL collapse."),
    ("side", "Small left effusion. The trachea is shifted rightward."),
    ("side", "Small effusion on the left. (R) clavicle fracture."),
    ("side", "Small left effusion. Clips project over the lingula."),
    ("side", "Pneumothorax rather than left bulla."),
    ("severity", "Mild to moderate cardiomegaly."),
    ("severity", "Small to moderate pleural effusion."),
    ("severity", "Moderate-sized pleural effusion."),
    ("severity", "No large pleural effusion."),
    ("severity", "Small effusion on the left. Large effusion on the right."),
    ("severity", "Small if any pleural effusion."),
    ("size", "A nodule of 2 x 3 cm."),
    ("size", "A nodule of 8 mm, previously 5 mm."),
    ("size", "A nodule of less than 5 mm."),
    ("size", "Endotracheal tube tip 4 cm above the carina."),
    ("size", "A 8 mm nodule. This measures 8 mm."),
    ("zone", "Right upper and middle lobe opacities."),
    ("zone", "Degenerative changes of the lower thoracic spine."),
    ("zone", "Heart size is at the upper limits of normal with edema."),
    ("zone", "Opacities with lower lung volumes."),
    ("zone", "Upper lobe opacity. Lower lobe opacity."),
    ("finding", "Layering right pleural effusion."),
    ("finding", "Right effusion. There is also a right pneumothorax."),
    ("finding", "Right effusion. Blunting of the left sulcus."),
    ("change", "Old rib fractures are unchanged."),
    ("change", "Stable cardiomegaly. No interval change."),
    ("change", "Improved pulmonary edema."),
    ("change", "Stable appearance of the chest with cardiomegaly."),
    ("device", "Endotracheal tube and enteric tube in place. Clear lungs. No edema."),
    ("device", "Removal of left chest tube."),
    ("device", "The heart is normal. XXXX in place. No effusion."),
    ("device", "Normal chest. Clear lungs. No effusion."),
    ("device", "INDICATION: Line placement. FINDINGS: No edema. No effusion. No mass."),
    ("negation", "No definite pleural effusion."),
    ("negation", "No large pleural effusion or pneumothorax."),
    ("negation", "No focal opacity to suggest pneumonia."),
    ("negation", "No pneumothorax. A small pneumothorax cannot be excluded."),
    ("negation", "No consolidation. Minimal basilar atelectasis or scarring."),
    ("negation", "No pneumothorax. Normal chest."),
    ("negation", "No effusion. The costophrenic angles are sharp."),
    ("negation", "Mild cardiomegaly. Otherwise normal examination."),
    ("negation", "Left effusion. This has increased or is new."),
    ("negation", "Left effusion. Recommend follow-up."),
    ("negation", "The lungs are free of consolidation."),
    ("negation", "Fluid rather than pneumothorax is likely."),
]


@pytest.mark.parametrize(("kind", "report"), NO_SUCH_EDIT)
def test_a_report_is_left_alone(kind: str, report: str) -> None:
    assert kind not in kinds_of(report)


REASONS = [
    ("", "empty"),
    (" \n\t ", "empty"),
    ("Normal.", "one word"),
    ("Pneumothorax", "one word"),
    ("Kein Pneumothorax. Herz nicht vergrößert.", "another language"),
    ("Pneumothorax droit.", "another language"),
    ("No hay consolidation ni derrame pleural.", "another language"),
    ("肺野清晰 无气胸 cardiomegaly 心影正常", "another language"),
    ("Лёгкие без очаговых изменений.", "another language"),
    ("The quick brown fox is in the garden. It is tired. It sleeps.", "no finding"),
    ("INDICATION: There is a left pleural effusion.", "no finding"),
    ("Possible pneumonia or atelectasis in the lung.", "nothing to edit"),
]


@pytest.mark.parametrize(("report", "reason"), REASONS)
def test_it_is_counted_why_a_report_has_no_edit(report: str, reason: str) -> None:
    assert edited_by_rules([report]).edits == []
    assert reason_of(report) == reason


def test_a_huge_report_has_no_more_edits_than_findings() -> None:
    sentence = "There is a small left pleural effusion. No pneumothorax. "
    once = edited_by_rules([sentence]).edits
    often = edited_by_rules([sentence * 500]).edits
    assert {edit.kind for edit in once} <= {edit.kind for edit in often}
    assert len(often) <= len(once) + 1  # the device: a long report would name it
