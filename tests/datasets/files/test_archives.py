"""WebDataset shards and Hugging Face folders."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.errors import ConfigError, DatasetError, UnreadableImageError

from .trees import picture


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, "PNG")
    return buffer.getvalue()


def shard(file: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(file, "w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


def samples(first: int, count: int) -> list[tuple[str, bytes]]:
    members = []
    for number in range(first, first + count):
        fields = {"report": f"Report {number}.", "study": f"s{number // 2 * 2}", "patient": f"p{number // 4}"}
        members += [
            (f"cxr/{number:04d}.png", png(number)),
            (f"cxr/{number:04d}.txt", f"Text {number}.\n".encode()),
            (f"cxr/{number:04d}.json", json.dumps(fields).encode()),
        ]
    return members


@pytest.mark.parametrize("pattern", ["", "test-{000..001}.tar", "test-*.tar"])
def test_shards(tmp_path: Path, pattern: str) -> None:
    shard(tmp_path / "test-000.tar", samples(0, 3))
    shard(tmp_path / "test-001.tar", samples(3, 2))
    dataset: Any = load_dataset("webdataset", path=tmp_path / pattern)
    assert list(dataset.image_ids) == [f"cxr/{number:04d}" for number in range(5)]
    assert list(dataset.reports) == [f"Text {number}." for number in range(5)]
    for number in range(5):
        assert np.array_equal(np.asarray(dataset.image(number)), np.asarray(picture(number)))


def test_fields_of_a_json(tmp_path: Path) -> None:
    shard(tmp_path / "a.tar", samples(0, 4))
    dataset = load_dataset("webdataset", path=tmp_path / "a.tar", text="report", patient="patient")
    assert list(dataset.reports)[:2] == ["Report 0.", "Report 1."]
    assert list(dataset.patients) == ["p0"] * 4
    with pytest.raises(DatasetError, match="another one for the same study in sample 2 of shard 1"):
        load_dataset("webdataset", path=tmp_path / "a.tar", text="report", group="study")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("../a.png", b"x"), ("../a.txt", b"x")], "leads out of it in the name of member 1 of shard 1"),
        ([("/a.png", b"x")], "leads out of it in the name of member 1"),
        ([("a.txt", b"x")], "Expected an image .* in sample 1 of shard 1, got members of kind txt"),
        ([("a.png", png(0)), ("a.txt", b"\xff\xfe")], "in UTF-8, got another encoding in a .txt of sample 1 of shard 1"),
        ([("a.png", png(0))], "Expected a .txt member .* in sample 1 of shard 1, got none"),
        (
            [
                ("a.png", png(0)),
                ("a.txt", b"x"),
                ("b.png", png(0)),
                ("b.txt", b"x"),
                ("a.png", png(0)),
                ("a.txt", b"x"),
            ],
            "the key of sample 1 of shard 1 again in sample 3 of shard 1",
        ),
    ],
)
def test_bad_shards(tmp_path: Path, members: list[tuple[str, bytes]], said: str) -> None:
    shard(tmp_path / "a.tar", members)
    with pytest.raises(DatasetError, match=said):
        load_dataset("webdataset", path=tmp_path)


def test_bad_json_repeats_none_of_it(tmp_path: Path) -> None:
    shard(tmp_path / "a.tar", [("a.png", png(0)), ("a.json", b'{"report": "Mr Smith')])
    with pytest.raises(DatasetError, match="JSONDecodeError in sample 1 of shard 1") as caught:
        load_dataset("webdataset", path=tmp_path, text="report")
    assert "Smith" not in str(caught.value)
    shard(tmp_path / "a.tar", [("a.png", png(0)), ("a.json", b'{"caption": "x"}')])
    with pytest.raises(DatasetError, match="none with 'report'"):
        load_dataset("webdataset", path=tmp_path, text="report")


def test_compressed_cut_and_missing_shards(tmp_path: Path) -> None:
    whole = shard(tmp_path / "a.tar", samples(0, 3)).read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:2000])
    with pytest.raises(DatasetError, match="whole archive, got ReadError in shard 1"):
        load_dataset("webdataset", path=tmp_path)
    import gzip

    (tmp_path / "a.tar").write_bytes(gzip.compress(whole))
    with pytest.raises(DatasetError, match="whole archive"):
        load_dataset("webdataset", path=tmp_path)
    with pytest.raises(DatasetError, match="Expected .tar shards"):
        load_dataset("webdataset", path=tmp_path / "b-{00..03}.tar")
    with pytest.raises(DatasetError, match="Expected path="):
        load_dataset("webdataset")


def test_a_broken_image_in_a_shard(tmp_path: Path) -> None:
    shard(tmp_path / "a.tar", [("a.png", png(0)[:100]), ("a.txt", b"x")])
    with pytest.raises(UnreadableImageError, match="sample 1 of shard 1"):
        load_dataset("webdataset", path=tmp_path).image(0)


def hugging_face(folder: Path, *, split: bool) -> str:
    rows = {
        "image": [picture(number).convert("L") for number in range(3)],
        "text": ["Clear.", "Clear.", "Effusion."],
        "subject": ["p0", "p0", "p1"],
    }
    features = datasets.Features(
        {"image": datasets.Image(), "text": datasets.Value("string"), "subject": datasets.Value("string")}
    )
    made = datasets.Dataset.from_dict(rows, features=features)
    (datasets.DatasetDict({"test": made}) if split else made).save_to_disk(str(folder))
    return str(folder)


@pytest.mark.parametrize("split", [True, False])
def test_a_folder_of_save_to_disk(tmp_path: Path, split: bool) -> None:
    path = hugging_face(tmp_path / "saved", split=split)
    dataset = load_dataset("hugging-face", path=path, patient="subject")
    assert (list(dataset.image_ids), list(dataset.reports)) == (["0", "1", "2"], ["Clear.", "Effusion."])
    assert list(dataset.patients) == ["p0", "p0", "p1"]
    assert np.array_equal(np.asarray(dataset.image(2)), np.asarray(picture(2)))
    with pytest.raises((DatasetError, ConfigError), match="Did you mean 'text'"):
        load_dataset("hugging-face", path=path, text="texts")
    if split:
        with pytest.raises(DatasetError, match="Known: test"):
            load_dataset("hugging-face", path=path, split="validation")


def test_a_folder_of_parquet_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    made = datasets.load_from_disk(hugging_face(tmp_path / "saved", split=False))
    assert isinstance(made, datasets.Dataset)
    (tmp_path / "parquet").mkdir()
    made.to_parquet(str(tmp_path / "parquet/test-00000-of-00001.parquet"))
    dataset = load_dataset("hugging-face", path=str(tmp_path / "parquet"))
    assert list(dataset.reports) == ["Clear.", "Effusion."]
    assert isinstance(dataset.image(1), Image.Image)


def test_no_such_hugging_face_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DatasetError, match="Expected a data set with split='test' for hugging-face"):
        load_dataset("hugging-face", path=str(tmp_path / "nothing"))
    import sys

    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DatasetError, match=r"robust\[huggingface\]"):
        load_dataset("hugging-face", path=str(tmp_path))
