"""BMC-LongCLIP (Sun et al., ML4H 2025): a ViT-L/14 and BioClinical ModernBERT, 512 tokens.

After the configuration in the authors' fork of open_clip (minwoosun/open_clip_bmc,
893ad73): timm's CLIP tower with a linear projection, the mean of a text's states through
a projection of two layers, which is the fork's default. open_clip itself knows no
ModernBERT. Settings of it that no weight tells are ModernBERT's own.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from open_clip.tokenizer import basic_clean, whitespace_clean
from torch import Tensor, nn
from transformers import ModernBertConfig, ModernBertModel, PreTrainedTokenizerFast

from .. import LoadRequest
from .._files.weights_file import weights_in
from .openai_clip import clip_ways
from .pictures import Picture
from .recipe import Recipe
from .towers import TableSizes, require_signs, vision_sizes
from .wordpiece import WordPieces, load_word_pieces

TOKENIZER = "thomas-sounack/BioClinical-ModernBERT-base"
_CONTEXT = 512
_POSITIONS = 8192
_HEAD_WIDTH = 64
_TRUNK = "visual.trunk."
_LAYERS = "text.transformer.layers."
_WORDS = "text.transformer.embeddings.tok_embeddings.weight"
_INNER = f"{_LAYERS}0.mlp.Wo.weight"
_SIGNS = (
    _WORDS,
    _INNER,
    f"{_TRUNK}patch_embed.proj.weight",
    f"{_TRUNK}pos_embed",
    "visual.head.proj.weight",
    "text.proj.2.weight",
)


class _Images(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        from timm import create_model

        sizes = vision_sizes(tensors, _TRUNK)
        self.trunk = create_model(
            "vit_large_patch14_clip_224", num_classes=0, **sizes.arguments
        )
        outputs = tensors["visual.head.proj.weight"].shape[0]
        self.head = nn.ModuleDict({"proj": nn.Linear(sizes.width, outputs, bias=False)})

    def forward(self, pixels: Tensor) -> Tensor:
        rows: Tensor = self.head["proj"](self.trunk(pixels))
        return rows


class _Texts(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        words, width = tensors[_WORDS].shape
        layers = {
            key.removeprefix(_LAYERS).split(".")[0]
            for key in tensors
            if key.startswith(_LAYERS)
        }
        config = ModernBertConfig(
            vocab_size=words,
            hidden_size=width,
            intermediate_size=tensors[_INNER].shape[1],
            num_hidden_layers=len(layers),
            num_attention_heads=max(1, width // _HEAD_WIDTH),
            # Nothing is padded, and no mark is looked for: a table may lack their rows.
            pad_token_id=None,
            bos_token_id=None,
            eos_token_id=None,
            cls_token_id=None,
            sep_token_id=None,
            # Where they can, some versions compile parts of it, or take attention of
            # half precision alone.
            reference_compile=False,
            attn_implementation="sdpa",
        )
        self.transformer = ModernBertModel(config)
        outputs, middle = tensors["text.proj.2.weight"].shape
        self.proj = nn.Sequential(
            nn.Linear(width, middle, bias=False),
            nn.GELU(),
            nn.Linear(middle, outputs, bias=False),
        )

    def forward(self, ids: Tensor) -> Tensor:
        states: Tensor = self.transformer(input_ids=ids).last_hidden_state
        # Nothing is padded, so that the mean is over the text's own tokens.
        rows: Tensor = self.proj(states.mean(dim=1))
        return rows


class _Network(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        require_signs("BMC-LongCLIP", tensors, _SIGNS)
        self.visual = _Images(tensors)
        self.text = _Texts(tensors)
        self.logit_scale = nn.Parameter(torch.zeros(()))


def _picture(_: str, tensors: Mapping[str, Tensor], __: LoadRequest) -> Picture:
    return clip_ways(vision_sizes(tensors, _TRUNK).side)["openai"]


def _tokens(
    name: str, tensors: Mapping[str, Tensor], request: LoadRequest
) -> WordPieces:
    return load_word_pieces(
        name,
        TOKENIZER,
        request,
        # Positions are rotations, so that no table limits them.
        TableSizes(words=tensors[_WORDS].shape[0], positions=_POSITIONS),
        context=_CONTEXT,
        clean=lambda text: str(whitespace_clean(basic_clean(text))),
        reader=PreTrainedTokenizerFast,
    )


BMC_LONGCLIP = Recipe(
    # Its page was not seen.
    licence=None,
    anchor=_WORDS,
    tensors=weights_in,
    network=_Network,
    images=lambda network: network.visual,
    texts=lambda network: network.text,
    picture=_picture,
    tokens=_tokens,
)
"""Option: `context_length` (512, to 8192)."""
