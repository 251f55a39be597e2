"""What a loaded model leaves and says: log records, reprs, precision, activation."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.models import DualEncoder, LoadRequest
from pytest_retrieval_robust.models.own_checkpoint import own_entry

from .checkpoints import OPEN_CLIP_ARCHITECTURE, save_clip, save_open_clip
from .refusals import CANARY, load, refused


def test_libraries_log_nothing_while_a_model_is_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folders = save_open_clip(tmp_path / "open"), save_clip(tmp_path / "clip")
    # What was said while they were saved.
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    for folder in folders:
        load(folder)
    assert not [record for record in caplog.records if "open_clip" in record.pathname]
    assert not [
        record for record in caplog.records if record.name.startswith("transformers")
    ]


def test_a_load_leaves_the_root_logger_as_it_was(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = [*root.handlers], [*root.filters], root.level
    load(save_open_clip(tmp_path))
    assert ([*root.handlers], [*root.filters], root.level) == before


def test_reprs_are_one_neutral_line(tmp_path: Path) -> None:
    from pytest_retrieval_robust import encoder_from_callables

    folder = save_clip(tmp_path / CANARY / "clip")
    assert repr(load(folder)) == "<TransformersEncoder local-dir-clip on cpu, fp32>"
    half = load_model(
        f"local-dir:{save_open_clip(tmp_path / CANARY / 'open')}",
        device="cpu",
        precision="bf16",
    )
    assert repr(half) == "<OpenClipEncoder local-dir-open on cpu, bf16>"
    ours: Any = encoder_from_callables("ours", len, len)
    assert repr(ours) == "<CallableEncoder ours on cpu>"
    assert CANARY not in repr(
        LoadRequest(checkpoint=folder, tokenizer=str(folder), cache_dir=folder)
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_model_knows_its_precision(tmp_path: Path, precision: Any) -> None:
    for save in (save_clip, save_open_clip):
        model = load_model(
            f"local-dir:{save(tmp_path / save.__name__)}",
            device="cpu",
            precision=precision,
        )
        assert getattr(model, "precision") == precision  # noqa: B009 - not in the protocol


def test_the_twin_with_another_activation_is_noticed(tmp_path: Path) -> None:
    import open_clip

    for name, more in (("ViT-twin", {}), ("ViT-twin-quickgelu", {"quick_gelu": True})):
        config = {**OPEN_CLIP_ARCHITECTURE, **more}
        (tmp_path / f"{name}.json").write_text(json.dumps(config))
        open_clip.add_model_config(tmp_path / f"{name}.json")
    torch.manual_seed(0)
    state = open_clip.create_model("ViT-twin", pretrained=None).state_dict()
    file = tmp_path / "epoch_1.pt"

    def own(architecture: str, run: str | None) -> DualEncoder:
        torch.save({"name": run, "state_dict": state} if run else state, file)
        return own_entry(
            "mine", "open_clip", str(file), None, {"architecture": architecture}, []
        ).load(LoadRequest())

    assert own("ViT-twin", None).card.activation == "gelu"
    assert own("ViT-twin-quickgelu", None).card.activation == "quickgelu"
    assert (
        own("ViT-twin", "2026_01_01-model_ViT-twin-lr_0.0005-b_64").card.activation
        == "gelu"
    )
    message = refused(
        lambda: own("ViT-twin", "2026_01_01-model_ViT-twin-quickgelu-lr_0.0005-b_64")
    )
    assert 'Set architecture = "ViT-twin-quickgelu"' in message
    assert 'Set architecture = "ViT-twin"' in refused(
        lambda: own("ViT-twin-quickgelu", "x-model_ViT-twin-lr_1")
    )


def test_an_option_that_a_locator_does_not_have() -> None:
    with pytest.raises(
        ConfigError, match="Expected a known option of .*context_length"
    ):
        load_model("hf:someone/clip", context_length=7)
