"""Prefixes that training code puts before every key of a checkpoint."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.models._files.prefixes import without_prefix
from pytest_retrieval_robust.models._formats import biovil
from pytest_retrieval_robust.models._formats.recipe import Recipe

from . import published
from .test_own import save_openai_layout

OWN = (
    "visual.conv.weight",
    "visual.conv.bias",
    "text.table.weight",
    "text.head.weight",
    "logit_scale",
)
PARTS = st.lists(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(
        lambda part: part not in {"text", "visual"}
    )
)


@given(PARTS)
def test_any_prefix_of_all_keys_is_taken_off_and_told(parts: list[str]) -> None:
    prefix = "".join(f"{part}." for part in parts)
    tensors, removed = without_prefix(
        "a model", {f"{prefix}{key}": key for key in OWN}, OWN
    )
    assert tensors == {key: key for key in OWN}
    assert removed.endswith(prefix.rpartition("_orig_mod.")[2])


@pytest.mark.parametrize(
    "written", ["_orig_mod.{}", "module._orig_mod.{}", "model._fsdp_wrapped_module.{}"]
)
def test_wrappers_of_torch_are_taken_off(written: str) -> None:
    assert set(
        without_prefix("a model", {written.format(key): 0 for key in OWN}, OWN)[0]
    ) == set(OWN)


def test_wrappers_within_a_key_are_taken_off() -> None:
    keys = [
        key.replace("visual.", "visual._orig_mod.").replace(
            "text.", "text._checkpoint_wrapped_module."
        )
        for key in OWN
    ]
    assert set(without_prefix("a model", dict.fromkeys(keys, 0), OWN)[0]) == set(OWN)


def test_keys_beside_the_network_are_left_as_they_are() -> None:
    tensors = {
        **{f"model.{key}": 1 for key in OWN},
        "loss.weight": 2,
        "model.head.extra": 3,
    }
    stripped, prefix = without_prefix("a model", tensors, OWN)
    assert prefix == "model."
    assert stripped == {**dict.fromkeys(OWN, 1), "loss.weight": 2, "head.extra": 3}


def test_weights_beside_their_moving_average_are_refused() -> None:
    weights = {f"{prefix}.{key}": 0 for prefix in ("model", "ema") for key in OWN}
    with pytest.raises(
        ModelError, match=r"got 2 sets of them in one file, under 'ema\.' and 'model\.'"
    ):
        without_prefix("a model", weights, OWN)


def test_unprefixed_weights_are_taken_before_a_copy_of_them() -> None:
    tensors = {**dict.fromkeys(OWN, 1), **{f"ema.{key}": 2 for key in OWN}}
    stripped, prefix = without_prefix("a model", tensors, OWN)
    assert prefix == ""
    assert {stripped[key] for key in OWN} == {1}


def test_a_plain_key_is_taken_before_a_wrapped_one() -> None:
    plain = dict.fromkeys(OWN, 1)
    wrapped = {f"_orig_mod.{key}": 2 for key in OWN}
    for tensors in ({**plain, **wrapped}, {**wrapped, **plain}):
        assert without_prefix("a model", tensors, OWN) == (plain, "")


def test_another_networks_keys_have_no_prefix() -> None:
    tensors = {"backbone.conv.weight": 0, "model.logit_scale": 1}
    assert without_prefix("a model", tensors, OWN) == (tensors, "")


RECIPES = {
    "medclip_resnet": "medclip.MEDCLIP",
    "medclip_vit": "medclip.MEDCLIP",
    "cxrclip_resnet": "cxr_clip.CXR_CLIP",
    "cxrclip_swin": "cxr_clip.CXR_CLIP",
    "cxr_repair": "openai_clip.CXR_REPAIR",
    "gloria_resnet50": "gloria.GLORIA",
    "medprobclip": "medprobclip.MEDPROBCLIP",
}


@pytest.mark.parametrize("variant", RECIPES)
def test_every_published_file_has_its_anchor(variant: str) -> None:
    """By it the prefix of a checkpoint of one's own is found; the published file itself
    has none.
    """
    module, _, constant = RECIPES[variant].partition(".")
    recipe: Recipe = getattr(
        import_module(f"pytest_retrieval_robust.models._formats.{module}"), constant
    )
    keys = {key: 0 for key, *_ in published.manifest(variant)["entries"]}
    assert without_prefix(variant, keys, (recipe.anchor,)) == (keys, "")
    trained = {f"module.model.{key}": 0 for key in keys}
    assert without_prefix(variant, trained, (recipe.anchor,)) == (keys, "module.model.")


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod."])
def test_a_system_of_its_own_loads_with_a_prefix(tmp_path: Path, prefix: str) -> None:
    plain = save_openai_layout(tmp_path / "plain.pt")
    weights = torch.load(plain, weights_only=True)
    trained = {f"{prefix}{key}": weight for key, weight in weights.items()} | {
        "loss.weight": torch.ones(2)
    }
    torch.save({"state_dict": trained, "epoch": 3}, tmp_path / "trained.ckpt")
    first, second = (
        load_model("cxr-repair", checkpoint=tmp_path / name, device="cpu")
        for name in ("plain.pt", "trained.ckpt")
    )
    assert torch.equal(
        first.encode_reports(["Edema."]), second.encode_reports(["Edema."])
    )
    assert second.card.unexpected_keys == ("loss.weight",)
    assert second.card.key_prefix == (None if prefix == "_orig_mod." else prefix)


@pytest.mark.parametrize(
    ("variant", "anchor"),
    [
        ("biovil_image", biovil.IMAGE_ANCHOR),
        ("biovil_t_image", biovil.IMAGE_ANCHOR),
        ("cxr_bert", biovil.TEXT_ANCHOR),
    ],
)
def test_biovils_files_have_their_anchors(variant: str, anchor: str) -> None:
    keys = {key: 0 for key, *_ in published.manifest(variant)["entries"]}
    assert without_prefix(variant, keys, (anchor,)) == (keys, "")
