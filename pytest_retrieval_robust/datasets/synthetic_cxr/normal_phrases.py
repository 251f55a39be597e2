"""How a radiologist may say that something is normal or absent."""

from __future__ import annotations

from .device_phrases import Wordings

_EFFUSIONS = ("effusion right", "effusion left")
_CONSOLIDATIONS = ("consolidation right", "consolidation left")

NEGATIVES: tuple[tuple[tuple[str, ...], Wordings], ...] = (
    (
        _EFFUSIONS,
        (
            "no pleural effusion",
            "there is no effusion",
            "the costophrenic angles are sharp",
            "no pleural fluid is seen",
            "both costophrenic angles are clear",
        ),
    ),
    (
        ("pneumothorax",),
        (
            "no pneumothorax",
            "there is no evidence of pneumothorax",
            "no pneumothorax is seen",
            "no pleural line to suggest pneumothorax",
        ),
    ),
    (
        (*_EFFUSIONS, "pneumothorax"),
        (
            "no pleural effusion or pneumothorax",
            "no effusion or pneumothorax is seen",
            "the pleural spaces are clear",
            "there is no pneumothorax or pleural effusion",
        ),
    ),
    (
        _CONSOLIDATIONS,
        (
            "no focal consolidation",
            "no lobar consolidation",
            "no evidence of pneumonia",
            "no airspace opacity is seen",
            "there is no focal consolidation",
        ),
    ),
    (
        ("heart",),
        (
            "the heart size is normal",
            "cardiomediastinal silhouette is within normal limits",
            "no cardiomegaly",
            "the heart is normal in size",
            "normal cardiac silhouette",
        ),
    ),
    (
        ("oedema",),
        (
            "no pulmonary edema",
            "pulmonary vasculature is normal",
            "no evidence of edema",
            "no vascular congestion",
            "there is no pulmonary edema or vascular congestion",
        ),
    ),
    (
        ("nodule",),
        (
            "no suspicious nodule",
            "no pulmonary nodule is identified",
            "no nodule is seen",
            "there is no evidence of a pulmonary nodule",
        ),
    ),
    (
        (*_CONSOLIDATIONS, "oedema", "nodule", "atelectasis"),
        (
            "the lungs are clear",
            "both lungs are clear",
            "the lungs are clear without focal opacity",
            "no pulmonary opacity is seen",
        ),
    ),
    (
        ("diaphragm", "volumes"),
        (
            "the diaphragms are normally positioned",
            "diaphragmatic contours are normal",
            "normal lung volumes",
            "the lungs are normally expanded",
        ),
    ),
    (
        ("scoliosis", "wires"),
        (
            "no acute osseous abnormality",
            "bony structures are intact",
            "the bony thorax is normal",
            "no osseous abnormality is identified",
        ),
    ),
    (
        ("tube", "line", "picc", "gastric tube"),
        (
            "no lines or tubes",
            "no lines or tubes are seen",
            "there are no lines or tubes",
        ),
    ),
)
"""The slots that must all be normal, and wordings that are true then."""

# Impressions without an acute finding: those that devices allow, and those that may be
# used without devices.
NO_ACUTE_IMPRESSION: Wordings = (
    "no acute cardiopulmonary process",
    "no acute cardiopulmonary abnormality",
    "no acute abnormality in the chest",
    "no acute finding",
)
NORMAL_IMPRESSION: Wordings = (
    *NO_ACUTE_IMPRESSION,
    "normal chest radiograph",
    "normal chest",
)
# The same beside one finding.
NO_OTHER_IMPRESSION: Wordings = ("no other acute finding", "no other acute abnormality")
OTHERWISE_NORMAL_IMPRESSION: Wordings = (
    *NO_OTHER_IMPRESSION,
    "otherwise unremarkable chest",
    "otherwise normal chest",
)
