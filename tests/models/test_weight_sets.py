"""Several sets of weights in one file: a user names the one to load."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ConfigError, ModelError
from pytest_retrieval_robust.models import LoadRequest
from pytest_retrieval_robust.models._files.weight_sets import own_weights
from pytest_retrieval_robust.models.own_checkpoint import own_entry

from .checkpoints import TEXTS, save_clip, save_open_clip, save_siglip
from .refusals import images, load, refused, reweighted, write_settings
from .test_own import save_openai_layout

OWN = ("visual.weight", "text.weight", "text.bias")
AVERAGE = {key: torch.ones(2) for key in OWN}
TRAINED = {key: torch.zeros(2) for key in OWN}
Weights = dict[str, Any]


def prefixed(prefix: str, weights: Weights) -> Weights:
    return {f"{prefix}{key}": weight for key, weight in weights.items()}


FILES: dict[str, tuple[Weights, str]] = {
    "timm": ({"state_dict": TRAINED, "state_dict_ema": AVERAGE}, "state_dict_ema"),
    "yolo": ({"model": TRAINED, "ema": {"module": AVERAGE, "updates": 3}}, "ema"),
    "callback": (
        {"state_dict": TRAINED, "callbacks": {"EMA": {"ema_weights": AVERAGE}}},
        "EMA.ema_weights",
    ),
    "lucidrains": (
        {
            **prefixed("online_model.", TRAINED),
            **prefixed("ema_model.", AVERAGE),
            "step": torch.ones(()),
        },
        "ema_model",
    ),
    "lightning": (
        {
            "state_dict": {
                **prefixed("model.", TRAINED),
                **prefixed("model_ema.module._orig_mod.", AVERAGE),
            },
            "optimizer_states": [{"state": {"ema": AVERAGE}}],
        },
        "model_ema",
    ),
    "distillation": (
        {"module": {**prefixed("student.", TRAINED), **prefixed("teacher.", AVERAGE)}},
        "teacher",
    ),
    "beside": ({**TRAINED, **prefixed("ema.", AVERAGE)}, "ema"),
}


@pytest.mark.parametrize("layout", FILES)
def test_the_set_that_is_named_is_taken_alone(layout: str) -> None:
    content, wanted = FILES[layout]
    tensors, _ = own_weights("mine", content, OWN, wanted)
    assert set(OWN) <= set(tensors) <= {*OWN, "updates"}
    assert all(torch.equal(tensors[key], torch.ones(2)) for key in OWN)


@pytest.mark.parametrize("layout", ["timm", "yolo", "callback", "beside"])
def test_without_a_name_the_trained_weights_are_taken(layout: str) -> None:
    tensors, _ = own_weights("mine", FILES[layout][0], OWN, None)
    assert all(torch.equal(tensors[key], torch.zeros(2)) for key in OWN)


@pytest.mark.parametrize("layout", ["lucidrains", "lightning", "distillation"])
def test_sets_of_equal_standing_must_be_named(layout: str) -> None:
    message = r'got 2 sets of them in one file.*Choose one with weights = "'
    with pytest.raises(ModelError, match=message):
        own_weights("mine", FILES[layout][0], OWN, None)


def test_mappings_of_equal_standing_must_be_named() -> None:
    content = {"student": TRAINED, "teacher": AVERAGE, "optimizer": {"a": AVERAGE}}
    with pytest.raises(ModelError, match=r"got 2 sets .*: 'student', 'teacher'\. Ch"):
        own_weights("mine", content, OWN, None)
    assert own_weights("mine", content, OWN, "student")[0] == TRAINED


def test_a_set_that_is_not_there_is_refused_with_those_that_are() -> None:
    for content, known in (
        (FILES["timm"][0], "'state_dict', 'state_dict_ema'"),
        (FILES["lucidrains"][0], "'ema_model', 'online_model'"),
        (TRAINED, "a single set without a name"),
    ):
        with pytest.raises(ModelError, match=f"called 'avg' .* got {known}"):
            own_weights("mine", content, OWN, "avg")


@pytest.mark.parametrize("save", [save_clip, save_siglip, save_open_clip])
def test_a_folder_with_an_average_loads_either(
    tmp_path: Path, save: Callable[[Path], Path]
) -> None:
    whole = load(save(tmp_path / "whole"))
    folder = reweighted(
        save(tmp_path / "both"),
        lambda weights: {
            **prefixed("model.", {key: 2 * weights[key] for key in weights}),
            **prefixed("ema.", weights),
        },
    )
    assert "under 'ema.' and 'model.'" in refused(lambda: load(folder))
    average = load(folder, weights="ema")
    assert torch.allclose(images(average), images(whole), atol=1e-6)
    assert torch.allclose(
        average.encode_reports(TEXTS), whole.encode_reports(TEXTS), atol=1e-6
    )
    # Stored embeddings of the two sets of one file must not be mixed.
    assert average.card.weights == "ema"
    assert average.card.as_json() != load(folder, weights="model").card.as_json()


@pytest.mark.parametrize("prefix", ["ema.", "clip.", "siglip.", "_orig_mod."])
@pytest.mark.parametrize("save", [save_clip, save_siglip, save_open_clip])
def test_a_copy_under_a_prefix_is_never_taken_for_the_weights(
    tmp_path: Path, save: Callable[[Path], Path], prefix: str
) -> None:
    # transformers takes `clip.` off for a CLIP, and `siglip.` for a SigLIP, by itself.
    whole = load(save(tmp_path / "whole"))
    folder = reweighted(
        save(tmp_path / "both"),
        lambda weights: {
            **weights,
            **prefixed(prefix, {key: 0 * weights[key] for key in weights}),
        },
    )
    trained = load(folder)
    assert torch.allclose(images(trained), images(whole), atol=1e-6)
    assert torch.allclose(
        trained.encode_reports(TEXTS), whole.encode_reports(TEXTS), atol=1e-6
    )
    assert trained.card.key_prefix is None


@pytest.mark.parametrize(
    ("prefixes", "expected"),
    [
        (("", "clip."), "got shards with two for some"),
        (("clip.", "ema."), "got 2 sets of them in one file, under 'clip.' and 'ema.'"),
    ],
)
def test_two_sets_in_shards_are_refused(
    tmp_path: Path, prefixes: tuple[str, str], expected: str
) -> None:
    folder = reweighted(
        save_clip(tmp_path),
        lambda weights: {
            f"{prefix}{key}": weights[key].clone()
            for prefix in prefixes
            for key in weights
        },
    )
    _split(folder)
    assert expected in refused(lambda: load(folder))


def _split(folder: Path) -> None:
    """Write a folder's weights as two shards, as transformers does with large ones."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    weight_map: dict[str, str] = {}
    for number in (0, 1):
        shard = f"model-0000{number + 1}-of-00002.safetensors"
        part = {key: weights[key] for key in sorted(weights)[number::2]}
        save_file(part, folder / shard, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, shard)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize("save", [save_clip, save_siglip])
