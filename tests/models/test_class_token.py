"""The last layer of a CLIP goes on with the class token alone: its rows stay the library's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import CLIPModel

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.models._formats.transformers.class_token import (
    spare_unread_tokens,
)
from pytest_retrieval_robust.models._formats.transformers_versions import pooled

from .checkpoints import save_clip


@pytest.fixture
def network(tmp_path: Path) -> CLIPModel:
    loaded: CLIPModel = CLIPModel.from_pretrained(save_clip(tmp_path)).eval()
    return loaded


def side_of(network: CLIPModel) -> int:
    side: int = network.config.vision_config.image_size
    return side


@torch.inference_mode()
def features(network: CLIPModel, images: int) -> Tensor:
    side = side_of(network)
    generator = torch.Generator().manual_seed(images)
    pixels = torch.rand(images, 3, side, side, generator=generator)
    return pooled(network.get_image_features(pixel_values=pixels))


def last_layer(network: CLIPModel) -> Any:
    return network.vision_model.encoder.layers[-1]


def hooks_of(network: nn.Module) -> int:
    return sum(len(part._forward_pre_hooks) for part in network.modules())


@pytest.mark.parametrize("images", [1, 2, 5, 64])
def test_rows_are_those_of_the_whole_layer(network: CLIPModel, images: int) -> None:
    whole = features(network, images)
    assert spare_unread_tokens(network, side_of(network))
    torch.testing.assert_close(features(network, images), whole, rtol=1e-5, atol=1e-6)


def test_the_last_mlp_sees_one_token_per_image(network: CLIPModel) -> None:
    seen: list[tuple[int, ...]] = []
    last_layer(network).mlp.register_forward_pre_hook(
        lambda _, inputs: seen.append(tuple(inputs[0].shape[:2]))
    )
    spare_unread_tokens(network, side_of(network))
    seen.clear()
    features(network, 3)
    assert seen == [(3, 1)]


def test_a_network_that_reads_other_tokens_stays_whole(network: CLIPModel) -> None:
    # A class of somebody's own.
    network.__class__ = type("OfAllTokens", (CLIPModel,), {})
    assert not spare_unread_tokens(network, side_of(network))
    assert hooks_of(network) == 0


def test_a_layer_that_is_built_otherwise_stays_whole(
    network: CLIPModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # CLIPVisionModel, or CLIPVisionTransformer in transformers 4.
    tower: Any = type(network.vision_model)
    whole_forward = tower.forward

    def mean_of_tokens(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        output = whole_forward(self, *args, **kwargs)
        output.pooler_output = output.last_hidden_state.mean(dim=1)
        return output

    monkeypatch.setattr(tower, "forward", mean_of_tokens)
    whole = features(network, 2)
    assert not spare_unread_tokens(network, side_of(network))
    assert hooks_of(network) == 0
    assert torch.equal(features(network, 2), whole)


def test_a_layer_with_other_parts_stays_whole(network: CLIPModel) -> None:
    renamed = last_layer(network)
    renamed.norm_before_mlp = renamed.layer_norm2
    del renamed.layer_norm2
    assert not spare_unread_tokens(network, side_of(network))
    assert hooks_of(network) == 0


def test_an_embedded_encoder_spares_them() -> None:
    encoder: Any = load_model("tiny-cxr-clip", device="cpu")
    assert hooks_of(encoder._model) == 2
