"""Small trees laid out exactly like the published data sets, with reports made up here."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def picture(seed: int = 0, size: tuple[int, int] = (40, 32)) -> Image.Image:
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    )


def save(file: Path, seed: int = 0) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture(seed).save(file)
    return file


def write_table(
    file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    content = text.getvalue().encode()
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)
    return file


# subject, study, [(dicom, view)], split, report
MIMIC: list[tuple[int, int, list[tuple[str, str]], str, str]] = [
    (
        10000032,
        50414267,
        [
            ("02aa804e-bde0afdd-112c0b34-7bc16630-4e384014", "PA"),
            ("174413ec-4ec4c1f7-34ea26b7-c5f994f8-79ef1962", "LATERAL"),
        ],
        "test",
        (
            " FINAL REPORT\n EXAMINATION:  CHEST (PA AND LAT)\n \n FINDINGS: \n \n"
            " Clear   lungs.\n \n IMPRESSION: \n \n No acute process.\n"
        ),
    ),
    (
        10000032,
        53189527,
        [("2a2277a9-b0ded155-c0de8eb9-c124d10e-82c5caab", "AP")],
        "test",
        " FINAL REPORT\n IMPRESSION: No acute\n process.\n",
    ),
    (
        11000011,
        51029426,
        [("96b5fd44-d8e1b7a5-1b1b1c1d-2c2c2c2c-3d3d3d3d", "")],
        "test",
        " FINAL REPORT\n HISTORY:  Cough.\n \n The lungs are hyperinflated.\n",
    ),
    (
        12000000,
        50525523,
        [("aaaaaaaa-bbbbbbbb-cccccccc-dddddddd-eeeeeeee", "AP")],
        "test",
        "x" * 201 + "An odd conclusion." + "y" * 400,
    ),
    (
        19000000,
        59999999,
        [("bbbbbbbb-bbbbbbbb-cccccccc-dddddddd-eeeeeeee", "PA")],
        "train",
        " FINAL REPORT\n FINDINGS:  Nodule.\n",
    ),
]
_LABELS = ("Atelectasis", "Cardiomegaly", "Edema", "No Finding")


def mimic(
    folder: Path, *, version: str = "2.0.0", dicom: bool = False
) -> tuple[Path, Path]:
    """The roots of MIMIC-CXR-JPG and of MIMIC-CXR's reports."""
    jpg = folder / f"mimic-cxr-jpg/{version}"
    reports = folder / "mimic-cxr/2.0.0"
    splits = []
    metadata = []
    labels = []
    for number, (subject, study, images, split, report) in enumerate(MIMIC):
        patient_folder = f"files/p{str(subject)[:2]}/p{subject}"
        for image, view in images:
            if not dicom:
                save(jpg / patient_folder / f"s{study}" / f"{image}.jpg", number)
            splits.append((image, study, subject, split))
            metadata.append(
                (
                    image,
                    subject,
                    study,
                    "CHEST (PA AND LAT)",
                    view,
                    3056,
                    2544,
                    21800506,
                )
            )
        labels.append(
            (
                subject,
                study,
                *(["1.0", "", "-1.0", ""] if number == 0 else ["", "0.0", "", "1.0"]),
            )
        )
        file = reports / patient_folder / f"s{study}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(report)
    header = [
        "dicom_id",
        "subject_id",
        "study_id",
        "PerformedProcedureStepDescription",
        "ViewPosition",
        "Rows",
    ]
    write_table(
        jpg / "mimic-cxr-2.0.0-split.csv.gz",
        ["dicom_id", "study_id", "subject_id", "split"],
        splits,
    )
    write_table(
        jpg / "mimic-cxr-2.0.0-metadata.csv.gz",
        [*header, "Columns", "StudyDate"],
        metadata,
    )
    write_table(
        jpg / "mimic-cxr-2.0.0-chexpert.csv.gz",
        ["subject_id", "study_id", *_LABELS],
        labels,
    )
    return jpg, reports


def mimic_zip(folder: Path) -> Path:
    """The reports as one archive, as published."""
    archive = folder / "mimic-cxr-reports.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for subject, study, _, __, report in MIMIC:
            opened.writestr(
                f"files/p{str(subject)[:2]}/p{subject}/s{study}.txt", report
            )
    return archive


def open_i_xml(
    number: int,
    findings: str,
    impression: str,
    images: Sequence[str],
    major: Sequence[str] = (),
) -> bytes:
    """A report as NLM publishes it, without what no reader looks at."""
    parts = (
        ("COMPARISON", "None."),
        ("INDICATION", "Cough"),
        ("FINDINGS", findings),
        ("IMPRESSION", impression),
    )
    abstract = "\n".join(
        (
            f'<AbstractText Label="{label}">{text}</AbstractText>'
            if text
            else f'<AbstractText Label="{label}"/>'
        )
        for label, text in parts
    )
    pictures = "".join(
        f'<parentImage id="{image}"><figureId>F1</figureId><panel'
        ' type="single"><url>/hadoop/x.jpg</url></panel></parentImage>'
        for image in images
    )
    headings = "".join(f"<major>{heading}</major>" for heading in major)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<eCitation><meta type="rr"/><uId'
        f' id="CXR{number}"/>'
        f"<MedlineCitation><Article><Abstract>{abstract}</Abstract></Article></MedlineCitation>"
        f"<MeSH>{headings}</MeSH>{pictures}</eCitation>"
    ).encode()


def open_i(folder: Path, *, images: str = "png") -> tuple[Path, Path]:
    """The folders `ecgen-radiology` and `NLMCXR_png` (or `NLMCXR_dcm`)."""
    reports = folder / "ecgen-radiology"
    pictures = folder / f"NLMCXR_{images}"
    reports.mkdir(parents=True)
    pictures.mkdir()
    studies: list[tuple[int, str, str, list[str], list[str]]] = [
        (
            1,
            "Clear lungs.",
            "Normal chest.",
            ["CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001"],
            ["normal"],
        ),
        (2, "", "Normal  chest.", ["CXR2_IM-0652-1001"], ["normal"]),
        (
            3,
            "Large effusion.",
            "",
            ["CXR3_IM-1384-1001"],
            ["Pleural Effusion/right/large"],
        ),
        (10, "No image.", "None.", [], []),
    ]
    for number, (study, findings, impression, names, major) in enumerate(studies):
        (reports / f"{study}.xml").write_bytes(
            open_i_xml(study, findings, impression, names, major)
        )
        for name in names if images == "png" else ():
            save(pictures / f"{name}.png", number)
    header = ["imageid", "View Position", "filename"]
    rows = [
        ("CXR1_IM-0001-3001", "PA", "a"),
        ("CXR1_IM-0001-4001", "LL", "b"),
        ("CXR2_IM-0652-1001", "AP", "c"),
    ]
    write_table(folder / "nlmcxr_dicom_metadata.csv", header, rows)
    return reports, pictures


def dataset_facts(dataset: Any) -> dict[str, Any]:
    """What a test compares of a data set."""
    return {
        "ids": list(dataset.image_ids),
        "reports": list(dataset.reports),
        "image_groups": dataset.image_groups.tolist(),
        "report_groups": dataset.report_groups.tolist(),
    }
