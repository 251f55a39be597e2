"""Code of a repository runs only if it is the one that the user trusts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust.models import DualEncoder, LoadRequest
from pytest_retrieval_robust.models._formats.transformers_versions import IS_5
from pytest_retrieval_robust.models.own_checkpoint import own_entry

from .checkpoints import save_biomedclip, save_clip
from .refusals import load, refused, write_settings

CODE = """
from pathlib import Path
from transformers import CLIPImageProcessor, PreTrainedTokenizerFast

Path({mark!r}).touch()

class OwnProcessor(CLIPImageProcessor):
    pass

class OwnTokenizer(PreTrainedTokenizerFast):
    pass
"""


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the code of a folder writes when it runs."""
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    return tmp_path / "code-ran"


def with_own_tokenizer(folder: Path, mark: Path) -> Path:
    write_settings(
        folder / "tokenizer_config.json",
        tokenizer_class="OwnTokenizer",
        auto_map={"AutoTokenizer": [None, "own.OwnTokenizer"]},
    )
    (folder / "own.py").write_text(CODE.format(mark=str(mark)))
    return folder


def with_own_processor(folder: Path, mark: Path) -> Path:
    write_settings(
        folder / "preprocessor_config.json",
        image_processor_type="OwnProcessor",
        auto_map={"AutoImageProcessor": "own.OwnProcessor"},
    )
    (folder / "own.py").write_text(CODE.format(mark=str(mark)))
    return folder


def trusted(folder: Path, tokenizer: Path | None = None, **options: Any) -> DualEncoder:
    named = None if tokenizer is None else str(tokenizer)
    options = {"trust_remote_code": True, **options}
    entry = own_entry("mine", "transformers", str(folder), named, options, [])
    return entry.load(LoadRequest())


def test_an_image_processor_elsewhere_is_not_trusted(
    tmp_path: Path, mark: Path
) -> None:
    folder = save_clip(tmp_path / "mine")
    other = with_own_processor(save_clip(tmp_path / "other"), mark)
    message = refused(lambda: trusted(folder, image_processor=str(other)))
    assert "an image processor of mine that needs no code of its own" in message
    assert "trust_remote_code is for the checkpoint's own folder" in message
    assert not mark.exists()


def test_a_tokenizer_elsewhere_is_not_trusted(tmp_path: Path, mark: Path) -> None:
    folder = save_clip(tmp_path / "mine")
    other = with_own_tokenizer(save_clip(tmp_path / "other"), mark)
    if IS_5:
        trusted(folder, other)  # a class of transformers reads its tokenizer.json
    else:
        message = refused(lambda: trusted(folder, other))
        assert "a tokenizer of mine that needs no code of its own" in message
    assert not mark.exists()
    # That folder as the checkpoint is trusted, and as the tokenizer of itself.
    trusted(other, other)
    assert mark.exists()


def test_what_is_trusted_may_be_named_again(tmp_path: Path, mark: Path) -> None:
    folder = with_own_processor(save_clip(tmp_path / "mine"), mark)
    (tmp_path / "link").symlink_to(folder)
    trusted(folder, image_processor=str(tmp_path / "link"))
    assert mark.exists()


def test_a_configuration_of_open_clip_cannot_trust_itself(
    tmp_path: Path, mark: Path
) -> None:
    folder = with_own_tokenizer(save_biomedclip(tmp_path / "mine"), mark)
    file = folder / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"trust_remote_code": True}
    file.write_text(json.dumps(config))
    assert "got text_cfg.tokenizer_kwargs with trust_remote_code" in refused(
        lambda: load(folder)
    )
    assert not mark.exists()
