"""Several captions per image, in every form that readers take, and what is right then."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust import (
    dataset_from_lists,
    load_dataset,
    positive_ranks_both,
)
from pytest_retrieval_robust.core.errors import DatasetError
from pytest_retrieval_robust.datasets._files.relevance import pair
from pytest_retrieval_robust.measure.inspection import fair_ceiling, inspect
from pytest_retrieval_robust.measure.pairs import ceiling, describe, pairs_of
from pytest_retrieval_robust.measure.sweep.scores import scores_of

from .test_archives import png, shard
from .trees import dataset_facts, picture, save

CAPTIONS: list[list[str | None]] = [
    ["A dog runs.", "A brown dog."],
    ["Two cats."],
    ["A tree.", None, "  ", "Some wood."],
]
EXPECTED = {
    "reports": ["A dog runs.", "A brown dog.", "Two cats.", "A tree.", "Some wood."],
    "image_groups": [0, 1, 2],
    "report_groups": [0, 0, 1, 2, 2],
}


def facts(dataset: Any) -> dict[str, Any]:
    return {key: value for key, value in dataset_facts(dataset).items() if key != "ids"}


def pictures(folder: Path) -> list[str]:
    return [save(folder / f"{number}.png", number).name for number in range(3)]


def json_lines(folder: Path) -> Path:
    rows = [
        {"image": image, "report": texts}
        for image, texts in zip(pictures(folder), CAPTIONS, strict=True)
    ]
    file = folder / "a.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def parquet(folder: Path) -> Path:
    file = folder / "a.parquet"
    pyarrow.parquet.write_table(
        pyarrow.table({"image": pictures(folder), "report": CAPTIONS}), file
    )
    return file


def rows_of_csv(folder: Path) -> Path:
    """One row per caption, in any order, with two spellings of one path."""
    file = folder / "a.csv"
    images = pictures(folder)
    rows = [
        (images[0], "A dog runs."),
        (images[1], "Two cats."),
        (images[2], "A tree."),
    ]
    rows += [
        (f"./{images[0]}", "A brown dog."),
        (images[2], ""),
        (images[2], "Some wood."),
    ]
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("image", "report"), *rows])
    return file


@pytest.mark.parametrize("write", [json_lines, parquet, rows_of_csv])
def test_captions_of_a_table(tmp_path: Path, write: Any) -> None:
    dataset: Any = load_dataset("table", path=write(tmp_path))
    assert facts(dataset) == EXPECTED
    assert list(dataset.image_ids) == ["0.png", "1.png", "2.png"]
    assert dataset.counts["captions"] == 5
    assert np.array_equal(np.asarray(dataset.image(2)), np.asarray(picture(2)))


@pytest.mark.parametrize("text", ["c", "txt", "txt-lines"])
def test_captions_of_a_shard(tmp_path: Path, text: str) -> None:
    members: list[tuple[str, bytes]] = []
    for number, texts in enumerate(CAPTIONS):
        members.append((f"{number}.png", png(number)))
        words = [one or "" for one in texts]
        if text == "c":
            members.append((f"{number}.json", json.dumps({"c": texts}).encode()))
        elif text == "txt-lines":
            members.append((f"{number}.txt", "\n".join(words).encode()))
        else:  # 10.txt is after 2.txt
            members += [
                (f"{number}.{8 + position}.txt", word.encode())
                for position, word in enumerate(words)
            ]
    shard(tmp_path / "a.tar", members)
    dataset: Any = load_dataset("webdataset", path=tmp_path, text=text)
    assert facts(dataset) == EXPECTED
    assert np.array_equal(np.asarray(dataset.image(2)), np.asarray(picture(2)))


def hugging_face(folder: Path, columns: dict[str, Any]) -> str:
    encoded = [{"bytes": png(number), "path": None} for number in columns.pop("seeds")]
    made = datasets.Dataset.from_dict({"image": encoded, **columns}).cast_column(
        "image", datasets.Image()
    )
    made.save_to_disk(str(folder))
    return str(folder)


def test_captions_of_a_hugging_face_data_set(tmp_path: Path) -> None:
    path = hugging_face(tmp_path / "lists", {"seeds": [0, 1, 2], "text": CAPTIONS})
    assert facts(load_dataset("hugging-face", path=path)) == EXPECTED
    rows = {
        "seeds": [0, 0, 1, 2, 2],
        "text": EXPECTED["reports"],
        "key": [7, 7, 0, 9, 9],
    }
    dataset = load_dataset(
        "hugging-face", path=hugging_face(tmp_path / "rows", rows), id="key"
    )
    assert facts(dataset) == EXPECTED
    assert list(dataset.image_ids) == ["7", "0", "9"]
    different = {
        "seeds": [0, 3, 1, 2, 2],
        "text": EXPECTED["reports"],
        "key": [7, 7, 0, 9, 9],
    }
    with pytest.raises(
        DatasetError,
        match=r"that of row 0 of its data set .* again in row 1 .* for another image",
    ):
        load_dataset(
            "hugging-face", path=hugging_face(tmp_path / "other", different), id="key"
        )


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (
            "id",
            (
                "Expected one name per image, got another one for the image of row 1 in"
                " row 2 .* Leave `id` out"
            ),
        ),
        (
            "patient",
            (
                "Expected one name per image, got another one for the image of row 1 in"
                " row 2"
            ),
        ),
    ],
)
def test_rows_of_one_image_that_disagree_are_refused(
    tmp_path: Path, column: str, said: str
) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "a.csv").write_text("image,report,name\na.png,One.,x\na.png,Two.,y\n")
    with pytest.raises(DatasetError, match=said):
        load_dataset("table", path=tmp_path / "a.csv", **{column: "name"})


def test_sections_are_one_text(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "a.csv").write_text(
        "image,report,findings\na.png,One.,x\na.png,Two.,y\n"
    )
    with pytest.raises(
        DatasetError,
        match=("one report per image if it has sections, got the image of row 1 again"),
    ):
        load_dataset("table", path=tmp_path / "a.csv", findings="findings")


CAPTION_LISTS = st.lists(
    st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4), min_size=1, max_size=7
)


@given(captions=CAPTION_LISTS, seed=st.integers(0, 999), k=st.integers(1, 9))
def test_strict_id_is_what_a_naive_search_in_float64_finds(
    captions: list[list[str]], seed: int, k: int
) -> None:
    """LAION's CLIP_benchmark and Karpathy's protocol: an image is right if any of its
    own captions is among the first k, which its docstring calls hit rate; each caption
    is a query of its own, and its image alone is right.
    """
    dataset = dataset_from_lists(
        "any", ["a.png"] * len(captions), captions, relevance="strict-id"
    )
    pairs = pairs_of(dataset)
    owners = [image for image, texts in enumerate(captions) for _ in texts]
    assert list(dataset.reports) == [text for texts in captions for text in texts]
    images = unit_rows(seed, len(captions))
    reports = unit_rows(seed + 1000, len(owners))
    image_ranks, report_ranks = positive_ranks_both(
        torch.from_numpy(images),
        torch.from_numpy(reports),
        pairs.image_groups,
        pairs.report_groups,
    )
    scores = images.astype(np.float64) @ reports.astype(np.float64).T
    right = np.array(owners)[None] == np.arange(len(captions))[:, None]
    assert hit_rate(scores, right, k) == (np.asarray(image_ranks) <= k).mean()
    assert hit_rate(scores.T, right.T, k) == (np.asarray(report_ranks) <= k).mean()


def unit_rows(seed: int, count: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, 5))
    unit: NDArray[np.float32] = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
    ).astype(np.float32)
    return unit


def hit_rate(scores: NDArray[np.float64], right: NDArray[np.bool_], k: int) -> float:
    """Scores of random rows have no ties."""
    hits = [
        right[query][np.argsort(-scores[query])[:k]].any()
        for query in range(len(scores))
    ]
    return float(np.mean(hits))


@given(captions=CAPTION_LISTS)
def test_same_text_holds_each_text_once_and_joins_images_that_share_one(
    captions: list[list[str]],
) -> None:
    pairing = pair("same-text", captions, ["s"] * len(captions), None, name="any")
    texts = [
        captions[image][caption]
        for image, caption in zip(pairing.sources, pairing.captions, strict=True)
    ]
    assert sorted(texts) == sorted({text for one in captions for text in one})
    right = pairing.image_groups[:, None] == pairing.report_groups[None]
    for image, own in enumerate(captions):
        assert {texts[report] for report in np.flatnonzero(right[image])} == reached(
            set(own), captions
        )


def reached(texts: set[str], captions: Sequence[Sequence[str]]) -> set[str]:
    """All texts of images that share one of these, until no more come."""
    while True:
        more = texts.union(*(one for one in map(set, captions) if one & texts))
        if more == texts:
            return texts
        texts = more


def test_images_that_shared_texts_join_are_counted() -> None:
    dataset: Any = dataset_from_lists(
        "ours", ["a.png"] * 3, [["x", "y"], ["y", "z"], ["w"]]
    )
    assert dataset.image_groups.tolist() == [0, 0, 1]
    assert (
        dataset.counts[
            "images that share some of their texts with images of other texts"
        ]
        == 2
    )
    same: Any = dataset_from_lists(
        "ours", ["a.png"] * 3, [["x", "y"], ["y", "x"], ["w"]]
    )
    assert (
        "images that share some of their texts with images of other texts"
        not in same.counts
    )


def test_a_text_that_would_make_every_answer_right_is_refused() -> None:
    captions = [["An image.", f"Report {number}."] for number in range(12)]
    with pytest.raises(
        DatasetError,
        match=r"got 12 of 12 that texts in common join .* relevance='strict-id'",
    ):
        dataset_from_lists("ours", ["a.png"] * 12, captions)
    strict = dataset_from_lists("ours", ["a.png"] * 12, captions, relevance="strict-id")
    assert len(strict.reports) == 24


def test_images_of_one_text_each_are_never_refused() -> None:
    dataset = dataset_from_lists(
        "ours", ["a.png"] * 30, ["Normal."] * 20 + ["Edema."] * 10
    )
    assert dataset.image_groups.tolist() == [0] * 20 + [1] * 10


def test_chance_knows_how_many_captions_are_right() -> None:
    """Of 24 captions 5 are right for an image: 1 - C(19, 2) / C(24, 2)."""
    captions = [[f"{image} {caption}" for caption in range(5)] for image in range(4)]
    captions.append([f"4 {caption}" for caption in range(4)])
    pairs = pairs_of(dataset_from_lists("ours", ["a.png"] * 5, captions))
    scores = scores_of(
        np.ones(5, dtype=np.int64), pairs.image_groups, pairs.report_groups, [2]
    )
    of_five = 1 - (19 * 18) / (24 * 23)
    of_four = 1 - (20 * 19) / (24 * 23)
    assert scores.chance[2] == pytest.approx((4 * of_five + of_four) / 5, rel=1e-12)
    back = scores_of(
        np.ones(24, dtype=np.int64), pairs.report_groups, pairs.image_groups, [2]
    )
    assert back.chance[2] == pytest.approx(2 / 5)


def test_ceilings_and_repeated_texts_of_captions() -> None:
    """Strict ids: image 0 has a text of its own, images 1 and 2 have one text in common."""
    captions = [["a", "b"], ["b"], ["b", "b"]]
    pairs = pairs_of(
        dataset_from_lists("ours", ["a.png"] * 3, captions, relevance="strict-id")
    )
    # Ties against the model: of four equal texts one is right for image 1, and two are for image 2.
    assert ceiling(pairs, (1, 3, 4)) == {1: 1 / 3, 3: 2 / 3, 4: 1.0}
    fair = fair_ceiling(
        pairs.texts, pairs.report_groups.tolist(), (1, 2), pairs.image_groups.tolist()
    )
    assert fair[1] == pytest.approx((1 + 1 / 4 + 2 / 4) / 3)
    assert fair[2] == pytest.approx((1 + 2 / 4 + (1 - 1 / 6)) / 3)
    assert describe(pairs, (1,))["duplicate_share"] == pytest.approx(1 - 2 / 5)
    lines = "\n".join(inspect(pairs.dataset))
    assert "captions: 5" in lines
    assert "different texts: 2 (60.0 % repeat an earlier text)" in lines


def test_patients_limits_and_the_fingerprint_follow_images() -> None:
    captions = [["a", "b"], ["c"], ["d", "e", "f"]]
    dataset = dataset_from_lists("ours", ["a.png"] * 3, captions, [1.0, 1.0, 2.0])
    assert list(dataset.patients) == ["1", "1", "2"]
    first = pairs_of(dataset, 2)
    assert (first.texts, first.patients) == (["a", "b", "c"], ["1", "1"])
    other = dataset_from_lists(
        "ours", ["a.png"] * 3, [["a"], ["b", "c"], ["d", "e", "f"]], [1.0, 1.0, 2.0]
    )
    assert other.reports == dataset.reports
    assert other.fingerprint != dataset.fingerprint


def test_a_study_of_two_images_has_the_captions_of_both(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save(tmp_path / name)
    rows = [
        {"image": name, "report": ["x", "y"], "study": "s"}
        for name in ("a.png", "b.png")
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = load_dataset(
        "table", path=tmp_path / "a.jsonl", group="study", relevance="same-study"
    )
    assert facts(dataset) == {
        "reports": ["x", "y"],
        "image_groups": [0, 0],
        "report_groups": [0, 0],
    }
    rows[1]["report"] = ["x"]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(
        DatasetError, match="another one for the same study in row 2 of its table"
    ):
        load_dataset("table", path=tmp_path / "a.jsonl", group="study")
