"""The networks that several published systems share: ResNet-50, Swin-Tiny and BERT,
built from the keys of a file.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from transformers import BertConfig, BertModel, SwinConfig, SwinModel

# transformers 5 renamed the parts of Swin. Loading an old file without these leaves 156
# of 219 tensors unset; only `from_pretrained` would rename them. In this order, the
# first match alone.
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


def renamed_swin(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors with today's names for the Swin under `prefix`; all others as they are."""
    return {
        _swin_key(key) if key.startswith(prefix) else key: tensor
        for key, tensor in tensors.items()
    }


def _swin_key(key: str) -> str:
    for old, new in _SWIN_RENAMES:
        if old in key:
            return key.replace(old, new)
    return key


def swin_tiny() -> SwinModel:
    """microsoft/swin-tiny-patch4-window7-224, whose settings are the library's defaults."""
    return SwinModel(SwinConfig())


def resnet50(outputs: int | None) -> nn.Module:
    """torchvision's ResNet-50 up to the pooled 2048 features, or with a linear layer of
    `outputs` without bias.
    """
    from torchvision.models import resnet50 as torchvision_resnet50

    network: nn.Module = torchvision_resnet50(weights=None)
    network.fc = (
        nn.Identity() if outputs is None else nn.Linear(2048, outputs, bias=False)
    )
    return network


def bert(tensors: Mapping[str, Tensor], prefix: str) -> BertModel:
    """The BERT whose tensors lie under `prefix`, of their shapes; BERT-base with 28,996
    words where there are none.
    """
    words = _shape(tensors, f"{prefix}embeddings.word_embeddings.weight", (28996, 768))
    layers = {
        key.removeprefix(prefix).split(".")[2]
        for key in tensors
        if key.startswith(f"{prefix}encoder.layer.")
    }
    config = BertConfig(
        vocab_size=words[0],
        hidden_size=words[1],
        num_hidden_layers=len(layers) or 12,
        num_attention_heads=max(1, words[1] // 64),
        intermediate_size=_shape(
            tensors, f"{prefix}encoder.layer.0.intermediate.dense.weight", (3072, 768)
        )[0],
        max_position_embeddings=_shape(
            tensors, f"{prefix}embeddings.position_embeddings.weight", (512, 768)
        )[0],
    )
    return BertModel(
        config, add_pooling_layer=f"{prefix}pooler.dense.weight" in tensors
    )


def _shape(
    tensors: Mapping[str, Tensor], key: str, otherwise: tuple[int, int]
) -> tuple[int, int]:
    found = tensors.get(key)
    return (
        otherwise
        if found is None or found.ndim != 2
        else (found.shape[0], found.shape[1])
    )


def hidden_states(network: BertModel, ids: Tensor) -> tuple[Tensor, ...]:
    """The embeddings and the output of every layer, (B, L, D) each, for ids without padding."""
    states: tuple[Tensor, ...] = network(
        input_ids=ids, output_hidden_states=True
    ).hidden_states
    return states


def last_state(network: BertModel, ids: Tensor) -> Tensor:
    """(B, L, D) of the last layer, for ids without padding."""
    state: Tensor = network(input_ids=ids).last_hidden_state
    return state


def table_size(tensors: Mapping[str, Tensor], key: str) -> tuple[int, int]:
    """(rows of the word table, positions) of the BERT whose embeddings lie under `key`."""
    rows, positions = (
        tensors[f"{key}{which}_embeddings.weight"].shape[0]
        for which in ("word", "position")
    )
    return rows, positions
