"""Values that tables hold in place of texts, ids and marks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import DatasetError
from pytest_retrieval_robust.datasets._files.text_policy import as_compared
from pytest_retrieval_robust.datasets._files.values import (
    is_mark,
    is_missing,
    is_positive,
)

from .test_archives import png, shard
from .test_captions import hugging_face
from .trees import save

KINDS = ("csv", "jsonl", "parquet")


def table(folder: Path, kind: str, **columns: list[Any]) -> Path:
    """A table as pandas writes it, with an image for each row."""
    count = len(next(iter(columns.values())))
    images = [save(folder / f"{number}.png", number).name for number in range(count)]
    frame = pd.DataFrame({"image": images, **columns})
    file = folder / f"table.{kind}"
    if kind == "csv":
        frame.to_csv(file, index=False)
    elif kind == "jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        frame.to_parquet(file)
    return file


def opened(path: Path, **options: Any) -> Any:
    return load_dataset("table", path=path, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("edema", "effusion"),
    [
        ([True, False, True, False], [False, True, True, False]),
        ([1, 0, 1, 0], [0, 1, 1, 0]),
        ([1.0, -1.0, 1.0, None], [0.0, 1.0, 1.0, None]),
        (["yes", "no", "Yes", ""], ["0", "1.000", "TRUE", "no"]),
    ],
)
def test_marks_of_labels_however_they_are_written(
    tmp_path: Path, kind: str, edema: list[Any], effusion: Any
) -> None:
    path = table(tmp_path, kind, report=list("abcd"), edema=edema, effusion=effusion)
    dataset = opened(path, label_columns="edema;effusion", relevance="same-labels")
    assert dataset.image_groups.tolist() == [0, 1, 2, 3]
    assert dataset.label_matrix.tolist() == [
        [True, False],
        [False, True],
        [True, True],
        [False, False],
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_one_column_of_flags_or_of_words(tmp_path: Path, kind: str) -> None:
    flags = opened(
        table(tmp_path, kind, report=list("abc"), edema=[True, False, True]),
        label_columns="edema",
        relevance="same-labels",
    )
    assert flags.image_groups.tolist() == [0, 1, 0]
    assert flags.label_names == ("edema",)
    words = opened(
        table(
            tmp_path,
            kind,
            report=list("abcd"),
            what=["edema;nodule", "nodule | edema", "1", ""],
        ),
        label_columns="what",
        relevance="same-labels",
    )
    assert words.image_groups.tolist() == [0, 0, 1, 2]
    assert words.label_names == ("1", "edema", "nodule")


def test_another_word_as_a_mark_is_an_error(tmp_path: Path) -> None:
    path = table(
        tmp_path, "csv", report=list("ab"), edema=["1", "maybe Mr Doe"], effusion=[0, 1]
    )
    with pytest.raises(
        DatasetError, match="as label 'edema', got something else in row 2 of its table"
    ) as caught:
        opened(path, label_columns="edema;effusion", relevance="same-labels")
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "nan", "0.0", "-1", "False", "no", " 1 ", "1.000", "true"]
)
def test_what_is_a_mark(text: str) -> None:
    assert is_mark(text)
    assert is_positive(text) == (text.strip() in ("1", "1.000", "true"))


@pytest.mark.parametrize("text", ["2", "0.5", "x", "1;0", "-2"])
def test_what_is_no_mark(text: str) -> None:
    assert not is_mark(text)


@pytest.mark.parametrize("kind", KINDS)
def test_a_patient_column_that_pandas_made_floating_point(
    tmp_path: Path, kind: str
) -> None:
    path = table(
        tmp_path,
        kind,
        report=list("abcd"),
        patient=[10000032.0, None, 0.0, 10000032.0],
        study=[0.0, 0.0, 5.0, None],
    )
    patients = opened(path, patient="patient").patients
    assert (patients[0], patients[2], patients[3]) == ("10000032", "0", "10000032")
    assert len(set(patients)) == 3
    assert patients[1] not in ("", "nan", "None")
    whole = opened(
        table(tmp_path, kind, report=list("ab"), patient=[10000032, 10000032]),
        patient="patient",
    ).patients
    assert whole == ("10000032", "10000032")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rounded_numbers_are_no_ids(tmp_path: Path, kind: str) -> None:
    path = table(
        tmp_path, kind, report=list("ab"), patient=[1.2345678901234567e18, 3.0]
    )
    with pytest.raises(
        DatasetError,
        match="as patient, got a rounded number in row 1 .* whose last digits are lost",
    ):
        opened(path, patient="patient")


def test_ids_that_only_look_like_numbers_stay(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "csv",
        report=list("abc"),
        patient=["1.0", "1.20", "2e5"],
        id=["007", "7", "7.0a"],
    )
    dataset = opened(path, patient="patient", id="id")
    assert dataset.image_ids == ("007", "7", "7.0a")
    with pytest.raises(DatasetError, match="rounded number in row 3"):
        opened(
            table(tmp_path, "csv", report=list("abc"), patient=["1.0", "120", "2e5"]),
            patient="patient",
        )
    uids = ["1.2.840.0", "1.2.840.1", "3.0"]
    assert opened(
        table(tmp_path, "csv", report=list("abc"), patient=uids), patient="patient"
    ).patients == tuple(uids)


@pytest.mark.parametrize("kind", KINDS)
def test_blank_studies_are_studies_of_their_own(tmp_path: Path, kind: str) -> None:
    path = table(
        tmp_path,
        kind,
        report=["Edema.", "Normal.", "Other.", "Edema."],
        study=["row 3", None, None, "row 3"],
    )
    dataset = opened(path, group="study", relevance="same-study")
    assert dataset.image_groups.tolist() == [0, 1, 2, 0]
    assert len(dataset.reports) == 3


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            [5, 6],
            (
                "Expected a text or a list of texts as report, got a number in row 1 of"
                " its table"
            ),
        ),
        ([True, False], "got true or false in row 1"),
        ([{"raw": "Mr Doe"}, {"raw": "y"}], "got an object in row 1"),
        ([["a", "b"], [["Mr Doe"]]], "got a list in row 2"),
    ],
)
def test_what_is_no_text_is_an_error(
    tmp_path: Path, kind: str, values: list[Any], said: str
) -> None:
    if kind == "parquet" and isinstance(values[0], list):
        pytest.skip("a column of Parquet has one type")
    with pytest.raises(DatasetError, match=said) as caught:
        opened(table(tmp_path, kind, report=values))
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_missing_texts_are_no_text(tmp_path: Path, kind: str) -> None:
    dataset = opened(
        table(tmp_path, kind, report=["Edema.", None, float("nan"), "None"])
    )
    assert dataset.reports == ("Edema.", "None")  # a word that is written is a word
    assert dataset.counts["left out: empty full"] == 2


def test_missing_values_of_every_kind() -> None:
    missing: list[Any] = [None, float("nan"), pd.NA, pd.NaT]
    assert all(is_missing(value) for value in missing)
    there: list[Any] = ["", 0, False, [], "nan"]
    assert not any(is_missing(value) for value in there)


@pytest.mark.parametrize("values", [["one", 2], {"a": "Mr Doe"}, 7, [["x"]]])
def test_a_field_of_a_shard_that_is_no_text(tmp_path: Path, values: Any) -> None:
    shard(
        tmp_path / "a.tar",
        [("a.png", png(0)), ("a.json", json.dumps({"c": values}).encode())],
    )
    with pytest.raises(DatasetError, match="in sample 1 of shard 1") as caught:
        load_dataset("webdataset", path=tmp_path, text="c")
    assert "Doe" not in str(caught.value)


def test_null_fields_of_a_shard(tmp_path: Path) -> None:
    members: list[tuple[str, bytes]] = []
    for key, fields in {
        "a": '{"c": "x", "s": null, "p": null}',
        "b": '{"c": NaN, "s": "1", "p": "q"}',
    }.items():
        members += [(f"{key}.png", png(0)), (f"{key}.json", fields.encode())]
    members += [("c.png", png(1)), ("c.json", b'{"c": "y", "s": null, "p": 0}')]
    shard(tmp_path / "a.tar", members)
    dataset: Any = load_dataset(
        "webdataset",
        path=tmp_path,
        text="c",
        group="s",
        patient="p",
        relevance="same-study",
    )
    assert dataset.reports == ("x", "y")
    assert dataset.image_groups.tolist() == [0, 1]
    assert dataset.patients[1] == "0"
    assert "None" not in dataset.patients


def test_zero_is_a_number_in_a_hugging_face_data_set(tmp_path: Path) -> None:
    path = hugging_face(
        tmp_path / "a",
        {
            "seeds": [0, 1, 2, 3],
            "text": list("xxyy"),
            "n": [2, 0, 1, 3],
            "study": [0, 0, 1, 1],
        },
    )
    dataset = load_dataset(
        "hugging-face",
        path=path,
        id="n",
        group="study",
        patient="study",
        relevance="same-study",
    )
    assert list(dataset.image_ids) == ["2", "0", "1", "3"]
    assert dataset.image_groups.tolist() == [0, 0, 1, 1]
    assert list(dataset.patients) == ["0", "0", "1", "1"]


def test_missing_values_of_a_hugging_face_data_set(tmp_path: Path) -> None:
    columns = {
        "seeds": [0, 1, 2],
        "text": ["x", None, "z"],
        "study": [float("nan"), 1.0, float("nan")],
    }
    path = hugging_face(tmp_path / "a", dict(columns))
    dataset = load_dataset(
        "hugging-face", path=path, group="study", relevance="same-study"
    )
    assert dataset.image_groups.tolist() == [0, 1]
    numbers = hugging_face(tmp_path / "b", {"seeds": [0], "text": [5]})
    with pytest.raises(DatasetError, match=r"got a number in row 0 of its data set"):
        load_dataset("hugging-face", path=numbers)


def test_a_text_is_the_same_however_its_accents_are_composed() -> None:
    assert as_compared("Gr\u00f6\u00dfe  normal.") == as_compared(
        "Gro\u0308\u00dfe\nnormal."
    )
