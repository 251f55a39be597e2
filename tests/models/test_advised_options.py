"""An option that an error advises is one that the entry accepts, and it helps."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.errors import (
    ConfigError,
    RobustError,
    UnknownNameError,
)
from pytest_retrieval_robust.models import LoadRequest, ModelEntry
from pytest_retrieval_robust.models.locators import entry_for
from pytest_retrieval_robust.models.own_checkpoint import own_entry

from .checkpoints import save_biomedclip, save_clip
from .refusals import images, load, refused

_PICTURE = {"size": 32, "resize": "exact", "mean": [0.5] * 3, "std": [0.5] * 3}


def without(folder: Path, *patterns: str) -> Path:
    for pattern in patterns:
        for file in folder.glob(pattern):
            file.unlink()
    return folder


def without_processor(place: Path) -> Path:
    return without(save_clip(place), "preprocessor_config.json")


def without_words(place: Path) -> Path:
    return without(save_clip(place), "tokenizer*", "special_tokens_map.json")


def advised(message: str) -> set[str]:
    """The options that a message tells its reader to set."""
    advice = message.rpartition(", got")[2]
    named = r"(tokenizer|image_processor|preprocessing|context_length|weights) ?= ?"
    return set(re.findall(rf"(?<!got ){named}", advice))


def entries_with_a_checkpoint() -> list[ModelEntry]:
    """One entry for each way to publish a model: those of a way differ in names alone."""
    ways: dict[tuple[Any, ...], ModelEntry] = {}
    for entry in Catalogues().models.entries():
        if "checkpoint" in entry.accepts:
            ways.setdefault((entry.load.__qualname__, entry.accepts), entry)
    return list(ways.values())


@pytest.mark.parametrize("damaged", [without_processor, without_words])
def test_every_entry_accepts_what_its_errors_advise(
    damaged: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = damaged(tmp_path / "trained")
    messages: dict[str, str] = {}
    for entry in entries_with_a_checkpoint():
        request = LoadRequest(may_download=False, checkpoint=folder)
        try:
            entry.load(request)
        except RobustError as error:
            messages[entry.name] = str(error)
        message = messages.get(entry.name, "")
        assert advised(message) <= set(entry.accepts), f"{entry.name}: {message}"
    # Otherwise nothing was compared.
    assert advised(messages["clip"])
    assert sum(bool(advised(message)) for message in messages.values()) > 1


def test_what_a_clip_is_advised_helps(tmp_path: Path) -> None:
    name = "plip"
    whole = save_clip(tmp_path / "whole")
    folder = without_processor(tmp_path / "trained")
    message = refused(lambda: load_model(name, checkpoint=folder, device="cpu"))
    assert advised(message) == {"image_processor", "preprocessing"}
    model = load_model(name, checkpoint=folder, image_processor=whole, device="cpu")
    assert torch.equal(images(model), images(load(whole)))
    stretched = load_model(
        name, checkpoint=folder, preprocessing=_PICTURE, device="cpu"
    )
    assert images(stretched).shape == (1, 8)
    wordless = without_words(tmp_path / "wordless")
    again = load_model(name, checkpoint=wordless, tokenizer=str(whole), device="cpu")
    assert torch.equal(again.encode_reports(["effusion"]), reports(load(whole)))


def reports(model: Any) -> torch.Tensor:
    rows: torch.Tensor = model.encode_reports(["effusion"])
    return rows


@pytest.mark.parametrize("option", ["preprocessing", "image_processor"])
def test_a_file_in_openais_layout_has_clips_picture(
    option: str, tmp_path: Path
) -> None:
    file = tmp_path / "ViT-B-32.pt"
    torch.save({}, file)
    options: dict[str, Any] = {option: _PICTURE}
    message = refused(
        lambda: load_model("plip", checkpoint=file, device="cpu", **options),
        ConfigError,
    )
    assert f"Expected no {option} for a file in OpenAI's key layout" in message


def test_a_table_of_overrides_is_no_name_of_a_way(tmp_path: Path) -> None:
    from pytest_retrieval_robust.models._formats.recipe import chosen

    request = LoadRequest(options={"preprocessing": _PICTURE}, cache_dir=tmp_path)
    with pytest.raises(UnknownNameError, match="Expected a known preprocessing of"):
        chosen("cxr-repair", request, {"mimic": 1, "chexpert": 2})


def test_loaders_of_open_clip_take_the_tokenizer_that_they_advise(
    tmp_path: Path,
) -> None:
    folder = save_biomedclip(tmp_path / "whole")
    own_entry("mine", "open_clip", str(folder), str(folder), {}, [])
    assert "tokenizer" in entry_for("open_clip:ViT-B-16-SigLIP/webli").accepts


def test_a_processor_of_another_place_is_not_ignored_by_open_clip(
    tmp_path: Path,
) -> None:
    folder = save_biomedclip(tmp_path / "whole")
    assert "Expected no image_processor for local-dir-whole" in refused(
        lambda: load(folder, image_processor=folder), ConfigError
    )
