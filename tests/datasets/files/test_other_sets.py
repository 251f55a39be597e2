"""CheXpert 5x200 and Plus, PadChest and ROCOv2, on trees laid out like the published ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import DatasetError, UnknownNameError

from .test_open_i import real_data
from .trees import save, write_table

CHEXPERT = [
    "Path",
    "Sex",
    "Age",
    "Frontal/Lateral",
    "AP/PA",
    "No Finding",
    "Cardiomegaly",
    "Edema",
    "Consolidation",
]
FIVE = [*CHEXPERT, "Atelectasis", "Pleural Effusion"]
SMALL = "CheXpert-v1.0-small/train/patient0000{}/study1/view1_frontal.jpg"


def test_glorias_5x200(tmp_path: Path) -> None:
    rows = [
        (
            SMALL.format(1),
            "Female",
            68,
            "Frontal",
            "AP",
            "",
            "1.0",
            "0.0",
            "0.0",
            "0.0",
            "0.0",
            "Big heart.",
        ),
        (
            SMALL.format(2),
            "Male",
            50,
            "Frontal",
            "PA",
            "",
            "0.0",
            "1.0",
            "0.0",
            "0.0",
            "0.0",
            "Edema.",
        ),
        (
            SMALL.format(3),
            "Male",
            51,
            "Frontal",
            "PA",
            "",
            "1.0",
            "0.0",
            "0.0",
            "0.0",
            "0.0",
            "Cardiomegaly.",
        ),
    ]
    path = write_table(
        tmp_path / "chexpert_5x200.csv", [*FIVE, "Report Impression"], rows
    )
    save(tmp_path / "data" / SMALL.format(1), 1)
    save(
        tmp_path / "data" / SMALL.format(2).removeprefix("CheXpert-v1.0-small/"), 2
    )  # the root is the edition's folder
    dataset = load_dataset(
        "chexpert-5x200", path=path, images=tmp_path / "data", relevance="same-labels"
    )
    assert dataset.image_groups.tolist() == [0, 1, 0]
    assert list(dataset.reports) == ["Big heart.", "Edema.", "Cardiomegaly."]
    assert list(dataset.patients) == ["patient00001", "patient00002", "patient00003"]
    assert [dataset.image(number).size for number in (0, 1)] == [(32, 40)] * 2
    with pytest.raises(DatasetError, match="no such file: row 3 of its table"):
        dataset.image(2)


def test_medclips_5x200_has_no_reports(tmp_path: Path) -> None:
    image = SMALL.format(1).replace("-small", "")
    lateral = image.replace("view1_frontal", "view2_lateral")
    rows = [("", image, "Frontal", 1, 0), ("", lateral, "Lateral", 1, 0)]
    header = ["", "imgpath", "Frontal/Lateral", "Cardiomegaly", "Edema"]
    path = write_table(tmp_path / "chexpert-5x200-val-meta.csv", header, rows)
    with pytest.raises(DatasetError, match="because its table has no reports"):
        load_dataset("chexpert-5x200", path=path)
    reports = write_table(
        tmp_path / "texts.csv",
        ["Path", "Report Impression"],
        [(SMALL.format(1), "Big heart.")],
    )
    dataset: Any = load_dataset("chexpert-5x200", path=path, reports=reports)
    assert (list(dataset.image_ids), list(dataset.reports)) == ([image], ["Big heart."])
    assert dataset.counts["left out: empty impression"] == 1


def test_chexpert_plus(tmp_path: Path) -> None:
    header = [
        "path_to_image",
        "path_to_dcm",
        "frontal_lateral",
        "ap_pa",
        "deid_patient_id",
        "report",
    ]
    header += ["section_findings", "section_impression", "split", "race"]

    def row(
        patient: int, view: str, part: str, findings: str, impression: str
    ) -> list[str]:
        image = f"{part}/patient{patient:05d}/study1/{view}.jpg"
        text = f"NARRATIVE: {findings}\nIMPRESSION: {impression}"
        return [
            image,
            "x",
            view.split("_")[1].title(),
            "AP",
            f"patient{patient:05d}",
            text,
            findings,
            impression,
            part,
            f"race {patient}",
        ]

    rows = [
        row(1, "view1_frontal", "valid", "", "Big heart."),
        row(1, "view2_lateral", "valid", "", "Big heart."),
    ]
    rows += [
        row(2, "view1_frontal", "valid", "Clear.", "None."),
        row(3, "view1_frontal", "train", "Clear.", "None."),
    ]
    path = write_table(tmp_path / "df_chexpert_plus_240401.csv", header, rows)
    save(tmp_path / "PNG/PNG/valid/patient00001/study1/view1_frontal.png", 1)
    options: dict[str, Any] = {"path": path, "images": tmp_path / "PNG/PNG"}
    dataset: Any = load_dataset("chexpert-plus", **options, view="frontal")
    assert list(dataset.reports) == ["Big heart.", "Clear. None."]
    assert list(dataset.patients) == ["patient00001", "patient00002"]
    assert dataset.image(0).size == (32, 40)  # the table says .jpg
    assert dataset.strata == {
        "race": ("race 1", "race 2"),
        "ap_pa": ("AP", "AP"),
    }
    assert len(load_dataset("chexpert-plus", **options, split="all").image_ids) == 4
    labels = tmp_path / "impression_fixed.json"
    marks = [
        {
            "path_to_image": one[0],
            "Edema": 1.0 if "00001" in one[0] else 0.0,
            "Fracture": None,
        }
        for one in rows
    ]
    labels.write_text("\n".join(json.dumps(one) for one in marks))
    grouped = load_dataset(
        "chexpert-plus", **options, labels=labels, relevance="same-labels"
    )
    assert grouped.image_groups.tolist() == [0, 0, 1]
    labels.write_text("{}")
    with pytest.raises(DatasetError, match="line 1 of the file of labels"):
        load_dataset("chexpert-plus", **options, labels=labels, relevance="same-labels")


def test_padchest(tmp_path: Path) -> None:
    header = [
        "ImageID",
        "ImageDir",
        "StudyID",
        "PatientID",
        "Projection",
        "Report",
        "Labels",
    ]
    rows = [
        (
            "1_a.png",
            "0",
            "s1",
            "p1",
            "PA",
            "corazon grande",
            "['cardiomegaly', ' nodule']",
        ),
        (
            "1_b.png",
            "3",
            "s1",
            "p1",
            "L",
            "corazon grande",
            "['cardiomegaly', ' nodule']",
        ),
        ("2_a.png", "0", "s2", "p2", "AP_horizontal", "sin hallazgo", "['normal']"),
        ("3_a.png", "0", "s3", "p3", "EXCLUDE", "sin hallazgo", "3"),
    ]
    path = write_table(
        tmp_path / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz",
        header,
        rows,
    )
    values = np.linspace(0, 65535, 30).astype(np.uint16).reshape(5, 6)
    (tmp_path / "images/0").mkdir(parents=True)
    Image.fromarray(values).save(tmp_path / "images/0/1_a.png")
    save(tmp_path / "images/2_a.png")
    dataset = load_dataset(
        "padchest",
        path=path,
        images=tmp_path / "images",
        view="frontal",
        relevance="same-labels",
    )
    assert list(dataset.image_ids) == ["1_a.png", "2_a.png"]
    assert np.array_equal(np.asarray(dataset.image(0)), np.rint(values * (255 / 65535)))
    assert dataset.image(1).size == (32, 40)
    everything = load_dataset(
        "padchest", path=path, relevance="same-labels"
    )  # a list that is none holds no label
    assert everything.image_groups.tolist() == [0, 0, 1, 2]
    with pytest.raises(DatasetError, match="text='findings'"):
        load_dataset("padchest", path=path, text="findings")


# 160,861 rows take six seconds to read; tables of a few rows prove how they are read.
@pytest.mark.slow
def test_the_real_padchest_table() -> None:
    """Facts of the table itself: every row has a report of its study, and studies share texts."""
    path = real_data() / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz"
    dataset: Any = load_dataset(
        "padchest", path=path, view="frontal", images_per_study=1
    )
    assert dataset.counts["images"] == 160_861
    assert dataset.counts["view lateral"] == 49_579
    assert len(dataset.image_ids) == len({row.study for row in dataset.rows})


def test_rocov2(tmp_path: Path) -> None:
    names = [f"ROCOv2_2023_test_00000{number}" for number in (1, 2, 3)]
    write_table(
        tmp_path / "test_captions.csv",
        ["ID", "Caption"],
        zip(names, ["Chest.", "Knee.", "Chest."], strict=True),
    )
    write_table(
        tmp_path / "test_concepts.csv",
        ["ID", "CUIs"],
        zip(names, ["C1;C2", "C3", "C2;C1"], strict=True),
    )
    for number, name in enumerate(names[:2]):
        save(tmp_path / f"test_images/test/{name}.jpg", number)
    dataset = load_dataset("rocov2", root=tmp_path, relevance="same-labels")
    assert dataset.image_groups.tolist() == [0, 1, 0]
    assert dataset.image(0).size == (32, 40)
    with pytest.raises(DatasetError, match="no such file below"):
        dataset.image(2)
    with pytest.raises(DatasetError, match="Expected valid_captions.csv"):
        load_dataset("rocov2", root=tmp_path, split="valid")
    with pytest.raises(UnknownNameError, match="Did you mean 'valid'"):
        load_dataset("rocov2", root=tmp_path, split="validation")


def test_alternate_texts_of_a_study_are_counted_and_the_first_is_taken(
    tmp_path: Path,
) -> None:
    """CheXpert Plus has some reports once for each image, each anonymised anew."""
    header = [
        "path_to_image",
        "deid_patient_id",
        "split",
        "section_findings",
        "section_impression",
        "report",
    ]
    image = "valid/patient00001/study1/view{}_frontal.jpg"
    rows = [
        (image.format(number), "p1", "valid", "", text, text)
        for number, text in ((1, "First."), (2, "Second."))
    ]
    rows.append(
        (image.format(1).replace("00001", "00002"), "", "valid", "", "Third.", "Third.")
    )
    path = write_table(tmp_path / "df_chexpert_plus_240401.csv", header, rows)
    labels = tmp_path / "impression_fixed.json"
    labels.write_text(
        "".join(
            json.dumps({"path_to_image": row[0], "Edema": number % 2}) + "\n"
            for number, row in enumerate(rows)
        )
    )
    dataset: Any = load_dataset("chexpert-plus", path=path, labels=labels)
    assert list(dataset.reports) == ["First.", "Third."]
    assert (
        dataset.counts["studies with several texts, of which the first is taken"] == 1
    )
    assert dataset.label_matrix.shape == (3, 0)  # the labels of the first image, too
    assert dataset.patients[:2] == ("p1", "p1")
    assert dataset.patients[2] not in ("", "p1")


def test_chexpert_plus_as_dicom(tmp_path: Path) -> None:
    from .test_dicom import save_dicom

    header = [
        "path_to_image",
        "deid_patient_id",
        "split",
        "section_findings",
        "section_impression",
        "report",
    ]
    image = "valid/patient00001/study1/view1_frontal"
    row = (f"{image}.jpg", "p1", "valid", "", "Big heart.", "Big heart.")
    path = write_table(tmp_path / "df_chexpert_plus_240401.csv", header, [row])
    save_dicom(
        tmp_path / "DICOM" / f"{image}.dcm",
        np.arange(48, dtype=np.uint16).reshape(6, 8),
    )
    assert load_dataset("chexpert-plus", path=path, images=tmp_path / "DICOM").image(
        0
    ).size == (8, 6)


def test_repeated_reports_of_other_tables_are_counted(tmp_path: Path) -> None:
    header = ["ImageID", "StudyID", "PatientID", "Projection", "Report", "Labels"]
    rows = [
        ("a.png", "s", "", "PA", "uno", ""),
        ("b.png", "s", "p", "L", "dos", ""),
        ("c.png", "", "", "PA", "tres", ""),
    ]
    rows.append(("d.png", "", "", "PA", "cuatro", ""))
    padchest: Any = load_dataset(
        "padchest", path=write_table(tmp_path / "p.csv", header, rows)
    )
    assert list(padchest.reports) == ["uno", "tres", "cuatro"]
    assert (
        padchest.counts["studies with several texts, of which the first is taken"] == 1
    )
    assert len(set(padchest.patients)) == 4
    path = write_table(tmp_path / "medclip.csv", ["imgpath"], [(SMALL.format(1),)])
    texts = [
        (SMALL.format(1), "First."),
        (SMALL.format(1).replace("-small", ""), "Second."),
    ]
    reports = write_table(tmp_path / "texts.csv", ["Path", "Report Impression"], texts)
    five: Any = load_dataset("chexpert-5x200", path=path, reports=reports)
    assert list(five.reports) == ["First."]
    assert five.counts["images with several texts, of which the first is taken"] == 1
