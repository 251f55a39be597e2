"""KEEP, DermLIP PanDerm and BMC-LongCLIP against their authors' forward passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.errors import (
    ConfigError,
    ModelError,
    NotOnThisMachineError,
)
from pytest_retrieval_robust.models import LoadRequest, truncated_by

from . import beyond_chest, published
from .checkpoints import put_into_hub_cache

LONG = " ".join(published.TEXTS)
TEXTS = (*published.TEXTS, LONG)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


@dataclass(frozen=True)
class System:
    """How a system is published, and what its authors compute."""

    repository: str
    file: str
    save: Callable[[Path], beyond_chest.Reference]
    rows: Callable[[beyond_chest.Reference, Tensor, Any], list[Tensor]]
    constants: tuple[tuple[float, ...], tuple[float, ...]]
    context: int
    side: int
    licence: str | None
    is_tokenizer_beside: bool


SYSTEMS = {
    "keep": System(
        repository="Astaxanthin/KEEP",
        file="pytorch_model.bin",
        save=beyond_chest.keep,
        rows=beyond_chest.keep_rows,
        constants=IMAGENET,
        context=64,
        side=32,
        licence="MIT",
        is_tokenizer_beside=True,
    ),
    "dermlip-panderm": System(
        repository="redlessone/DermLIP_PanDerm-base-w-PubMed-256",
        file="open_clip_model.safetensors",
        save=beyond_chest.panderm,
        rows=beyond_chest.panderm_rows,
        constants=CLIP,
        context=64,
        side=32,
        licence="CC BY-NC 4.0 (non-commercial)",
        is_tokenizer_beside=True,
    ),
    "bmc-longclip": System(
        repository="BIOMEDICA/BMC-LongCLIP",
        # No page that names it was found: any will do.
        file="whatever_they_named_it.pt",
        save=beyond_chest.longclip,
        rows=beyond_chest.longclip_rows,
        constants=CLIP,
        context=512,
        side=28,
        licence=None,
        is_tokenizer_beside=False,
    ),
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of this test's own."""
    cache = tmp_path / "cache"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    return cache


def publish(system: System, folder: Path) -> beyond_chest.Reference:
    """The files of the repository, and beside them what the authors make of them."""
    words = folder if system.is_tokenizer_beside else folder.with_name("words")
    folder.mkdir(parents=True, exist_ok=True)
    reference = system.save(words)
    state = reference.state
    if system.file.endswith(".safetensors"):
        save_file(state, folder / system.file)
    elif system.file.endswith(".bin"):
        torch.save(state, folder / system.file)
    else:
        # As open_clip's training writes it.
        wrapped = {f"module.{key}": tensor for key, tensor in state.items()}
        torch.save({"epoch": 20, "state_dict": wrapped}, folder / system.file)
    return reference


