"""ReXGradient, FairVLMed, SkinCAP and Quilt-1M, on trees laid out like the published ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import DatasetError, UnknownNameError

from . import trees_beyond as trees
from .trees import dataset_facts, write_table


def rex(root: Path, **options: Any) -> Any:
    return load_dataset("rexgradient", metadata=root, images=root, **options)


def test_rexgradient(tmp_path: Path) -> None:
    dataset = rex(trees.rexgradient(tmp_path))
    below = trees.REX_PATH.removeprefix("../deid_png/")
    assert dataset_facts(dataset) == {
        "ids": [
            below.format("GRDNP1", "A1", "1.1", "a"),
            below.format("GRDNP1", "A1", "1.1", "b"),
            below.format("GRDNP1", "A1", "1.2", "c"),
        ],
        "reports": ["Clear lungs. No acute process.", "Small effusion."],
        "image_groups": [0, 0, 1],
        "report_groups": [0, 1],
    }
    assert list(dataset.patients) == ["GRDNP1"] * 3
    assert dataset.split == "test"
    assert dataset.image(2).size == (32, 40)
    counts = dataset.counts
    assert counts["left out: empty findings+impression"] == 2
    assert counts["studies without images"] == 1
    views = [counts[f"view {view}"] for view in ("frontal", "lateral", "unknown")]
    assert views == [3, 1, 1]


def test_rexgradient_has_four_sections_and_no_labels(tmp_path: Path) -> None:
    root = trees.rexgradient(tmp_path)
    full = rex(root, text="full", view="frontal", images_per_study=1)
    assert full.reports[0] == (
        "INDICATION: Cough. COMPARISON: None. FINDINGS: Clear lungs. IMPRESSION: No"
        " acute process."
    )
    assert [len(full.reports), len(full.image_ids)] == [3, 3]
    assert list(rex(root, text="findings").reports) == ["Clear lungs."]
    with pytest.raises(DatasetError, match="label table"):
        _ = full.label_names
    folders = {"metadata": root / "metadata", "images": root / "deid_png"}
    assert load_dataset("rexgradient", **folders).image(0).size == (32, 40)
    with pytest.raises(UnknownNameError, match="split"):
        rex(root, split="tests")
    with pytest.raises(DatasetError, match="train_metadata_view_position"):
        rex(root, split="train")


def studies_of(change: Callable[[list[dict[str, Any]]], None]) -> dict[str, Any]:
    studies = trees.rexgradient_studies()
    change(list(studies.values()))
    return studies


def test_rexgradient_counts_what_does_not_fit(tmp_path: Path) -> None:
    def change(studies: list[dict[str, Any]]) -> None:
        studies[0]["ImageViewPosition"] = ["PA"]
        studies[1]["StudyInstanceUid"] = "1.1"
        studies[2]["ImageViewPosition"] = None

    dataset = rex(trees.rexgradient(tmp_path, studies_of(change)))
    counts = dataset.counts
    assert counts["studies with several texts, of which the first is taken"] == 1
    assert counts["studies whose list of views does not fit their images"] == 2
    assert list(dataset.reports) == ["Clear lungs. No acute process."]
    assert len(dataset.image_ids) == 3


BROKEN_STUDIES: dict[str, tuple[Callable[[list[dict[str, Any]]], None], str]] = {
    "climbing": (
        lambda studies: studies[1].update(ImagePath=["../deid_png/../../x.png"]),
        "leads out of it in study 2",
    ),
    "absolute": (
        lambda studies: studies[1].update(ImagePath=["/x.png"]),
        "leads out of it in study 2",
    ),
    "no list": (
        lambda studies: studies[0].update(ImagePath="x.png"),
        "a list as ImagePath, got another value in study 1",
    ),
    "twice": (
        lambda studies: studies[1].update(studies[0], StudyInstanceUid="9"),
        "the one of image 1 again in image 3 of its metadata",
    ),
    "no text": (
        lambda studies: studies[0].update(Findings=7),
        "as Findings, got a number in study 1",
    ),
}


@pytest.mark.parametrize("kind", BROKEN_STUDIES)
def test_messages_of_rexgradient_name_numbers(tmp_path: Path, kind: str) -> None:
    change, said = BROKEN_STUDIES[kind]
    root = trees.rexgradient(tmp_path, {})
    file = root / "metadata" / "test_metadata_view_position.json"
    file.write_text(json.dumps(studies_of(change)))
    with pytest.raises(DatasetError) as caught:
        rex(root)
    assert said in str(caught.value)
    assert "GRDN" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "3", '{"GRDN": ', '{"GRDN": 1}', "{" * 9999])
def test_metadata_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    root = trees.rexgradient(tmp_path, {})
    file = root / "metadata" / "test_metadata_view_position.json"
    file.write_text(text)
    with pytest.raises(DatasetError, match="metadata.* Copy it again") as caught:
        rex(root)
    assert "GRDN" not in str(caught.value)
    study = '{"StudyInstanceUid": "1"}'
    file.write_text(f'{{"GRDN": {study}, "GRDN": {study}}}')
    with pytest.raises(DatasetError, match="got one twice"):
        rex(root)


def test_a_missing_picture_of_rexgradient_is_named_by_its_number(
    tmp_path: Path,
) -> None:
    root = trees.rexgradient(tmp_path)
    (root / rex(root).image_ids[1].join(["deid_png/", ""])).unlink()
    with pytest.raises(DatasetError, match="no such file: image 2 of its metadata"):
        rex(root).image(1)


@pytest.mark.parametrize("test_folder", ["Test", "Testing", "data"])
def test_fairvlmed(tmp_path: Path, test_folder: str) -> None:
    root = trees.fairvlmed(tmp_path, test_folder=test_folder)
    dataset: Any = load_dataset("fairvlmed", root=root)
    assert list(dataset.image_ids) == ["data_08001.npz", "data_08002.npz"]
    assert list(dataset.reports) == ["Disc pale.", "Disc pink."]
    assert list(dataset.patients) == list(dataset.image_ids)
    assert np.array_equal(np.asarray(dataset.image(1)), trees.fundus(1))
    assert dataset.counts["left out: empty full"] == 1
    assert dataset.label_names == ("glaucoma",)
    assert dataset.label_matrix.tolist() == [[True], [False]]


def test_splits_and_notes_of_fairvlmed(tmp_path: Path) -> None:
    root = trees.fairvlmed(tmp_path)
    everything = load_dataset("fairvlmed", root=root, split="all", note="gpt4_summary")
    texts = ["Pale disc.", "Pink disc.", "Nothing.", "Training."]
    assert list(everything.reports) == texts
    assert [everything.image(number).size for number in (0, 3)] == [(32, 40)] * 2
    for option in ({"split": "val"}, {"note": "summary"}):
        with pytest.raises(UnknownNameError):
            load_dataset("fairvlmed", root=root, **option)
    table = (root / "data_summary.csv").read_text().replace(",training", ",fit")
    (root / "data_summary.csv").write_text(table)
    with pytest.raises(DatasetError, match="as use, got another word in row 4"):
        load_dataset("fairvlmed", root=root)


def test_a_group_of_fairvlmed_is_a_subset(tmp_path: Path) -> None:
    """Rows of its own table, filtered, are a list of ids."""
    root = trees.fairvlmed(tmp_path)
    with (root / "data_summary.csv").open(newline="") as stream:
        header, *rows = list(csv.reader(stream))
    black = [row for row in rows if row[header.index("race")] == "black"]
    subset = write_table(tmp_path / "black.csv", header, black)
    dataset: Any = load_dataset("fairvlmed", root=root, subset=subset)
    assert list(dataset.reports) == ["Disc pink."]
    assert dataset.counts["left out: not in the subset"] == 2


def test_skincap(tmp_path: Path) -> None:
    root = trees.skincap(tmp_path)
    options: dict[str, Any] = {"path": root / "skincap_v240623.csv", "images": root}
    dataset: Any = load_dataset("skincap", **options)
    assert list(dataset.image_ids) == ["1.png", "2.png", "3.png"]
    assert dataset.reports[1] == "Scales, with a comma."
    assert [dataset.image(number).size for number in range(3)] == [(32, 40)] * 3
    assert dataset.image(0).mode == "RGB"
    assert list(dataset.patients) == list(dataset.image_ids)
    assert dataset.counts["images that the table says not to consider"] == 1
    assert dataset.counts["left out: empty full"] == 1
    inner = {**options, "images": root / "skincap"}
    grouped = load_dataset("skincap", **inner, relevance="same-labels")
    assert grouped.image_groups.tolist() == [0, 1, 0]
    assert grouped.image(2).size == (32, 40)
    fewer: Any = load_dataset("skincap", **options, marked="leave-out")
    assert list(fewer.image_ids) == ["1.png", "2.png"]
    assert fewer.counts["left out: the table says not to consider them"] == 1
    chinese = load_dataset("skincap", **options, caption="caption_zh_polish")
    assert chinese.reports[0] == "一。"
    with pytest.raises(UnknownNameError, match="marked"):
        load_dataset("skincap", **options, marked="drop")


def test_strata_are_what_tables_say_of_patients(tmp_path: Path) -> None:
    root = trees.fairvlmed(tmp_path)
    eyes: Any = load_dataset("fairvlmed", root=root, split="all")
    assert eyes.strata["race"] == ("white", "black", "white")
    assert set(eyes.strata) == {*trees.FAIRVLMED_COLUMNS[1:7]}
    films = rex(trees.rexgradient(tmp_path))
    assert films.strata == {"PatientSex": ("F",) * 3, "PatientAge": ("061Y",) * 3}
    skin: Any = load_dataset(
        "skincap", path=trees.skincap(tmp_path) / "skincap_v240623.csv"
    )
    assert skin.strata == {"fitzpatrick_scale": ("2", "6", "")}
    slides: Any = load_dataset(
        "quilt-1m", path=trees.quilt_1m(tmp_path) / "quilt_1M_lookup.csv"
    )
    assert slides.strata == {}


def test_quilt_1m(tmp_path: Path) -> None:
    root = trees.quilt_1m(tmp_path)
    options: dict[str, Any] = {"path": root / "quilt_1M_lookup.csv", "images": root}
    dataset: Any = load_dataset("quilt-1m", **options)
    assert dataset_facts(dataset) == {
        "ids": ["v1_image_aa.jpg", "v1_image_bb.jpg", "1500.jpg"],
        "reports": ["Large nuclei.", "Mitoses.", "Fibrosis.", "A tweet."],
        "image_groups": [0, 1, 2],
        "report_groups": [0, 0, 1, 2],
    }
    # Frames of one video are not counted as independent.
    assert list(dataset.patients) == ["video v1", "video v1", "1500.jpg"]
    assert dataset.counts["rows that add a text to an image"] == 1
    assert dataset.counts["left out: rows that repeat a text of their image"] == 1
    assert [dataset.image(number).size for number in range(3)] == [(32, 40)] * 3
    assert dataset.label_names == ("Bone", "Dermatopathology", "Soft tissue")
    assert dataset.label_matrix.sum(axis=1).tolist() == [2, 1, 0]
    tweets = load_dataset("quilt-1m", **options, source="openpath")
    assert list(tweets.reports) == ["A tweet."]
    assert len(load_dataset("quilt-1m", **options, split="all").image_ids) == 4
    with pytest.raises(UnknownNameError, match="source"):
        load_dataset("quilt-1m", **options, source="youtube")


def test_a_missing_frame_of_quilt_may_be_skipped(tmp_path: Path) -> None:
    root = trees.quilt_1m(tmp_path)
    (root / "images_part_2/quilt_1m/v1_image_bb.jpg").unlink()
    options: dict[str, Any] = {"path": root / "quilt_1M_lookup.csv", "images": root}
    dataset: Any = load_dataset("quilt-1m", **options, on_error="skip")
    assert dataset.skips_unreadable
    with pytest.raises(DatasetError, match="no such file below images=.*row 4 of its"):
        dataset.image(1)


def test_what_names_these_data_sets_says_what_was_chosen() -> None:
    from pytest_retrieval_robust import Catalogues

    entries = Catalogues().datasets
    for name, options, written in (
        ("quilt-1m", {"source": "quilt"}, "quilt-1m(source=quilt)"),
        ("skincap", {"marked": "leave-out"}, "skincap(marked=leave-out)"),
        ("fairvlmed", {"root": "x", "note": "note"}, "fairvlmed"),
        (
            "rexgradient",
            {"metadata": "x", "split": "valid"},
            "rexgradient(split=valid)",
        ),
    ):
        canonical_name = entries.get(name).canonical_name
        assert canonical_name is not None
        assert canonical_name(**options) == written


NAME = "PATIENTDOE"


def broken_tables(
    folder: Path, first: str, second: str
) -> dict[str, Callable[[], Any]]:
    """Data sets whose tables name these two pictures."""
    quilt = [
        trees.quilt_row(number, f"{NAME}.", image, "quilt", "val", "")
        for number, image in enumerate((first, second))
    ]
    skin = [
        (number, image, NAME, NAME, f"{NAME} {number}.", NAME, 0, 0, 1)
        for number, image in enumerate((first, second))
    ]
    eyes = [
        (
            image,
            61,
            NAME,
            NAME,
            NAME,
            NAME,
            NAME,
            f"{NAME} {number}.",
            NAME,
            "no",
            "test",
        )
        for number, image in enumerate((first, second))
    ]
    tables = {
        "quilt": write_table(folder / "quilt.csv", trees.QUILT_COLUMNS, quilt),
        "skin": write_table(folder / "skin.csv", trees.SKINCAP_COLUMNS, skin),
    }
    write_table(folder / "data_summary.csv", trees.FAIRVLMED_COLUMNS, eyes)
    return {
        "quilt": lambda: load_dataset("quilt-1m", path=tables["quilt"], images=folder),
        "skin": lambda: load_dataset("skincap", path=tables["skin"], images=folder),
        "eyes": lambda: load_dataset("fairvlmed", root=folder),
    }


@pytest.mark.parametrize("kind", ["quilt", "skin", "eyes"])
@pytest.mark.parametrize(
    "second", [f"../{NAME}", f"/{NAME}", "", f"{NAME}1.png", f"{NAME}2.png"]
)
def test_messages_of_tables_name_rows_alone(
    tmp_path: Path, kind: str, second: str
) -> None:
    opened = broken_tables(tmp_path, f"{NAME}1.png", second)[kind]
    with pytest.raises(DatasetError) as caught:
        opened().image(0)
    said = str(caught.value)
    assert NAME not in said
    assert "row 1 of its table" in said or "in row 2 of its table" in said
