"""A folder of images with texts beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import DatasetError, UnreadableImageError

from ...conftest import Run
from .test_archives import png
from .trees import picture

CANARY = "patient-doe"


def tree(root: Path, files: dict[str, bytes | str | int]) -> Path:
    """Files by path: texts, bytes, and numbers for pictures."""
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        data = png(content) if isinstance(content, int) else content
        file.write_bytes(data.encode() if isinstance(data, str) else data)
    return root


def facts(**options: Any) -> list[tuple[str, tuple[str, ...], str]]:
    dataset: Any = load_dataset("image-folder", **options)
    return [
        (row.id, texts, row.patient.lstrip("\0"))
        for row, texts in zip(dataset.rows, dataset.texts, strict=True)
    ]


def test_a_text_lies_beside_its_image(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "b.png": 2,
            "b.txt": "\ufeffEffusion.\n",
            "a/a.PNG": 1,
            "a/a.txt": "Clear.",
            "a/._a.png": b"finder",
            ".git/c.png": 3,
            "d.png": 4,
            "e.txt": "Alone.",
            "notes.md": "x",
        },
    )
    dataset: Any = load_dataset("image-folder", path=root)
    assert dataset.image_ids == ("b.png", "a/a.PNG")
    assert dataset.reports == ("Effusion.", "Clear.")
    assert np.array_equal(np.asarray(dataset.image(1)), np.asarray(picture(1)))
    counts = dataset.counts
    assert counts["left out: no report"] == counts["texts without an image"] == 1
    assert len(set(dataset.patients)) == 2


def test_folders_may_be_patients_and_studies(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "p1/s1/a.png": 1,
            "p1/s1/b.png": 2,
            "p1/s1/report.txt": "One.",
            "p1/s2/a.png": 3,
            "p1/s2.txt": "Two.",
            "p2/s1/a.png": 4,
            "p2/s1/a.txt": "Three.",
        },
    )
    assert facts(path=root, patient_level=1, study_level=2) == [
        ("p1/s1/a.png", ("One.",), "p1"),
        ("p1/s1/b.png", ("One.",), "p1"),
        ("p1/s2/a.png", ("Two.",), "p1"),
        ("p2/s1/a.png", ("Three.",), "p2"),
    ]
    dataset = load_dataset(
        "image-folder", path=root, study_level=2, relevance="same-study"
    )
    assert dataset.image_groups.tolist() == [0, 0, 1, 2]


def test_texts_of_another_suffix_and_lines(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a.png": 1, "a.caption": "One.", "a.txt": "Two.\n\nThree."})
    assert facts(path=root, text="caption")[0][1] == ("One.",)
    assert facts(path=root, text="txt-lines")[0][1] == ("Two.", "Three.")


@pytest.mark.parametrize("text", ["txt", "txt-lines", "TXT"])
def test_suffixes_may_be_spelled_in_upper_case(tmp_path: Path, text: str) -> None:
    root = tree(
        tmp_path,
        {
            "UP.PNG": 1,
            "UP.TXT": "One.",
            "s/a.png": 2,
            "s.Txt": "Two.",
            "v1.2.png": 3,
            "v1.2.TXT": "Three.",
            "blank.png": 4,
            "blank.TXT": " ",
        },
    )
    options: Any = {"path": root, "text": text, "study_level": 0}
    assert [row[:2] for row in facts(**options)] == [
        ("UP.PNG", ("One.",)),
        ("v1.2.png", ("Three.",)),
    ]
    dataset: Any = load_dataset("image-folder", **options)
    assert dataset.counts["left out: no report"] == 1
    assert dataset.counts["left out: empty full"] == 1
    for name in ("UP.PNG", "v1.2.png", "blank.png"):
        (root / name).unlink()
    assert facts(path=root, text=text, study_level=1)[0][:2] == ("s/a.png", ("Two.",))


def test_folders_that_are_links_are_counted(tmp_path: Path) -> None:
    tree(tmp_path / "elsewhere", {"b.png": 2, "b.txt": "Two."})
    root = tree(tmp_path / "root", {"a.png": 1, "a.txt": "One."})
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "round").symlink_to(root)
    dataset: Any = load_dataset("image-folder", path=root)
    assert dataset.image_ids == ("a.png",)
    assert dataset.counts["left out: folders that are links"] == 2
    (root / "a.png").unlink()
    with pytest.raises(DatasetError, match="links are not followed"):
        load_dataset("image-folder", path=root)


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({"a.txt": "x"}, {}, "Expected images in the folder of image-folder, got none"),
        ({"a.png": 1, "a.jpg": 1, "a.txt": "x"}, {}, "got two of one name: image 2 of"),
        ({"a.png": 1, "a.txt": "x", "a.TXT": "y"}, {}, "got 2 whose suffixes"),
        ({"a.png": 1, "a.txt": b"\xff"}, {}, "another encoding in the text of image 1"),
        ({"a.png": 1, "a.txt": "x"}, {"patient_level": 1}, "an image 0 folders below"),
        ({"a.png": 1, "a.txt": "x"}, {"study_level": -1}, "got study_level=-1"),
        (
            {"s/a.png": 1, "s/b.png": 1, "s/a.txt": "x", "s/b.txt": "y"},
            {"study_level": 1},
            "Expected one report per group, got another one for the same study_level",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_images_number(
    tmp_path: Path, files: Any, options: Any, message: str
) -> None:
    root = tree(tmp_path / CANARY, files)
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset("image-folder", path=root, **options)
    assert CANARY not in str(caught.value).replace(f"path='{CANARY}'", "")


def test_links_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    outside = tree(tmp_path / "outside", {"a.png": 1, "a.txt": "Secret."})
    root = tree(tmp_path / "root", {"a.png": 1, "b.txt": "Clear."})
    (root / "a.txt").symlink_to(outside / "a.txt")
    with pytest.raises(DatasetError, match="one that a link leads out"):
        load_dataset("image-folder", path=root)
    (root / "a.txt").unlink()
    (root / "b.png").symlink_to(outside / "a.png")
    dataset = load_dataset("image-folder", path=root)
    with pytest.raises(DatasetError, match="one that a link leads out"):
        dataset.image(0)


def test_a_broken_image_is_named_by_its_number(tmp_path: Path) -> None:
    root = tree(tmp_path, {f"{CANARY}.png": b"x", f"{CANARY}.txt": "Clear."})
    dataset = load_dataset("image-folder", path=root)
    with pytest.raises(UnreadableImageError, match="image 1 of its folder") as caught:
        dataset.image(0)
    assert CANARY not in str(caught.value)


def test_a_table_of_robust_toml_reads_it(
    pytester: pytest.Pytester, run_suite: Run
) -> None:
    names = [f"{number}.png" for number in range(12)]
    tree(
        pytester.path / "data",
        {
            **{f"p{number}/{name}": number for number, name in enumerate(names)},
            **{f"p{number}/{number}.txt": f"Text {number}." for number in range(12)},
        },
    )
    (pytester.path / "robust.toml").write_text(
        '[datasets.ours]\nloader = "image-folder"\npath = "data"\npatient_level = 1\n'
    )
    result = run_suite(
        "--robust-datasets=ours", "--robust-measure-only", "-k", "level0.30"
    )
    result.assert_outcomes(passed=1, deselected=1)
