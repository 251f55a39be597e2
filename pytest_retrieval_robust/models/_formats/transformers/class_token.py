"""The last layer of a CLIP vision tower, without what nobody reads of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPModel

from ....core.foreign import FOREIGN, let_go
from ..transformers_versions import pooled

_CHECKED_IMAGES = 2
_ROUNDING = {torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 4e-2}
"""How far numbers of rows of length 1 may differ, by the network's dtype."""


def spare_unread_tokens(network: nn.Module, side: int) -> bool:
    """Have the last vision layer of transformers' CLIP go on with the class token alone.

    Rows are read at the class token. After the last attention no other token bears on
    it. That spares nine of the last layer's twelve products for every other token: a
    fifth of a tower of four layers, a sixteenth of one of twelve.

    Returns whether it does so. It does not for another class of network, nor if fixed
    pictures of `side` x `side` then have other rows, because this version of the library
    is built in another way.
    """
    # A class that inherits from it may read other tokens.
    if type(network) is not CLIPModel:
        return False
    hooks: list[Any] = []
    try:
        pictures = _pictures(network, side)
        whole = _rows(network, pictures)
        tower: Any = network.vision_model
        last_layer = tower.encoder.layers[-1]
        for part in (last_layer.self_attn.out_proj, last_layer.layer_norm2):
            hooks.append(part.register_forward_pre_hook(_class_token))
        if _is_same(_rows(network, pictures), whole, pictures.dtype):
            return True
    except FOREIGN as error:
        let_go(error)
    for hook in hooks:
        hook.remove()
    return False


def _class_token(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The first of the tokens (B, T, D), as (B, 1, D).

    What follows is added to the residuals of all tokens. Of these sums only the first
    is right, and only the first is read.
    """
    tokens, *others = inputs
    return (tokens[:, :1], *others)


def _pictures(network: CLIPModel, side: int) -> Tensor:
    """Noise, in which every token has something to say."""
    parameter = next(network.vision_model.parameters())
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(_CHECKED_IMAGES, 3, side, side, generator=generator)
    return noise.to(parameter.device, parameter.dtype)


@torch.inference_mode()
def _rows(network: CLIPModel, pictures: Tensor) -> Tensor:
    """(B, D) float32 rows of length 1."""
    features = pooled(network.get_image_features(pixel_values=pictures))
    return nn.functional.normalize(features.float(), dim=1)


def _is_same(rows: Tensor, whole: Tensor, dtype: torch.dtype) -> bool:
    if rows.shape != whole.shape:
        return False
    return torch.allclose(rows, whole, rtol=0, atol=_ROUNDING[dtype])
