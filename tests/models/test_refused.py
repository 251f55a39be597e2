"""Damaged checkpoints: one sentence of our own, with the advice that fits its cause."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import NotOnThisMachineError

from .checkpoints import save_biomedclip, save_clip, save_open_clip, save_siglip
from .refusals import CANARY, load, refused, write_settings

DAMAGES: dict[str, Callable[[Path], object]] = {
    "weights cut": lambda folder: _cut(folder / "model.safetensors"),
    "weights empty": lambda folder: (folder / "model.safetensors").write_bytes(b""),
    "header of terabytes": (
        lambda folder: (folder / "model.safetensors").write_bytes(
            struct.pack("<Q", 1 << 42)
        )
    ),
    "tensor of terabytes": lambda folder: _declare_terabytes(
        folder / "model.safetensors"
    ),
    "weights gone": lambda folder: _remove(folder, "model.safetensors"),
    "pickled payload": lambda folder: _payload(folder),
    "config no JSON": lambda folder: (folder / "config.json").write_text("{"),
    "config a list": lambda folder: (folder / "config.json").write_text("[]"),
    "config of an unknown type": (
        lambda folder: (folder / "config.json").write_text('{"model_type": "no-such"}')
    ),
    "config without a type": lambda folder: (folder / "config.json").write_text("{}"),
    "config of words": lambda folder: write_settings(
        folder / "config.json", text_config={"vocab_size": "many"}
    ),
    "processor no JSON": (
        lambda folder: (folder / "preprocessor_config.json").write_text("{")
    ),
    "processor of an unknown type": lambda folder: write_settings(
        folder / "preprocessor_config.json", image_processor_type="NoSuchProcessor"
    ),
    "tokenizer no JSON": lambda folder: (folder / "tokenizer.json").write_text("{"),
    "tokenizer of words": (
        lambda folder: (folder / "tokenizer.json").write_text(
            '{"model": {"type": "none"}}'
        )
    ),
    "tokenizer gone": lambda folder: _remove(folder, "*token*"),
    # transformers 4 also writes its special tokens into a file of their own.
    "tokenizer without padding": lambda folder: _remove(folder, "*token*[gp].json"),
    "index out of the folder": (
        lambda folder: (folder / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"a": "../../dev/zero"}})
        )
    ),
}


def _remove(folder: Path, pattern: str) -> None:
    for file in folder.glob(pattern):
        file.unlink()


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _declare_terabytes(file: Path) -> None:
    header = json.dumps(
        {
            "logit_scale": {
                "dtype": "F32",
                "shape": [1 << 40],
                "data_offsets": [0, 1 << 42],
            }
        }
    ).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header)


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch ran",))


def _payload(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"logit_scale": Payload()}))


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("save", [save_clip, save_siglip])
def test_a_damaged_folder_is_refused_in_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    save: Callable[[Path], Path],
    damage: Callable[[Path], object],
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = save(tmp_path / CANARY / "model")
    damage(folder)
    refused(lambda: load(folder))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "member", ["open_clip_model.safetensors", "open_clip_config.json"]
)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"model_cfg": {"embed_dim": "x"}}',
        struct.pack("<Q", 1 << 42),
    ],
)
def test_a_damaged_open_clip_folder_is_refused_in_a_sentence(
    tmp_path: Path, member: str, content: bytes
) -> None:
    folder = save_open_clip(tmp_path / CANARY / "model")
    (folder / member).write_bytes(content)
    refused(lambda: load(folder))


def test_a_payload_in_place_of_weights_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _payload(save_clip(tmp_path / "model"))
    message = refused(lambda: load(tmp_path / "model"))
    # Before torch 2.6, transformers reads no pickle at all.
    assert "a pickle that asks for" in message or "are a pickle" in message


MEMBERS = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
)


@pytest.mark.parametrize(
    "member", [*MEMBERS, "README.md", "special_tokens_map.json", "chat_template.jinja"]
)
@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_a_member_that_never_ends_is_refused(
    tmp_path: Path, member: str, kind: str
) -> None:
    folder = save_clip(tmp_path / CANARY / "model")
    (folder / member).unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(folder / member)
    else:
        (folder / member).symlink_to("/dev/zero")
    if member == "config.json":
        with pytest.raises(NotOnThisMachineError, match="without one"):
            load(folder)
    else:
        assert f"got {member}, which is a FIFO, a device" in refused(
            lambda: load(folder)
        )


def test_a_tokenizers_folder_that_never_ends_is_refused(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.mkdir()
    os.mkfifo(words / "tokenizer_config.json")
    model = save_siglip(tmp_path / "model")
    open_clip_model = save_biomedclip(tmp_path / "open")
    refused(
        lambda: load_model("medsiglip", checkpoint=model, tokenizer=words, device="cpu")
    )
    refused(
        lambda: load_model(
            "biomedclip", checkpoint=open_clip_model, tokenizer=words, device="cpu"
        )
    )


@pytest.mark.parametrize("name", ["weights.pt", "zero"])
def test_a_checkpoint_file_that_never_ends_is_refused(
    tmp_path: Path, name: str
) -> None:
    os.mkfifo(tmp_path / "weights.pt")
    file = Path("/dev/zero") if name == "zero" else tmp_path / name
    message = refused(lambda: load_model("cxr-repair", checkpoint=file, device="cpu"))
    assert f"got checkpoint='{name}', which is a FIFO, a device" in message