@pytest.mark.parametrize("name", SYSTEMS)
def test_rows_are_the_authors_own(name: str, tmp_path: Path, hub: Path) -> None:
    system = SYSTEMS[name]
    reference = publish(system, tmp_path / "published")
    put_into_hub_cache(tmp_path / "published", hub, system.repository)
    if not system.is_tokenizer_beside:
        put_into_hub_cache(
            reference.tokenizer, hub, "thomas-sounack/BioClinical-ModernBERT-base"
        )
    model = load_model(name, device="cpu", download=False)
    prepared = [model.prepare(published.picture(number)) for number in range(6)]
    pixels = torch.from_numpy(np.stack([one.pixels for one in prepared])) / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in system.constants)
    images, texts = system.rows(reference, (pixels - mean) / std, TEXTS)
    assert (model.encode_images(pixels) - images).abs().max() < 1e-5
    assert (model.encode_reports(TEXTS) - texts).abs().max() < 1e-5
    # Texts that differ, so that the rows above had something to say.
    assert (texts @ texts.T)[0, 1] < 0.999
    card = model.card
    assert (card.source, card.revision, card.licence) == (
        f"hf:{system.repository}",
        "a" * 40,
        system.licence,
    )
    assert (card.input_size, card.context_length) == (system.side, system.context)
    assert card.unexpected_keys == card.missing_keys == ()


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_file_of_ones_own_takes_the_layouts_options(
    name: str, tmp_path: Path, hub: Path
) -> None:
    system = SYSTEMS[name]
    reference = publish(system, tmp_path / "mine")
    assert not hub.exists()
    given: dict[str, Any] = {
        "checkpoint": tmp_path / "mine" / system.file,
        "tokenizer": str(reference.tokenizer),
        "device": "cpu",
    }
    model = load_model(name, **given, context_length=16)
    assert model.card.source == f"checkpoint:{system.file}"
    assert model.card.context_length == 16
    # The last text alone has more than 16 words.
    assert truncated_by(model, TEXTS[-1:]) == 1
    with pytest.raises(ConfigError, match=f"tokens for {name}, got context_length=9"):
        load_model(name, **given, context_length=9000)


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_is_wrong_with_a_file_is_said(name: str, tmp_path: Path) -> None:
    system = SYSTEMS[name]
    reference = publish(system, tmp_path / "mine")
    state = reference.state
    lost = next(
        key for key in state if key.startswith("text") and "norm" in key.lower()
    )
    words = str(reference.tokenizer)
    torch.save({k: v for k, v in state.items() if k != lost}, tmp_path / "lost.pt")
    with pytest.raises(ModelError, match=f"missing_keys=1: {lost}"):
        load_model(name, checkpoint=tmp_path / "lost.pt", tokenizer=words, device="cpu")
    torch.save({"some.weight": torch.zeros(3, 3)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match=r"looks like nothing known here .*\(no "):
        load_model(
            name, checkpoint=tmp_path / "other.pt", tokenizer=words, device="cpu"
        )


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_file_is_known_under_another_models_name(name: str, tmp_path: Path) -> None:
    system = SYSTEMS[name]
    publish(system, tmp_path / "mine")
    with pytest.raises(ModelError, match=rf"looks like [^(]* \({name}\)"):
        load_model("plip", checkpoint=tmp_path / "mine" / system.file, device="cpu")


def test_weights_without_their_tokenizer_say_so(tmp_path: Path, hub: Path) -> None:
    system = SYSTEMS["bmc-longclip"]
    publish(system, tmp_path / "published")
    put_into_hub_cache(tmp_path / "published", hub, system.repository)
    missing = Catalogues().models.get("bmc-longclip").missing
    assert missing is not None
    reason = str(missing(LoadRequest(may_download=False)))
    assert "the tokenizer of bmc-longclip (thomas-sounack/BioClinical-" in reason
    assert missing(LoadRequest(may_download=False, tokenizer="folder")) is None
    with pytest.raises(NotOnThisMachineError, match="hf download thomas-sounack"):
        load_model("bmc-longclip", device="cpu", download=False)


def test_a_file_takes_the_vocabulary_of_the_folder_that_is_its_own(
    tmp_path: Path, hub: Path
) -> None:
    system = SYSTEMS["keep"]
    publish(system, tmp_path / "mine")
    assert not hub.exists()
    file = tmp_path / "mine" / system.file
    model = load_model("keep", checkpoint=file, device="cpu")
    folder = load_model("keep", checkpoint=file.parent, device="cpu")
    assert model.card.inputs_sha256 == folder.card.inputs_sha256
    # Beside other weights, nobody knows whose the vocabulary is.
    (file.parent / "last.ckpt").write_bytes(file.read_bytes())
    for name in (system.file, "last.ckpt"):
        with pytest.raises(
            NotOnThisMachineError,
            match=r"Expected the tokenizer of keep \(Astaxanthin/KEEP\) .*"
            r"`hf download Astaxanthin/KEEP`.*, or pass tokenizer=FOLDER",
        ):
            load_model("keep", checkpoint=file.parent / name, device="cpu")


def test_a_tokenizers_path_is_no_repository(tmp_path: Path, hub: Path) -> None:
    publish(SYSTEMS["keep"], tmp_path / "mine")
    assert not hub.exists()
    for typed in ("./words", "../words", "~/words"):
        with pytest.raises(NotOnThisMachineError, match="no such folder. Fix the path"):
            load_model(
                "keep", checkpoint=tmp_path / "mine", tokenizer=typed, device="cpu"
            )


def listing(monkeypatch: pytest.MonkeyPatch, *files: str) -> list[list[str]]:
    """A hub with these files; what was asked for is in the list that is returned."""
    asked: list[list[str]] = []

    def snapshot(repository: str, **options: Any) -> str:
        from huggingface_hub.errors import LocalEntryNotFoundError

        if options.get("local_files_only"):
            raise LocalEntryNotFoundError("no")
        asked.append(options["allow_patterns"])
        return f"/nowhere/{repository}"

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.list_repo_files", lambda _: list(files))
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    return asked


@pytest.mark.parametrize(
    ("name", "files", "chosen"),
    [
        ("keep", ("pytorch_model.bin", "model.safetensors"), "model.safetensors"),
        ("keep", ("pytorch_model.bin", "modeling_keep.py"), "pytorch_model.bin"),
        ("bmc-longclip", ("README.md", "epoch_20.pt"), "epoch_20.pt"),
    ],
)
def test_one_weights_file_is_fetched_and_no_code(
    name: str,
    files: tuple[str, ...],
    chosen: str,
    hub: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not hub.exists()
    asked = listing(monkeypatch, *files)
    with pytest.raises(NotOnThisMachineError, match="does not exist"):
        load_model(name, device="cpu")
    (patterns,) = asked
    assert patterns[0] == chosen
    assert not any(pattern.endswith(".py") for pattern in patterns)


def test_offline_means_that_nothing_is_asked_for(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not hub.exists()
    listing(monkeypatch, "model.safetensors")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(NotOnThisMachineError, match="eights of keep .*hf download"):
        load_model("keep", device="cpu")


def test_two_weights_files_without_a_known_name_are_listed(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not hub.exists()
    listing(monkeypatch, "epoch_19.pt", "epoch_20.pt")
    with pytest.raises(ModelError, match=r"epoch_19\.pt, epoch_20\.pt\. Download"):
        load_model("bmc-longclip", device="cpu")
