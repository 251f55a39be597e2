"""A table of one's own as a data set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import ConfigError, DatasetError
from pytest_retrieval_robust.datasets import RetrievalDataset

from .trees import dataset_facts, save, write_table

HEADER = [
    "image_path",
    "report",
    "study",
    "patient",
    "view",
    "part",
    "edema",
    "findings",
    "impression",
]
ROWS = [
    ("images/a.png", "Clear. None.", "s1", "p1", "PA", "test", "0", "Clear.", "None."),
    (
        "images/b.png",
        "Clear. None.",
        "s1",
        "p1",
        "LATERAL",
        "test",
        "0",
        "Clear.",
        "None.",
    ),
    ("images/c.png", "Big heart.", "s2", "p1", "AP", "test", "1.0", "Big heart.", ""),
    (
        "images/d.png",
        "Clear.  None.",
        "s3",
        "p2",
        "AP",
        "train",
        "0",
        "Clear.",
        " None.",
    ),
    ("images/e.png", "", "s4", "p3", "AP", "test", "-1", "", ""),
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for number, row in enumerate(ROWS):
        save(tmp_path / row[0], number)
    return write_table(tmp_path / "table.csv", HEADER, ROWS)


def opened(table: Path, **options: Any) -> Any:
    return load_dataset("table", **{"path": table, "image": "image_path", **options})


def test_columns_by_name(table: Path) -> None:
    dataset = load_dataset(
        "table", path=table, image="image_path", text="report", group=None, patient=None
    )
    assert isinstance(dataset, RetrievalDataset)
    assert dataset_facts(dataset) == {
        "ids": ["images/a.png", "images/b.png", "images/c.png", "images/d.png"],
        "reports": ["Clear. None.", "Big heart."],
        "image_groups": [0, 0, 1, 0],
        "report_groups": [0, 1],
    }
    assert (dataset.text, dataset.split) == ("full", "all")
    assert dataset.image(3).size == (32, 40)
    assert len(set(dataset.patients)) == 4


@pytest.mark.parametrize(
    ("relevance", "reports", "images", "report_groups"),
    [
        ("same-text", 2, [0, 0, 1, 0], [0, 1]),
        ("strict-id", 4, [0, 1, 2, 3], [0, 1, 2, 3]),
        ("same-study", 3, [0, 0, 1, 2], [0, 1, 2]),
        ("same-labels", 3, [0, 0, 1, 0], [0, 1, 0]),
    ],
)
def test_relevance(
    table: Path,
    relevance: str,
    reports: int,
    images: list[int],
    report_groups: list[int],
) -> None:
    dataset = opened(table, group="study", relevance=relevance, label_columns="edema")
    assert len(dataset.reports) == reports
    assert dataset.image_groups.tolist() == images
    assert dataset.report_groups.tolist() == report_groups


def test_precision_by_labels_through_top_k(table: Path) -> None:
    """MedCLIP's precision@k: the share of the first k reports that have the image's own labels."""
    import torch

    from pytest_retrieval_robust import top_k

    dataset = opened(
        table, group="study", relevance="same-labels", label_columns="edema"
    )
    assert dataset.label_names == ("edema",)
    assert dataset.label_matrix.tolist() == [[False], [False], [True], [False]]
    assert dataset.report_label_matrix.tolist() == [[False], [True], [False]]
    images = torch.eye(4)[:, :3].contiguous()
    images[3, 0] = 1.0
    indices, _ = top_k(images, torch.eye(3), 2)
    precision = (
        dataset.report_groups[np.asarray(indices)] == dataset.image_groups[:, None]
    ).mean(axis=1)
    assert precision.tolist() == [0.5, 0.5, 0.0, 0.5]
    with pytest.raises(DatasetError, match="Expected a label table"):
        _ = opened(table).label_matrix


def test_sections_view_split_and_patients(table: Path) -> None:
    options = {
        "findings": "findings",
        "impression": "impression",
        "group": "study",
        "patient": "patient",
    }
    dataset = opened(
        table, **options, text_policy="impression", view_column="view", view="frontal"
    )
    assert list(dataset.image_ids) == ["images/a.png", "images/d.png"]
    assert list(dataset.patients) == ["p1", "p2"]
    both = opened(
        table,
        **options,
        text_policy="findings+impression",
        split_column="part",
        split="test",
    )
    assert list(both.reports) == ["Clear. None.", "Big heart."]
    assert both.name == (
        "table(image=image_path,findings=findings,impression=impression,group=study,"
        "patient=patient,split_column=part,split=test,text_policy=findings+impression)"
    )
    assert both.counts["left out: empty findings+impression"] == 1


def test_a_subset_that_was_written(table: Path, tmp_path: Path) -> None:
    from pytest_retrieval_robust.__main__ import main

    ids = tmp_path / "ids.csv"
    assert (
        main(
            [
                "inspect",
                f"table(path={table},image=image_path,view_column=view,view=frontal)",
                "--write-ids",
                str(ids),
            ]
        )
        == 0
    )
    assert ids.read_text() == "image_id\nimages/a.png\nimages/c.png\nimages/d.png\n"
    first = tmp_path / "first.csv"
    assert (
        main(
            [
                "inspect",
                f"table(path={table},image=image_path)",
                "--limit",
                "2",
                "--write-ids",
                str(first),
            ]
        )
        == 0
    )
    assert first.read_text() == "image_id\nimages/a.png\nimages/b.png\n"
    assert list(opened(table, subset=ids).image_ids) == [
        "images/a.png",
        "images/c.png",
        "images/d.png",
    ]
    ids.write_text("image_id\nimages/z.png\n")
    with pytest.raises(DatasetError, match="got 1 of 1 that are not"):
        opened(table, subset=ids)
    with pytest.raises(DatasetError, match="no file at subset='none.csv'"):
        opened(table, subset=tmp_path / "none.csv")


def test_the_fingerprint_follows_what_is_evaluated(table: Path) -> None:
    marks = {
        opened(table, **options).fingerprint
        for options in (
            {},
            {"relevance": "strict-id"},
            {"group": "study", "relevance": "same-study"},
            {"minimum_length": 11},
        )
    }
    assert len(marks) == 4
    assert opened(table).fingerprint == opened(table).fingerprint


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/etc/passwd", "an absolute one that lies outside of root="),
        ("../secret.png", "one that leads out of it in row 1 of its table"),
        ("a/../../b.png", "row 1"),
        ("C:\\x.png", "row 1"),
        ("..\\x.png", "row 1"),
        ("", "a blank one in row 1 of its table"),
        ("a\0b", "row 1"),
    ],
)
def test_paths_that_leave_the_root(tmp_path: Path, path: str, said: str) -> None:
    table = write_table(tmp_path / "bad.csv", ["image", "report"], [(path, "x")])
    with pytest.raises(DatasetError) as caught:
        load_dataset("table", path=table)
    assert said in str(caught.value)
    assert not path.strip() or path not in str(caught.value)


def test_links(table: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = save(tmp_path_factory.mktemp("outside") / "x.png")
    dataset = opened(table)
    link = table.parent / "images/a.png"
    link.unlink()
    os.symlink(outside, link)
    with pytest.raises(
        DatasetError, match="a link leads out of it: row 1 of its table"
    ):
        dataset.image(0)
    link.unlink()
    os.symlink(link, link)
    with pytest.raises(DatasetError):
        dataset.image(0)
    root = table.parent.parent / "linked"
    root.symlink_to(table.parent)  # a root may be a link itself
    assert opened(root / "table.csv").image(1).size == (32, 40)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"image": "imge_path"}, "Did you mean 'image_path'"),
        ({"text": "reprt"}, "Did you mean 'report'"),
        (
            {"id": "patient"},
            (
                "Expected each id once, got that of row 1 of its table again in row 2"
                " of its table"
            ),
        ),
        ({"group": "patient"}, "another one for the same patient in row 3"),
        ({"split": "test"}, "Expected split_column"),
        ({"text_policy": "findings"}, "Expected text='full'"),
        ({"relevance": "same-labels"}, "Expected labels for relevance='same-labels'"),
        ({"images_per_study": 0}, "images_per_study=0"),
        ({"images_per_study": "1"}, "a whole number, got images_per_study='1'"),
        ({"most_skipped": True}, "a number, got most_skipped=True"),
        ({"image": 3}, "a text, got image=3"),
        ({"most_skipped": 2}, "most_skipped=2"),
        ({"minimum_length": 999}, "got none: images=5"),
    ],
)
def test_what_cannot_be_asked_of_it(
    table: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises((DatasetError, ConfigError), match=said) as caught:
        opened(table, **options)
    assert "heart" not in str(caught.value)
