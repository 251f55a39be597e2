"""The networks that several published systems share: ResNet-50, Swin-Tiny and BERT.

Their sizes are read from the weights of a file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers import BertConfig, BertModel, SwinConfig, SwinModel

from ...core.errors import ModelError
from .._files.identify import looks_like
from .transformers_versions import IS_5

# transformers 5 renamed the parts of Swin, and only `from_pretrained` renames them in
# an old file: without these, 156 of 219 tensors stay unset. The first match alone counts.
# Version 4 has the names that the files have.
_SWIN_RENAMES = (
    ("attention.self.query.", "attention.q_proj."),
    ("attention.self.key.", "attention.k_proj."),
    ("attention.self.value.", "attention.v_proj."),
    ("attention.output.dense.", "attention.o_proj."),
    (
        "attention.self.relative_position_bias_table",
        "attention.relative_position_bias.relative_position_bias_table",
    ),
    ("intermediate.dense.", "mlp.fc1."),
    ("output.dense.", "mlp.fc2."),
)
# BERT-base with the vocabulary of Bio_ClinicalBERT, for files that lack a tensor.
_BASE_WORDS = (28996, 768)
_BASE_POSITIONS = (512, 768)
_BASE_INTERMEDIATE = (3072, 768)
_BASE_LAYERS = 12
_HEAD_WIDTH = 64


def renamed_swin(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors with the library's names for the Swin under `prefix`; others as they are."""
    renamed: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        own = _swin_key(key) if key.startswith(prefix) else key
        renamed[own] = tensor
    return renamed


def _swin_key(key: str) -> str:
    if not IS_5:
        return key
    for old, new in _SWIN_RENAMES:
        if old in key:
            return key.replace(old, new)
    return key


def swin_tiny() -> SwinModel:
    """microsoft/swin-tiny-patch4-window7-224, whose settings are the library's defaults."""
    return SwinModel(SwinConfig())


def resnet50(outputs: int | None) -> nn.Module:
    """torchvision's ResNet-50 with a last linear layer of `outputs` without bias.

    With None, it ends at the pooled 2048 features.
    """
    from torchvision.models import resnet50 as torchvision_resnet50

    network: nn.Module = torchvision_resnet50(weights=None)
    if outputs is None:
        network.fc = nn.Identity()
    else:
        network.fc = nn.Linear(2048, outputs, bias=False)
    return network


def bert(tensors: Mapping[str, Tensor], prefix: str) -> BertModel:
    """The BERT whose tensors lie under `prefix`, with their sizes; BERT-base for no tensors."""
    layer = f"{prefix}encoder.layer."
    layers = {
        key.removeprefix(layer).split(".")[0]
        for key in tensors
        if key.startswith(layer)
    }
    embeddings = f"{prefix}embeddings."
    words, width = _shape(tensors, f"{embeddings}word_embeddings.weight", _BASE_WORDS)
    positions, _ = _shape(
        tensors, f"{embeddings}position_embeddings.weight", _BASE_POSITIONS
    )
    intermediate, _ = _shape(
        tensors, f"{layer}0.intermediate.dense.weight", _BASE_INTERMEDIATE
    )
    # Heads of BERT are 64 wide; no weight's shape tells their number.
    config = BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=len(layers) or _BASE_LAYERS,
        num_attention_heads=max(1, width // _HEAD_WIDTH),
        intermediate_size=intermediate,
        max_position_embeddings=positions,
    )
    has_pooler = f"{prefix}pooler.dense.weight" in tensors
    return BertModel(config, add_pooling_layer=has_pooler)


def _shape(
    tensors: Mapping[str, Tensor], key: str, otherwise: tuple[int, int]
) -> tuple[int, int]:
    tensor = tensors.get(key)
    if tensor is None or tensor.ndim != 2:
        return otherwise
    return tensor.shape[0], tensor.shape[1]


def hidden_states(network: BertModel, ids: Tensor) -> tuple[Tensor, ...]:
    """The embeddings and the output of every layer, (B, L, D) each, for ids without padding."""
    output = network(input_ids=ids, output_hidden_states=True)
    states: tuple[Tensor, ...] = output.hidden_states
    return states


def last_state(network: BertModel, ids: Tensor) -> Tensor:
    """(B, L, D) of the last layer, for ids without padding."""
    state: Tensor = network(input_ids=ids).last_hidden_state
    return state


@dataclass(frozen=True)
class TableSizes:
    """The rows of a BERT's two embedding tables."""

    words: int
    positions: int


def table_sizes(tensors: Mapping[str, Tensor], prefix: str) -> TableSizes:
    """The table sizes of the BERT whose tensors lie under `prefix`."""
    embeddings = f"{prefix}embeddings."
    return TableSizes(
        words=tensors[f"{embeddings}word_embeddings.weight"].shape[0],
        positions=tensors[f"{embeddings}position_embeddings.weight"].shape[0],
    )


@dataclass(frozen=True)
class VisionSizes:
    """The sizes of a vision transformer in timm's keys."""

    width: int
    depth: int
    patch: int
    side: int
    """Pixels per side of the input."""

    @property
    def arguments(self) -> dict[str, Any]:
        """As timm takes them. Heads are 64 wide; no weight's shape tells their number."""
        return {
            "img_size": self.side,
            "patch_size": self.patch,
            "embed_dim": self.width,
            "depth": self.depth,
            "num_heads": max(1, self.width // _HEAD_WIDTH),
        }


def vision_sizes(tensors: Mapping[str, Tensor], prefix: str) -> VisionSizes:
    """The sizes of the vision transformer whose tensors lie under `prefix`."""
    kernel = tensors[f"{prefix}patch_embed.proj.weight"]
    patch = kernel.shape[-1]
    blocks = f"{prefix}blocks."
    numbers = {
        key.removeprefix(blocks).split(".")[0]
        for key in tensors
        if key.startswith(blocks)
    }
    # One position is the class token's; the others are a square of patches.
    grid = math.isqrt(tensors[f"{prefix}pos_embed"].shape[-2] - 1)
    return VisionSizes(kernel.shape[0], len(numbers), patch, grid * patch)


def require_signs(
    system: str, tensors: Mapping[str, Tensor], signs: Sequence[str]
) -> None:
    """`ModelError` unless a file has the tensors whose shapes decide a system's sizes."""
    for sign in signs:
        if sign not in tensors or tensors[sign].ndim < 2:
            raise ModelError(
                f"Expected a checkpoint of {system}, got one that looks like"
                f" {looks_like(tensors)} (no {sign}). Use the authors' file, or load"
                " this one under its own name."
            )
