"""Checkpoint files are read without running them, from whatever container they are published in."""

from __future__ import annotations

import argparse
import errno
import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pytest_retrieval_robust.core.errors import ModelError, NotOnThisMachineError
from pytest_retrieval_robust.models._files import archives
from pytest_retrieval_robust.models._files.weights_file import read_weights, weights_in

from . import published

WEIGHTS = {
    "a.weight": torch.arange(6.0).reshape(2, 3),
    "b.bias": torch.ones(70_000),
    "counter": torch.tensor(3),
}


def read(file: Path) -> dict[str, torch.Tensor]:
    with read_weights("a model", file) as stored:
        return {
            key: stored.take(tensor)
            for key, tensor in weights_in(stored.content).items()
        }


def assert_same(tensors: dict[str, torch.Tensor]) -> None:
    assert tensors.keys() == WEIGHTS.keys()
    assert all(
        torch.equal(tensors[key], tensor) and tensors[key].dtype == tensor.dtype
        for key, tensor in WEIGHTS.items()
    )


def saved(file: Path, content: Any = WEIGHTS, **options: Any) -> Path:
    torch.save(content, file, **options)
    return file


def test_every_container_gives_the_same_tensors(tmp_path: Path) -> None:
    plain = saved(tmp_path / "pytorch_model.bin")
    assert_same(read(plain))
    assert_same(read(tmp_path))  # the folder that holds it
    assert_same(read(saved(tmp_path / "old.pt", _use_new_zipfile_serialization=False)))
    assert_same(
        read(saved(tmp_path / "training.ckpt", {"state_dict": WEIGHTS, "epoch": 3}))
    )
    save_file(WEIGHTS, tmp_path / "weights.safetensors")
    assert_same(read(tmp_path / "weights.safetensors"))
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "published.zip", "w", kind) as archive:
            archive.write(plain, "folder/pytorch_model.bin")
            archive.writestr("folder/vocab.txt", "[PAD]")
        assert_same(read(tmp_path / "published.zip"))
    for mode in ("w", "w:gz"):
        with tarfile.open(tmp_path / "published.tar", mode) as tar:
            tar.add(plain, "inner/model-best.tar")
        assert_same(read(tmp_path / "published.tar"))


def test_tied_tensors_survive(tmp_path: Path) -> None:
    """Two keys on one storage: the first is copied out before the second is read."""
    table = torch.arange(100_000.0)
    tensors = read(
        saved(
            tmp_path / "tied.pt",
            {"first": table, "second": table, "part": table[5000:50_000]},
        )
    )
    assert torch.equal(tensors["first"], table)
    assert torch.equal(tensors["second"], table)
    assert torch.equal(tensors["part"], table[5000:50_000])


def test_settings_objects_need_no_library() -> None:
    with read_weights(
        "cxr-clip", published.PARITY / "cxrclip_container_stub.tar"
    ) as stored:
        assert list(weights_in(stored.content)) == ["logit_scale"]
        scale = stored.content["config"]["transform"]["train"]["RandomResizedCrop"][
            "scale"
        ]
    assert type(scale).__name__ == "ListConfig"
    assert vars(scale) == {}


def test_metrics_and_settings_beside_the_weights_are_no_hindrance(
    tmp_path: Path,
) -> None:
    beside = {
        "best": np.float64(0.5),
        "curve": np.arange(3),
        "args": argparse.Namespace(lr=1e-4),
        "at": tmp_path,
    }
    assert_same(
        read(saved(tmp_path / "training.pt", {"model": WEIGHTS, "metrics": beside}))
    )


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("new_format", [True, False])
def test_a_pickle_that_would_run_code_is_refused(
    tmp_path: Path, new_format: bool
) -> None:
    mark = tmp_path / "ran"
    file = saved(
        tmp_path / "evil.pt",
        {**WEIGHTS, "x": Evil(mark)},
        _use_new_zipfile_serialization=new_format,
    )
    with pytest.raises(ModelError, match=r"evil\.pt.*mkdir.*could run its code"):
        read(file)
    assert not mark.exists()


def test_an_allowed_name_does_not_open_the_door(tmp_path: Path) -> None:
    """The inert classes keep nothing, and hide nothing that stands inside them."""
    (tmp_path / "evil.bin").write_bytes(pickle.dumps({"a": Evil(tmp_path / "ran")}))
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.write(tmp_path / "evil.bin", "pytorch_model.bin")
    with pytest.raises(ModelError):
        read(tmp_path / "model.zip")
    assert not (tmp_path / "ran").exists()


def test_a_tar_of_the_first_torch_runs_nothing(tmp_path: Path) -> None:
    """torch before 2.6 unpickles it without asking, `weights_only` or not."""
    with tarfile.open(tmp_path / "evil.bin", "w") as tar:
        for name in ("storages", "tensors", "pickle"):
            content = pickle.dumps(Evil(tmp_path / "ran"))
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    # Inside of another archive, so that it is not read as one itself.
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.write(tmp_path / "evil.bin", "pytorch_model.bin")
    for file in ("evil.bin", "model.zip"):
        with pytest.raises(ModelError):
            read(tmp_path / file)
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_torchscript_is_code(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "ViT-B-32.pt")
    with pytest.raises(ModelError, match=r"TorchScript.*hf:openai"):
        read(tmp_path / "ViT-B-32.pt")