def test_a_folder_takes_what_a_trainer_saved_as_its_pickle(
    tmp_path: Path, save: Callable[[Path], Path]
) -> None:
    # Before torch 2.6, transformers reads no pickle at all.
    pytest.importorskip("torch", "2.6")
    whole = load(save(tmp_path / "whole"))
    weights = load_file(tmp_path / "whole/model.safetensors")
    folder = save(tmp_path / "trained")
    (folder / "model.safetensors").unlink()
    average = {key: 0 * weight for key, weight in weights.items()}
    optimiser = [{"state": {0: torch.zeros(2)}}]
    for nested, prefix in (
        ({"state_dict": prefixed("model.", weights), "epoch": 1}, "model."),
        ({"state_dict": weights, "state_dict_ema": average}, None),
    ):
        content = {**nested, "optimizer_states": optimiser}
        torch.save(content, folder / "pytorch_model.bin")
        model = load(folder)
        assert torch.allclose(images(model), images(whole), atol=1e-6)
        assert model.card.key_prefix == prefix
    torch.save({"a": weights, "b": average}, folder / "pytorch_model.bin")
    assert "2 sets of them in one file: 'a', 'b'. Choose one" in refused(
        lambda: load(folder)
    )


def test_a_set_is_not_rounded_to_the_type_in_the_configuration(tmp_path: Path) -> None:
    whole = load(save_clip(tmp_path / "whole"))
    folder = reweighted(save_clip(tmp_path / "set"), partial(prefixed, "ema."))
    write_settings(folder / "config.json", dtype="float16", torch_dtype="float16")
    average = load(folder, weights="ema")
    # Half precision rounds at about 1e-4.
    assert torch.allclose(images(average), images(whole), atol=1e-6)


def test_a_folder_says_which_weight_has_another_shape(tmp_path: Path) -> None:
    def cut(weights: Weights) -> Weights:
        table = "text_model.embeddings.token_embedding.weight"
        return prefixed("ema.", {**weights, table: weights[table][:-1].clone()})

    folder = reweighted(save_clip(tmp_path), cut)
    message = refused(lambda: load(folder, weights="ema"))
    assert "token_embedding.weight of shape" in message


def test_a_published_layout_and_a_table_take_the_name(tmp_path: Path) -> None:
    plain = save_openai_layout(tmp_path / "plain.pt")
    weights = torch.load(plain, weights_only=True)
    both = {
        "state_dict": {key: 2 * weight for key, weight in weights.items()},
        "state_dict_ema": prefixed("module.", weights),
    }
    torch.save(both, tmp_path / "both.pt")
    whole = load_model("cxr-repair", checkpoint=plain, device="cpu")
    average = load_model(
        "cxr-repair",
        checkpoint=tmp_path / "both.pt",
        weights="state_dict_ema",
        device="cpu",
    )
    assert torch.equal(images(average), images(whole))
    layout = {"weights": "none"}
    entry = own_entry("mine", "open_clip", str(plain), None, layout, [])
    with pytest.raises(ConfigError, match="Expected architecture"):
        entry.load(LoadRequest())
    with pytest.raises(ConfigError, match="got weights=3"):
        load_model("cxr-repair", checkpoint=plain, weights=3, device="cpu")
