"""Strata of data sets of files, on trees laid out like the published ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from pytest_retrieval_robust import dataset_from_lists, load_dataset
from pytest_retrieval_robust.core.errors import (
    ConfigError,
    DatasetError,
    UnknownNameError,
)
from pytest_retrieval_robust.core.strata import SEVERAL_CODE, UNKNOWN_CODE
from pytest_retrieval_robust.datasets.ranges import age_in_years
from pytest_retrieval_robust.measure.pairs import pairs_of

from . import trees, trees_beyond
from .test_archives import png, shard
from .trees import picture, write_table

FRONTAL, LATERAL = "frontal", "lateral"
SECRET = "CANARYdoe"


def words_of(dataset: Any, name: str, side: str = "image") -> list[str]:
    """The group of each image or report by its name."""
    for stratum in dataset.stratifications:
        if stratum.name == name:
            names = {UNKNOWN_CODE: "unknown", SEVERAL_CODE: "several"}
            names |= dict(enumerate(stratum.groups))
            return [names[code] for code in getattr(stratum, f"{side}_codes").tolist()]
    raise AssertionError(f"no stratum {name}")


def mimic(tmp_path: Path, **options: Any) -> Any:
    jpg, reports = trees.mimic(tmp_path)
    return load_dataset("mimic-cxr", images=jpg, reports=reports, **options)


def mimic_iv(tmp_path: Path) -> Path:
    """MIMIC-IV's table of patients, as published; it has not all of MIMIC-CXR's."""
    header = ["subject_id", "gender", "anchor_age", "anchor_year", "anchor_year_group"]
    rows = [
        (10000032, "F", 52, 2180, "2014 - 2016", ""),
        (12000000, "M", 91, 2175, "2011 - 2013", "2178-01-01"),
        (19000000, "M", 20, 2150, "2011 - 2013", ""),
    ]
    table = tmp_path / "mimiciv/3.1/hosp/patients.csv.gz"
    write_table(table, [*header, "dod"], rows)
    return tmp_path / "mimiciv/3.1"


def test_mimic_cxr_with_the_patients_of_mimic_iv(tmp_path: Path) -> None:
    names = ["view", "projection", "sex", "age", "finding", "finding:atelectasis"]
    patients = mimic_iv(tmp_path)
    dataset = mimic(tmp_path, strata=names, patients=patients, text="longest")
    assert [stratum.name for stratum in dataset.stratifications] == names
    # The third patient has no findings and no impression, the fourth is not in MIMIC-IV.
    assert words_of(dataset, "view") == [FRONTAL, LATERAL, FRONTAL, FRONTAL]
    assert words_of(dataset, "projection") == ["PA", "LATERAL", "AP", "AP"]
    assert words_of(dataset, "sex") == ["female", "female", "female", "male"]
    # 52 in 2180, and 91 in 2175: studies are of 2180.
    assert words_of(dataset, "age") == ["40-64"] * 3 + ["80+"]
    assert words_of(dataset, "finding")[:3] == [
        "Atelectasis",
        "Atelectasis",
        "No Finding",
    ]
    assert words_of(dataset, "finding:atelectasis")[1:3] == [
        "with Atelectasis",
        "without Atelectasis",
    ]
    assert dataset.strata["age"][3] == "96"


def test_mimic_cxr_alone_has_neither_sex_nor_age(tmp_path: Path) -> None:
    jpg, reports = trees.mimic(tmp_path)
    options = {"images": jpg, "reports": reports}
    known = "Known: finding, length, projection, view"
    with pytest.raises(UnknownNameError, match=f"got strata='sex'. {known}"):
        load_dataset("mimic-cxr", **options, strata=["sex"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="patients.csv.gz of MIMIC-IV"):
        load_dataset(
            "mimic-cxr", **options, strata=["sex"], patients=tmp_path / "empty"
        )


def test_a_report_of_two_views_is_of_several(tmp_path: Path) -> None:
    dataset = mimic(tmp_path, strata=["view"], text="impression")
    assert words_of(dataset, "view", "report")[0] == "several"
    by_study = mimic(tmp_path / "again", strata=["view"], relevance="strict-id")
    assert words_of(by_study, "view", "report")[:2] == [FRONTAL, LATERAL]


def test_chexpert_plus(tmp_path: Path) -> None:
    header = ["path_to_image", "path_to_dcm", "frontal_lateral", "ap_pa"]
    header += ["deid_patient_id", "report", "section_findings", "section_impression"]
    header += ["age", "sex", "race", "split"]
    people: list[tuple[str, str, str]] = [
        ("41", "Male", "White"),
        ("90+", "Female", ""),
        ("old", "", "Asian"),
    ]
    rows = []
    for number, person in enumerate(people):
        image = f"valid/patient{number:05d}/study1/view1_frontal.jpg"
        text = f"Text {number}."
        view = ("Frontal", "AP" if number else "")
        rows.append((image, "x", *view, f"p{number}", text, text, "", *person, "valid"))
    table = write_table(tmp_path / "df_chexpert_plus_240401.csv", header, rows)
    strata = ["age", "sex", "race", "projection", "view"]
    dataset: Any = load_dataset("chexpert-plus", path=table, strata=strata)
    assert words_of(dataset, "age") == ["40-64", "80+", "unknown"]
    assert words_of(dataset, "sex") == ["male", "female", "unknown"]
    assert words_of(dataset, "race") == ["White", "unknown", "Asian"]
    assert words_of(dataset, "projection", "report") == ["unknown", "AP", "AP"]
    assert dataset.counts["stratum age: values that are no age, taken as unknown"] == 1


def test_padchest(tmp_path: Path) -> None:
    header = ["ImageID", "StudyID", "PatientID", "Projection", "Report", "Labels"]
    header += ["PatientBirth", "PatientSex_DICOM", "StudyDate_DICOM"]
    rows = [
        ("a.png", "s1", "p1", "PA", "uno", "['normal']", "1953.0", "F", "20140915"),
        ("b.png", "s2", "p2", "AP_horizontal", "dos", "[]", "1999", "M", "20150101"),
        ("c.png", "s3", "p3", "COSTAL", "tres", "[]", "", "O", "20150101"),
    ]
    table = write_table(tmp_path / "padchest.csv", header, rows)
    strata = ["sex", "age", "projection", "view", "finding"]
    dataset = load_dataset("padchest", path=table, strata=strata)
    assert words_of(dataset, "sex") == ["female", "male", "other"]
    assert words_of(dataset, "age") == ["40-64", "0-17", "unknown"]
    assert words_of(dataset, "projection") == ["PA", "AP_horizontal", "COSTAL"]
    assert words_of(dataset, "view") == [FRONTAL, FRONTAL, "unknown"]
    assert words_of(dataset, "finding") == ["normal", "no label", "no label"]


def test_columns_that_others_call_gender_and_patient_age(tmp_path: Path) -> None:
    eyes: Any = load_dataset(
        "fairvlmed",
        root=trees_beyond.fairvlmed(tmp_path),
        strata=["sex", "age", "race", "finding"],
    )
    assert words_of(eyes, "sex") == ["female"] * 2
    assert words_of(eyes, "age") == ["40-64"] * 2
    assert words_of(eyes, "race") == ["white", "black"]
    assert words_of(eyes, "finding") == ["glaucoma", "no label"]
    root = trees_beyond.rexgradient(tmp_path)
    films = load_dataset("rexgradient", metadata=root, strata=["sex", "age"])
    assert words_of(films, "age") == ["40-64"] * 3


def test_open_i(tmp_path: Path) -> None:
    reports, _ = trees.open_i(tmp_path)
    dataset: Any = load_dataset(
        "open-i", reports=reports, strata=["length", "finding"], text="full"
    )
    for text, length in zip(
        dataset.reports, words_of(dataset, "length", "report"), strict=True
    ):
        first, last = map(int, length.split("-"))
        assert first <= len(text.split()) <= last


def own_table(folder: Path, ages: Sequence[object], **options: Any) -> Any:
    rows = [
        (f"{number}.png", f"Report {number}.", age, SECRET if number == 1 else "A")
        for number, age in enumerate(ages)
    ]
    header = ["image", "report", "Age", "site"]
    table = write_table(folder / "table.csv", header, rows)
    return load_dataset("table", path=table, root=folder, **options)


def test_a_column_of_a_table_of_ones_own(tmp_path: Path) -> None:
    dataset = own_table(tmp_path, ["067Y", "", 17], strata=["age", "site"])
    assert words_of(dataset, "age") == ["65-79", "unknown", "0-17"]
    assert words_of(dataset, "site") == ["A", SECRET, "A"]
    # A site of one patient is merged, and its name goes with it.
    described = json.dumps([s.as_json() for s in pairs_of(dataset).strata.strata])
    assert SECRET not in described
    assert "too small" in described


def test_ages_that_are_ranges_already_stay(tmp_path: Path) -> None:
    dataset = own_table(tmp_path, ["18-39", "adult", ""], strata=["age"])
    assert words_of(dataset, "age") == ["18-39", "adult", "unknown"]


def test_rows_of_one_image_must_be_of_one_group(tmp_path: Path) -> None:
    rows = [("a.png", "One.", "x"), ("a.png", "Two.", SECRET)]
    table = write_table(tmp_path / "table.csv", ["image", "report", "site"], rows)
    with pytest.raises(DatasetError, match="one word of each stratum per image") as e:
        load_dataset("table", path=table, strata=["site"])
    assert SECRET not in str(e.value)
    assert len(load_dataset("table", path=table).reports) == 2


def test_a_column_of_numbers_is_no_stratum(tmp_path: Path) -> None:
    header = ["image", "report", "weight"]
    rows = [(f"{n}.png", f"Report {n}.", 40 + n / 10) for n in range(10_000)]
    table = write_table(tmp_path / "table.csv", header, rows)
    with pytest.raises(DatasetError, match="at most 50 groups of the stratum weight"):
        load_dataset("table", path=table, strata=["weight"])


def test_a_hugging_face_folder(tmp_path: Path) -> None:
    made = datasets.Dataset.from_dict(
        {
            "image": [picture(number) for number in range(3)],
            "text": ["One.", "Two.", "Three."],
            "view": ["AP", None, "PA"],
            "gender": ["f", "M", None],
        }
    ).cast_column("image", datasets.Image())
    made.save_to_disk(str(tmp_path / "saved"))
    options: dict[str, Any] = {"path": str(tmp_path / "saved")}
    dataset = load_dataset("hugging-face", **options, strata=["view", "sex"])
    assert words_of(dataset, "view") == ["AP", "unknown", "PA"]
    assert words_of(dataset, "sex") == ["female", "male", "unknown"]
    with pytest.raises(UnknownNameError, match="Did you mean 'gender'"):
        load_dataset("hugging-face", **options, strata=["gendr"])


def test_fields_of_shards(tmp_path: Path) -> None:
    members = []
    for number, fields in enumerate([{"sex": "F"}, {SECRET: 1}, {"sex": None}]):
        members += [
            (f"{number}.png", png(number)),
            (f"{number}.txt", b"Text %d." % number),
        ]
        members += [(f"{number}.json", json.dumps(fields).encode())]
    members += [("3.png", png(3)), ("3.txt", b"No fields.")]
    path = shard(tmp_path / "a.tar", members)
    dataset = load_dataset("webdataset", path=path, strata=["sex", "length"])
    assert words_of(dataset, "sex") == ["female"] + ["unknown"] * 3
    assert words_of(dataset, "length") == ["1-10"] * 4
    with pytest.raises(UnknownNameError, match="Known: finding, length, view") as e:
        load_dataset("webdataset", path=path, strata=["scanner"])
    assert SECRET not in str(e.value)


def test_own_lists() -> None:
    dataset = dataset_from_lists(
        "ours",
        [picture(number) for number in range(3)],
        ["One.", "Two.", ["Three.", "Drei und noch viele " + "weitere " * 10]],
        strata={"sex": ["F", None, "M"], "id": ["a", "b", "c"]},
        labels=[["a"], [], ["a", "b"]],
        group_by=["sex", "finding", "length"],
        smallest_group=1,
    )
    assert words_of(dataset, "sex", "report") == ["female", "unknown", "male", "male"]
    assert words_of(dataset, "finding") == ["a", "no label", "several labels"]
    # An image with captions of two lengths is in none of them.
    assert words_of(dataset, "length") == ["1-10", "1-10", "several"]
    names = [s.name for s in pairs_of(dataset).strata.strata[0].groups]
    assert names == ["female", "male", "unknown"]
    with pytest.raises(UnknownNameError, match="Did you mean 'sex'"):
        dataset_from_lists(
            "ours", [picture()], ["x"], strata={"sex": ["F"]}, group_by=["sexx"]
        )


def test_reports_right_by_labels_keep_the_strata_of_their_own_patients() -> None:
    dataset = dataset_from_lists(
        "ours",
        [picture(number) for number in range(4)],
        ["Same.", "Same.", "Other.", "Third."],
        strata={"sex": ["F", "M", "M", "F"]},
        labels=[["a"], ["a"], ["a"], ["b"]],
        relevance="same-labels",
        group_by=["sex"],
    )
    assert words_of(dataset, "sex", "report") == ["female", "male", "male", "female"]


def test_strata_change_neither_name_nor_fingerprint(tmp_path: Path) -> None:
    plain = mimic(tmp_path)
    grouped = mimic(tmp_path, strata=["view"], smallest_group=5)
    assert grouped.name == plain.name
    assert grouped.fingerprint == plain.fingerprint
    assert plain.stratifications == ()
    assert grouped.smallest_group == 5
    drawn = load_dataset("synthetic-cxr(pairs=9,strata=finding+side,smallest_group=5)")
    plain = load_dataset("synthetic-cxr(pairs=9)")
    assert (drawn.name, drawn.fingerprint) == (plain.name, plain.fingerprint)


@pytest.mark.parametrize(
    ("strata", "problem"),
    [
        (["vieww"], "Did you mean 'view'"),
        (["colour"], "Known: finding, length, projection, view"),
        (["view", "view"], "Expected each stratum once"),
        ([3], "strata as a list of names"),
        (7, "strata as a list of names"),
        ([""], "strata as a list of names"),
        (["finding:Emphysema"], "a known label of mimic-cxr"),
    ],
)
def test_wrong_strata_are_refused(tmp_path: Path, strata: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        mimic(tmp_path, strata=strata)


@pytest.mark.parametrize("smallest", [0, -3])
def test_a_smallest_group_of_nobody_is_refused(tmp_path: Path, smallest: int) -> None:
    with pytest.raises(DatasetError, match="smallest_group as a whole number"):
        mimic(tmp_path, smallest_group=smallest)


@pytest.mark.parametrize(
    ("written", "years"),
    [
        *[
            (text, 67)
            for text in ("067Y", "67", "67.4", " 67 years ", "67yo", "67 y/o")
        ],
        *[("67-year-old", 67), ("90+", 90), (">89", 89), (">= 90", 90)],
        *[("011M", 0), ("024M", 2), ("010D", 0), ("104W", 1), ("<1", 0)],
        *[(text, None) for text in ("", "nan", "old", "18-39", "-4", "300", "1e2")],
    ],
)
def test_ages_as_tables_write_them(written: str, years: int | None) -> None:
    assert age_in_years(written) == years


def test_patients_of_two_sexes_are_counted() -> None:
    dataset = dataset_from_lists(
        "ours",
        [picture(number) for number in range(4)],
        ["One.", "Two.", "Three.", "Four."],
        ["p", "p", "q", "q"],
        strata={"sex": ["F", "M", "F", None], "view": ["AP", "PA", "AP", "PA"]},
        group_by=["sex", "view"],
    )
    assert pairs_of(dataset).strata.patients_in_several == {"sex": 1}
    assert np.array_equal(
        pairs_of(dataset).strata.image_codes, np.zeros((2, 4), dtype=np.int64)
    )
