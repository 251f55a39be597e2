"""WebDataset shards and Hugging Face folders."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import (
    ConfigError,
    DatasetError,
    UnreadableImageError,
)

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
        fields = {
            "report": f"Report {number}.",
            "study": f"s{number // 2 * 2}",
            "patient": f"p{number // 4}",
        }
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
        assert np.array_equal(
            np.asarray(dataset.image(number)), np.asarray(picture(number))
        )


def test_fields_of_a_json(tmp_path: Path) -> None:
    shard(tmp_path / "a.tar", samples(0, 4))
    dataset = load_dataset(
        "webdataset", path=tmp_path / "a.tar", text="report", patient="patient"
    )
    assert list(dataset.reports)[:2] == ["Report 0.", "Report 1."]
    assert list(dataset.patients) == ["p0"] * 4
    with pytest.raises(
        DatasetError, match="another one for the same study in sample 2 of shard 1"
    ):
        load_dataset(
            "webdataset", path=tmp_path / "a.tar", text="report", group="study"
        )


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (
            [("../a.png", b"x"), ("../a.txt", b"x")],
            "leads out of it in the name of member 1 of shard 1",
        ),
        ([("/a.png", b"x")], "leads out of it in the name of member 1"),
        (
            [("a.txt", b"x")],
            "Expected an image .* in sample 1 of shard 1, got members of kind txt",
        ),
        (
            [("a.png", png(0)), ("a.txt", b"\xff\xfe")],
            "in UTF-8, got another encoding in a .txt of sample 1 of shard 1",
        ),
        (
            [("a.png", png(0))],
            "Expected a .txt member .* in sample 1 of shard 1, got none",
        ),
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
def test_bad_shards(
    tmp_path: Path, members: list[tuple[str, bytes]], said: str
) -> None:
    shard(tmp_path / "a.tar", members)
    with pytest.raises(DatasetError, match=said):
        load_dataset("webdataset", path=tmp_path)


def test_bad_json_repeats_none_of_it(tmp_path: Path) -> None:
    shard(tmp_path / "a.tar", [("a.png", png(0)), ("a.json", b'{"report": "Mr Smith')])
    with pytest.raises(
        DatasetError, match="JSONDecodeError in sample 1 of shard 1"
    ) as caught:
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
        {
            "image": datasets.Image(),
            "text": datasets.Value("string"),
            "subject": datasets.Value("string"),
        }
    )
    made = datasets.Dataset.from_dict(rows, features=features)
    (datasets.DatasetDict({"test": made}) if split else made).save_to_disk(str(folder))
    return str(folder)


@pytest.mark.parametrize("split", [True, False])
def test_a_folder_of_save_to_disk(tmp_path: Path, split: bool) -> None:
    path = hugging_face(tmp_path / "saved", split=split)
    dataset = load_dataset("hugging-face", path=path, patient="subject")
    assert (list(dataset.image_ids), list(dataset.reports)) == (
        ["0", "1", "2"],
        ["Clear.", "Effusion."],
    )
    assert list(dataset.patients) == ["p0", "p0", "p1"]
    assert np.array_equal(np.asarray(dataset.image(2)), np.asarray(picture(2)))
    with pytest.raises((DatasetError, ConfigError), match="Did you mean 'text'"):
        load_dataset("hugging-face", path=path, text="texts")
    if split:
        with pytest.raises(DatasetError, match="Known: test"):
            load_dataset("hugging-face", path=path, split="validation")


def test_a_folder_of_parquet_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    made = datasets.load_from_disk(hugging_face(tmp_path / "saved", split=False))
    assert isinstance(made, datasets.Dataset)
    (tmp_path / "parquet").mkdir()
    made.to_parquet(str(tmp_path / "parquet/test-00000-of-00001.parquet"))
    dataset = load_dataset("hugging-face", path=str(tmp_path / "parquet"))
    assert list(dataset.reports) == ["Clear.", "Effusion."]
    assert isinstance(dataset.image(1), Image.Image)


def test_a_damaged_hugging_face_folder_is_refused_and_its_path_is_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "CANARYDOE"
    folder.mkdir()
    (folder / "test.parquet").write_bytes(b"")
    with pytest.raises(
        DatasetError, match="Expected a data set in the folder"
    ) as caught:
        load_dataset("hugging-face", path=str(folder))
    assert "CANARYDOE" not in f"{caught.value}{caplog.text}"


def test_no_such_hugging_face_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        DatasetError, match="Expected a data set with split='test' for hugging-face"
    ):
        load_dataset("hugging-face", path=str(tmp_path / "nothing"))
    import sys

    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DatasetError, match=r"robust\[huggingface\]"):
        load_dataset("hugging-face", path=str(tmp_path))


def test_the_image_of_a_sample_is_the_one_without_a_further_name(
    tmp_path: Path,
) -> None:
    members = [
        ("a.lungs.png", png(8)),
        ("a.mask.png", png(9)),
        ("a.png", png(1)),
        ("a.txt", b"x"),
    ]
    shard(tmp_path / "a.tar", members)
    image = load_dataset("webdataset", path=tmp_path).image(0)
    assert np.array_equal(np.asarray(image), np.asarray(picture(1)))
    shard(tmp_path / "a.tar", [("a.image.png", png(2)), ("a.txt", b"x")])
    assert np.array_equal(
        np.asarray(load_dataset("webdataset", path=tmp_path).image(0)),
        np.asarray(picture(2)),
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ["a.png", "a.png"],
            (
                "Expected each member of a sample once, got a second one of kind .png"
                " in sample 1"
            ),
        ),
        (["a.PNG", "a.png"], "got a second one of kind .png in sample 1"),
        (["a.png", "a.jpg"], "Expected one image in sample 1 of shard 1, got 2"),
        (
            ["a.left.png", "a.right.png"],
            "Expected one image in sample 1 of shard 1, got 2",
        ),
        (["1.2.840.png", "1.2.841.png"], "Expected one image in sample 1"),
    ],
)
def test_samples_of_several_images_are_refused(
    tmp_path: Path, names: list[str], said: str
) -> None:
    shard(
        tmp_path / "a.tar",
        [*((name, png(number)) for number, name in enumerate(names)), ("a.txt", b"x")],
    )
    with pytest.raises(DatasetError, match=said):
        load_dataset("webdataset", path=tmp_path)


def test_members_that_belong_to_no_sample_are_passed_over(tmp_path: Path) -> None:
    members = [
        ("README", b"x"),
        (".DS_Store", b"x"),
        ("__meta__.json", b"{}"),
        ("._a.png", b"x"),
        ("a.png", png(1)),
    ]
    members += [("._a.txt", b"x"), ("a.txt", b"A text."), ("cxr/.hidden.json", b"{}")]
    shard(tmp_path / "a.tar", members)
    dataset: Any = load_dataset("webdataset", path=tmp_path)
    assert (list(dataset.image_ids), list(dataset.reports)) == (["a"], ["A text."])
    assert dataset.counts["members that belong to no sample"] == 6


def test_samples_are_those_of_the_webdataset_package(tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset")
    members = [
        ("README", b"x"),
        ("._a.png", b"x"),
        ("a.mask.png", png(8)),
        ("a.png", png(1)),
        ("a.txt", b"A."),
    ]
    members += [("d/b.png", png(2)), ("d/b.txt", b"B.")]
    shard(tmp_path / "a.tar", members)
    expected = list(
        wds.WebDataset(str(tmp_path / "a.tar"), shardshuffle=False).to_tuple(
            "__key__", "png", "txt"
        )
    )
    dataset = load_dataset("webdataset", path=tmp_path)
    assert list(dataset.image_ids) == [key for key, _, _ in expected]
    assert list(dataset.reports) == [text.decode() for _, _, text in expected]
    for number, (_, content, _) in enumerate(expected):
        assert np.array_equal(
            np.asarray(dataset.image(number)),
            np.asarray(Image.open(io.BytesIO(content))),
        )


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_shard_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "a.tar"
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    else:
        file.mkdir()
    with pytest.raises(
        DatasetError, match=f"(?i)Expected an archive as shard 1, got a {kind}"
    ):
        load_dataset("webdataset", path=tmp_path / "*.tar")


def test_a_header_that_claims_terabytes(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo("a.png")
        member.size = 1 << 43
        archive.addfile(member)  # no content
        long_name = tarfile.TarInfo("long")
        long_name.type = tarfile.GNUTYPE_LONGNAME
        long_name.size = 1 << 40
        (tmp_path / "b.tar").write_bytes(
            long_name.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)
        )
    for name in ("a.tar", "b.tar"):
        with pytest.raises(DatasetError, match="shard 1"):
            load_dataset("webdataset", path=tmp_path / name)


def test_a_shard_that_was_cut_between_two_samples(tmp_path: Path) -> None:
    """tarfile, and webdataset, take what is there for all there is."""
    whole = shard(tmp_path / "a.tar", samples(0, 2)).read_bytes()
    second = whole.index(b"cxr/0001.png")
    (tmp_path / "a.tar").write_bytes(whole[:second])
    with pytest.raises(
        DatasetError,
        match=(
            "Expected a whole archive, got shard 1 without the blank block that ends it"
        ),
    ):
        load_dataset("webdataset", path=tmp_path)


def test_patterns_of_a_billion_shards(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Expected at most 100000 shards"):
        load_dataset("webdataset", path=tmp_path / "a-{0..999999999}.tar")


def test_sparse_members_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.pax_headers = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.realsize": "99999999999",
        }
        member.size = 512
        archive.addfile(member, io.BytesIO(b"1\n0\n512\n".ljust(512, b"\0")))
    with pytest.raises(DatasetError, match="shard 1"):
        load_dataset("webdataset", path=tmp_path)


@given(data=st.data())
def test_damaged_shards_are_read_or_refused(
    data: st.DataObject, tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(shard(folder / "a.tar", samples(0, 2)).read_bytes()[:8192])
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[position] = data.draw(st.integers(0, 255))
    (folder / "a.tar").write_bytes(
        bytes(content[: data.draw(st.integers(0, len(content)))])
    )
    problem = None
    try:
        dataset = load_dataset("webdataset", path=folder)
        for number in range(len(dataset.image_ids)):
            dataset.image(number)
    except DatasetError as error:
        problem = error
    if problem is not None:
        assert problem.__cause__ is None
        assert problem.__context__ is None
        assert not any(word in str(problem) for word in ("cxr", "0000.", "Text"))


def image_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(2):
        (folder / f"{number}.png").write_bytes(png(number))
    (folder / "metadata.csv").write_text("file_name,text\n0.png,One.\n1.png,Two.\n")
    return folder


def test_the_only_split_of_a_hugging_face_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = str(image_folder(tmp_path / "images"))
    for options in ({}, {"split": "train"}):
        dataset = load_dataset("hugging-face", path=folder, **options)
        assert dataset.split == "train"
        assert list(dataset.reports) == ["One.", "Two."]
        assert np.array_equal(np.asarray(dataset.image(1)), np.asarray(picture(1)))
    with pytest.raises(DatasetError, match=r"got .*'valid'. Known: train.$"):
        load_dataset("hugging-face", path=folder, split="valid")


def test_one_of_several_splits_has_to_be_named_unless_one_is_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    for split in ("train", "validation"):
        image_folder(tmp_path / "two" / split)
        image_folder(tmp_path / "three" / split)
    image_folder(tmp_path / "three" / "test")
    with pytest.raises(DatasetError, match="Choose one of train, validation"):
        load_dataset("hugging-face", path=str(tmp_path / "two"))
    assert load_dataset("hugging-face", path=str(tmp_path / "three")).split == "test"


def test_a_single_saved_split_keeps_its_own_name(tmp_path: Path) -> None:
    made = datasets.load_from_disk(hugging_face(tmp_path / "plain", split=False))
    named = datasets.Dataset(made.data, made.info, split=datasets.NamedSplit("valid"))
    named.save_to_disk(str(tmp_path / "named"))
    assert load_dataset("hugging-face", path=str(tmp_path / "named")).split == "valid"
    with pytest.raises(DatasetError, match="Known: valid"):
        load_dataset("hugging-face", path=str(tmp_path / "named"), split="test")


@pytest.mark.parametrize("name", ["test.parquet", "data.csv", "below/a.arrow"])
def test_a_fifo_in_a_hugging_face_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "saved" / name).parent.mkdir(parents=True)
    os.mkfifo(tmp_path / "saved" / name)
    with pytest.raises(DatasetError, match="got a FIFO, a device or a socket"):
        load_dataset("hugging-face", path=str(tmp_path / "saved"))


def test_a_damaged_hugging_face_folder(tmp_path: Path) -> None:
    path = Path(hugging_face(tmp_path / "saved", split=False))
    (arrow,) = path.glob("*.arrow")
    arrow.write_bytes(arrow.read_bytes()[:200])
    with pytest.raises(
        DatasetError, match="when it was opened|while it was read"
    ) as caught:
        load_dataset("hugging-face", path=str(path))
    assert "saved" not in str(caught.value)
    assert caught.value.__context__ is None
