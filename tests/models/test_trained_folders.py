"""Folders as a trainer leaves them: what is missing, renamed or no number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ConfigError, NotOnThisMachineError
from pytest_retrieval_robust.models import (
    DualEncoder,
    LoadRequest,
    ModelEntry,
    load_entry,
)
from pytest_retrieval_robust.models.own_checkpoint import own_entry

from .checkpoints import (
    TEXTS,
    put_into_hub_cache,
    save_clip,
    save_open_clip,
    save_siglip,
)
from .hub_cache import use_hub_cache
from .refusals import CANARY, images, load, refused, reweighted, without, write_settings


def test_without_a_processor_the_table_stands_for_it(tmp_path: Path) -> None:
    whole = load(save_clip(tmp_path / "whole"))
    (save_clip(tmp_path / "trained") / "preprocessor_config.json").unlink()
    clip = {
        "mean": [0.48145466, 0.4578275, 0.40821073],
        "std": [0.26862954, 0.26130258, 0.27577711],
    }
    overrides = {"size": 32, "resize": "shortest", **clip}
    entry = own_entry(
        "mine", None, str(tmp_path / "trained"), None, {"preprocessing": overrides}, []
    )
    for model in (
        load(tmp_path / "trained", preprocessing=overrides),
        entry.load(LoadRequest()),
        load_model(
            "medsiglip",
            checkpoint=tmp_path / "trained",
            preprocessing=overrides,
            device="cpu",
        ),
    ):
        assert torch.equal(images(model), images(whole))


@pytest.mark.parametrize("left_out", ["size", "resize", "mean", "std"])
def test_without_a_processor_the_advice_is_to_save_it_or_to_say_it(
    tmp_path: Path, left_out: str
) -> None:
    folder = save_clip(tmp_path / CANARY / "trained")
    (folder / "preprocessor_config.json").unlink()
    overrides = {"size": 32, "resize": "exact", "mean": [0.5] * 3, "std": [0.5] * 3}
    del overrides[left_out]
    message = refused(lambda: load(folder, preprocessing=overrides))
    assert f"got none, and no {left_out} in preprocessing" in message
    assert "processor.save_pretrained(FOLDER)" in message
    assert "sha256" not in message


def test_a_temperature_is_not_needed(tmp_path: Path) -> None:
    for save, keys in (
        (save_clip, {"logit_scale"}),
        (save_siglip, {"logit_scale", "logit_bias"}),
    ):
        whole = load(save(tmp_path / save.__name__))
        texts = whole.encode_reports(TEXTS)
        without(tmp_path / save.__name__, keys)
        model = load(tmp_path / save.__name__)
        assert set(model.card.missing_keys) == keys
        assert torch.equal(model.encode_reports(TEXTS), texts)
    folder = without(save_open_clip(tmp_path / "open"), {"logit_scale"})
    assert load(folder).card.missing_keys == ("logit_scale",)
    assert load(folder).encode_reports(TEXTS).shape == (4, 8)


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "vision_model.",
        "_orig_mod.",
        "module.model.",
        "_orig_mod.model._orig_mod.",
    ],
)
@pytest.mark.parametrize("save", [save_clip, save_siglip, save_open_clip])
def test_a_prefix_of_all_keys_is_taken_off(
    tmp_path: Path, save: Callable[[Path], Path], prefix: str
) -> None:
    whole = load(save(tmp_path / "whole"))
    folder = reweighted(
        save(tmp_path / "prefixed"),
        lambda weights: {f"{prefix}{k}": v for k, v in weights.items()},
    )
    model = load(folder)
    assert torch.allclose(
        model.encode_reports(TEXTS), whole.encode_reports(TEXTS), atol=1e-6
    )
    assert torch.allclose(images(model), images(whole), atol=1e-6)
    assert (model.card.missing_keys, model.card.unexpected_keys) == ((), ())
    assert model.card.key_prefix == (prefix.replace("_orig_mod.", "") or None)


@pytest.mark.parametrize("save", [save_clip, save_open_clip])
def test_a_part_that_was_compiled_alone_is_found(
    tmp_path: Path, save: Callable[[Path], Path]
) -> None:
    def compile_towers(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        parts = ("vision_model.", "text_model.", "visual.", "transformer.resblocks.")
        return {_wrapped(key, parts): weight for key, weight in weights.items()}

    model = load(reweighted(save(tmp_path / "compiled"), compile_towers))
    assert torch.allclose(
        model.encode_reports(TEXTS),
        load(save(tmp_path / "whole")).encode_reports(TEXTS),
        atol=1e-6,
    )


def _wrapped(key: str, parts: tuple[str, ...]) -> str:
    part = next((part for part in parts if key.startswith(part)), "")
    return f"{part}_orig_mod.{key.removeprefix(part)}" if part else key


@pytest.mark.parametrize("save", [save_clip, save_open_clip])
def test_two_sets_of_weights_are_not_chosen_from(
    tmp_path: Path, save: Callable[[Path], Path]
) -> None:
    folder = reweighted(
        save(tmp_path),
        lambda weights: {
            f"{p}.{k}": v.clone() for p in ("model", "ema") for k, v in weights.items()
        },
    )
    assert "under 'ema.' and 'model.'" in refused(lambda: load(folder))


def test_weights_of_another_size_are_named(tmp_path: Path) -> None:
    write_settings(save_clip(tmp_path) / "config.json", projection_dim=16)
    assert "projection.weight of shape (16, 16) for local-dir-" in refused(
        lambda: load(tmp_path)
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("save", [save_clip, save_siglip, save_open_clip])
def test_a_weight_that_is_no_number_is_named(
    tmp_path: Path, save: Callable[[Path], Path], value: float
) -> None:
    def spoil(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        key = next(key for key in sorted(weights) if weights[key].ndim == 2)
        weights[key][0, 0] = value
        spoilt.append(key)
        return weights

    spoilt: list[str] = []
    folder = reweighted(save(tmp_path), spoil)
    assert f"values of {spoilt[0]} that are NaN or infinite" in refused(
        lambda: load(folder)
    )


@pytest.mark.parametrize(
    ("weight", "part"),
    [
        (torch.zeros(3, dtype=torch.complex64), "dtype=torch.complex64"),
        (torch.zeros(3, dtype=torch.int64), "dtype=torch.int64"),
        (torch.zeros(3).to_sparse(), "layout=torch.sparse_coo"),
        (torch.zeros(3, device="meta"), "a tensor without values"),
    ],
)
def test_weights_of_another_kind_are_refused(weight: torch.Tensor, part: str) -> None:
    from pytest_retrieval_robust.models._files.weights_file import WeightsFile
    from pytest_retrieval_robust.models._formats.building import fill

    network = torch.nn.LayerNorm(3)
    tensors = {"weight": weight, "bias": torch.zeros(3)}
    message = refused(
        lambda: fill("a model", network, tensors, WeightsFile(tensors, "", False), "x")
    )
    assert part in message


def test_a_device_without_room_is_no_fault_of_the_loader() -> None:
    def full(_: LoadRequest) -> DualEncoder:
        raise RuntimeError("CUDA error: out of memory")

    message = refused(
        lambda: load_entry(ModelEntry("ours", "", full), LoadRequest(device="cuda:1"))
    )
    assert message.startswith("Expected room for ours on cuda:1, got RuntimeError")


def test_a_repository_without_an_image_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_clip(tmp_path / "mine")
    (folder / "preprocessor_config.json").unlink()
    put_into_hub_cache(folder, tmp_path / "cache", "someone/clip-small")
    use_hub_cache(monkeypatch, tmp_path / "cache")

    def read(may_download: bool, **options: Any) -> DualEncoder:
        return load_model(
            "hf:someone/clip-small", device="cpu", download=may_download, **options
        )

    message = refused(lambda: read(False), NotOnThisMachineError)
    assert "the image processor of hf-someone-clip-small" in message
    assert "`hf download someone/clip-small`" in message
    assert "Expected preprocessor_config.json" in refused(
        lambda: read(True)
    )  # the hub was asked, and has none
    overrides = {"size": 32, "resize": "exact", "mean": [0.5] * 3, "std": [0.5] * 3}
    assert images(read(True, preprocessing=overrides)).shape == (1, 8)


def test_an_image_processor_may_lie_elsewhere(tmp_path: Path) -> None:
    whole = load(save_clip(tmp_path / "whole"))
    folder = save_clip(tmp_path / CANARY / "trained")
    (folder / "preprocessor_config.json").unlink()
    assert "set image_processor = FOLDER" in refused(lambda: load(folder))
    options = {"image_processor": str(tmp_path / "whole")}
    entry = own_entry("mine", None, str(folder), None, options, [])
    for model in (
        load(folder, image_processor=tmp_path / "whole"),
        entry.load(LoadRequest()),
    ):
        assert torch.equal(images(model), images(whole))
    # It bears on the numbers by its content, not by its place.
    before = load(folder, image_processor=tmp_path / "whole").card.inputs_sha256
    (tmp_path / "whole").rename(tmp_path / "moved")
    after = load(folder, image_processor=tmp_path / "moved").card.inputs_sha256
    write_settings(
        tmp_path / "moved/preprocessor_config.json", image_mean=[0.5, 0.5, 0.5]
    )
    changed = load(folder, image_processor=tmp_path / "moved").card.inputs_sha256
    assert before == after != changed


def test_an_image_processor_that_is_not_there_is_refused(tmp_path: Path) -> None:
    folder = save_clip(tmp_path / CANARY / "trained")
    (folder / "preprocessor_config.json").unlink()
    assert "got image_processor='trained' without one" in refused(
        lambda: load(folder, image_processor=folder)
    )
    message = refused(
        lambda: load(folder, image_processor="nobody/nothing"), NotOnThisMachineError
    )
    assert "`hf download nobody/nothing`" in message
    assert "got image_processor=3" in refused(
        lambda: load(folder, image_processor=3), ConfigError
    )


@pytest.mark.parametrize(
    "place", ["./nothere", "~/nothere", "../nothere", "nothere", "a/b/c", "/nothere"]
)
def test_a_path_at_which_there_is_nothing_is_no_repository(
    tmp_path: Path, place: str
) -> None:
    folder = without(save_clip(tmp_path), {"visual_projection.weight"})
    # Before the weights are read: the advice is not about the missing key.
    message = refused(
        lambda: load(folder, image_processor=place), NotOnThisMachineError
    )
    assert "which is no folder. Fix the path" in message
    if place != "nothere":  # old repositories have names without ORG
        message = refused(lambda: load(folder, tokenizer=place), NotOnThisMachineError)
        assert "no such folder. Fix the path" in message