@pytest.mark.parametrize("members", [[], ["a.bin", "b.pt"]])
def test_an_archive_must_hold_one_weights_file(
    tmp_path: Path, members: list[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "published.zip", "w") as archive:
        for member in [*members, "README.md"]:
            archive.writestr(member, "text")
    with pytest.raises(
        ModelError, match=rf"with {len(members)} of {len(members) + 1} members"
    ):
        read(tmp_path / "published.zip")


@pytest.mark.parametrize("suffix", ["bin", "safetensors", "zip"])
def test_what_is_no_weights_file(tmp_path: Path, suffix: str) -> None:
    for number, content in enumerate(
        (b"", b"<!DOCTYPE html><html>404</html>", b"PK\x03\x04 cut", bytes(1000))
    ):
        file = tmp_path / f"{number}.{suffix}"
        file.write_bytes(content)
        with pytest.raises(
            ModelError, match=rf"{number}\.{suffix} of {len(content)} bytes|refused"
        ):
            read(file)
    saved(tmp_path / "list.pt", [1, 2])
    with pytest.raises(ModelError, match="a dictionary of weights"):
        read(tmp_path / "list.pt")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotOnThisMachineError, match=r"nowhere\.pt"):
        read(tmp_path / "nowhere.pt")
    with pytest.raises(ModelError, match="with 0"):
        read(tmp_path)


# Damage, and what never ends


def refused(file: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read(file)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert str(file.parent) not in str(caught.value)
    return str(caught.value)


def packed(folder: Path, kind: str, content: bytes) -> Path:
    """One weights file in an archive."""
    (folder / "weights.bin").write_bytes(content)
    if kind == "zip":
        with zipfile.ZipFile(folder / "made.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(folder / "weights.bin", "weights.bin")
        return folder / "made.zip"
    mode: Any = f"w:{kind}"
    with tarfile.open(folder / "made.tar", mode) as tar:
        tar.add(folder / "weights.bin", "weights.bin")
    return folder / "made.tar"


CONTAINERS = ("torch", "legacy", "zip", "", "gz", "bz2", "xz", "safetensors")


def made(folder: Path, kind: str) -> Path:
    file = folder / ("weights.safetensors" if kind == "safetensors" else "plain.pt")
    if kind == "safetensors":
        save_file(WEIGHTS, file)
        return file
    saved(file, _use_new_zipfile_serialization=kind != "legacy")
    return (
        file if kind in ("torch", "legacy") else packed(folder, kind, file.read_bytes())
    )


@pytest.mark.parametrize("kind", CONTAINERS)
def test_every_container_is_read_whole(tmp_path: Path, kind: str) -> None:
    assert_same(read(made(tmp_path, kind)))


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_damaged_container_is_an_error_of_ours(tmp_path: Path, kind: str) -> None:
    """Whatever byte is changed or cut: the weights, or one sentence."""
    whole = made(tmp_path, kind).read_bytes()
    random = np.random.default_rng(len(kind))
    refusals: list[ModelError] = []
    for number in range(40):
        changed = bytearray(whole)
        near = (
            len(whole) if number % 2 else min(len(whole), 2000)
        )  # headers lie at the beginning
        for position in random.integers(0, near, 1 + number % 5):
            changed[position] = random.integers(256)
        if number % 4 == 3:
            del changed[int(random.integers(len(changed))) :]
        file = tmp_path / f"changed.{'safetensors' if kind == 'safetensors' else 'pt'}"
        file.write_bytes(bytes(changed))
        try:
            read(file)
        except ModelError as error:
            refusals.append(error)
    assert all(error.__cause__ is error.__context__ is None for error in refusals)
    assert all(str(error).startswith("Expected ") for error in refusals)
    assert refusals


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz"])
def test_what_unpacks_without_end_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_LEAST_LIMIT", 1 << 20)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    bomb = packed(tmp_path, kind, bytes(1 << 25))
    (tmp_path / "weights.bin").unlink()
    assert "unpack to at most" in refused(bomb)
    assert [file.name for file in tmp_path.iterdir()] == [
        bomb.name
    ]  # nothing is left behind


def test_a_list_of_members_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_LEAST_LIMIT", 1 << 20)
    with tarfile.open(tmp_path / "made.tar", "w:gz", compresslevel=9) as tar:
        for number in range(5000):
            entry = tarfile.TarInfo(f"{number}.txt")
            entry.size = 512
            tar.addfile(entry, io.BytesIO(bytes(512)))
    assert "unpack to at most" in refused(tmp_path / "made.tar")


def test_torchs_own_zip_is_never_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_LEAST_LIMIT", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 25))
    assert "unpack to at most" in refused(tmp_path / "bomb.pt")


def test_a_full_temporary_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = made(tmp_path, "zip")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives, "copy_at_most", full)
    assert "Set TMPDIR to a folder with room" in refused(archive)


def test_foreign_texts_are_withheld(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise SystemExit("Mr Doe. FINDINGS: effusion")

    monkeypatch.setattr("torch.load", broken)
    message = refused(saved(tmp_path / "weights.pt"))
    assert "SystemExit" in message
    assert "Doe" not in message


@pytest.mark.parametrize(
    "content",
    [
        {"net": WEIGHTS, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}},
        {"state_dict": {"model": WEIGHTS}, "epoch": 3},
        {"module": WEIGHTS, "args": {}},
        dict[Any, Any]({3: torch.zeros(1)}) | WEIGHTS,
    ],
)
def test_weights_are_found_where_training_code_keeps_them(
    tmp_path: Path, content: dict[Any, Any]
) -> None:
    assert_same(read(saved(tmp_path / "weights.pt", content)))


def test_a_mapping_that_holds_itself_ends() -> None:
    content: dict[str, Any] = {"x": torch.zeros(1)}
    content["model"] = content
    assert list(weights_in(content)) == ["x"]
    deep: dict[str, Any] = {}
    for _ in range(10_000):
        deep = {"model": deep}
    assert weights_in(deep) == {}
