"""CLIP networks in OpenAI's key layout: CXR-RePaiR, CheXzero, PubMedCLIP and CLIP itself.

After https://github.com/rajpurkarlab/CXR-RePaiR,
https://github.com/rajpurkarlab/CheXzero and https://github.com/openai/CLIP. The
activation is QuickGELU: with GELU the keys fit as well, and the embeddings do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import open_clip
from open_clip.tokenizer import SimpleTokenizer, default_bpe
from PIL.Image import Resampling
from torch import Tensor, nn

from ...core.errors import ConfigError, ModelError
from .. import LoadRequest
from .._files.attempt import shown_path
from .._files.checkpoint import sha256_of
from .._files.identify import looks_like
from .._files.weights_file import weights_in
from .pictures import Picture, Prepare, fit_and_pad, resize_and_crop, stretch
from .recipe import Recipe, chosen

_SCALARS = ("input_resolution", "context_length", "vocab_size")
"""Numbers that OpenAI's own archives store beside the weights."""
_SIGNS = (
    "visual.conv1.weight",
    "visual.positional_embedding",
    "text_projection",
    "token_embedding.weight",
)
_CANVAS = 320
# Statistics of grey values of 0..255 of the two data sets.
_MIMIC_MEAN = 101.48761
_MIMIC_STD = 83.43944
_CHEXPERT_MEAN = 129.4185
_CHEXPERT_STD = 73.3378


class _Texts(nn.Module):
    """The text side of an open_clip network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor) -> Tensor:
        rows: Tensor = self.network.encode_text(ids)  # type: ignore[operator]
        return rows


class _BytePairs:
    """OpenAI's tokenizer: cleans, lower-cases, cuts, and pads with 0.

    The last token of a cut text is the end of text.
    """

    def __init__(self, context: int) -> None:
        self.context = context
        self._tokenizer = SimpleTokenizer(context_length=context)
        # The vocabulary is open_clip's own file, so another release may bring another.
        self.digest = sha256_of([Path(default_bpe())]) or ""
        self.vocabulary = int(self._tokenizer.vocab_size)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        rows: list[list[int]] = self._tokenizer(list(texts)).tolist()
        return rows

    def lengths(self, texts: Sequence[str]) -> list[int]:
        # The start and the end of the text are two more.
        return [len(self._tokenizer.encode(text)) + 2 for text in texts]


def _tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    weights = weights_in(content)
    return {key: tensor for key, tensor in weights.items() if key not in _SCALARS}


def _network(tensors: Mapping[str, Tensor]) -> nn.Module:
    """The vision transformer CLIP that has these shapes."""
    # Before any shape is read: these decide the sizes of both towers.
    absent = [key for key in _SIGNS if key not in tensors or tensors[key].ndim < 2]
    if absent:
        raise ModelError(
            "Expected a CLIP vision transformer in OpenAI's key layout, got a file"
            f" that looks like {looks_like(tensors)} (no {absent[0]}). Use the"
            " authors' file, or load this one under its own name."
        )
    rows, width = tensors["token_embedding.weight"].shape
    text = open_clip.model.CLIPTextCfg(
        context_length=tensors["positional_embedding"].shape[0],
        vocab_size=rows,
        width=width,
        heads=max(1, width // 64),
        layers=_layers(tensors, "transformer."),
    )
    outputs = tensors["text_projection"].shape[1]
    network: nn.Module = open_clip.CLIP(
        outputs, _vision(tensors), text, quick_gelu=True
    )
    return network


def image_tower(tensors: Mapping[str, Tensor]) -> nn.Module:
    """The vision transformer of the `visual.` keys, with QuickGELU."""
    outputs = tensors["visual.proj"].shape[1]
    # open_clip builds both towers at once, so the text side is as small as it can be.
    unused = open_clip.model.CLIPTextCfg(
        vocab_size=1, context_length=1, width=64, heads=1, layers=1
    )
    visual: nn.Module = open_clip.CLIP(
        outputs, _vision(tensors), unused, quick_gelu=True
    ).visual
    return visual


def _vision(tensors: Mapping[str, Tensor]) -> Any:
    kernel = tensors["visual.conv1.weight"]
    return open_clip.model.CLIPVisionCfg(
        layers=_layers(tensors, "visual.transformer."),
        width=kernel.shape[0],
        patch_size=kernel.shape[-1],
        image_size=side_of(tensors),
    )


def _layers(tensors: Mapping[str, Tensor], prefix: str) -> int:
    return sum(
        key.startswith(prefix) and key.endswith(".attn.in_proj_weight")
        for key in tensors
    )


def side_of(tensors: Mapping[str, Tensor]) -> int:
    """Pixels per side of the input, from the positions of the `visual.` keys."""
    # One position is the class token's; the others are a square of patches.
    grid = math.isqrt(tensors["visual.positional_embedding"].shape[0] - 1)
    return int(grid * tensors["visual.conv1.weight"].shape[-1])


def _tokens(
    name: str, tensors: Mapping[str, Tensor], request: LoadRequest
) -> _BytePairs:
    if request.tokenizer is not None:
        raise ConfigError(
            f"Expected no tokenizer for {name}, which has OpenAI's own, got"
            f" tokenizer={shown_path(request.tokenizer)!r}. Leave it out, or load the"
            " model with its own tokenizer as local-dir:FOLDER."
        )
    rows = tensors["token_embedding.weight"].shape[0]
    tokens = _BytePairs(tensors["positional_embedding"].shape[0])
    # Ids beyond the table would fail only at the first report that has them.
    if tokens.vocabulary > rows:
        raise ModelError(
            f"Expected an embedding table of {tokens.vocabulary} rows for {name}, as"
            f" OpenAI's tokenizer has, got rows={rows}. The model was trained with"
            " another tokenizer: load it as local-dir:FOLDER."
        )
    return tokens


def _recipe(licence: str, ways: Callable[[int], Mapping[str, Picture]]) -> Recipe:
    def picture(
        name: str, tensors: Mapping[str, Tensor], request: LoadRequest
    ) -> Picture:
        return chosen(name, request, ways(side_of(tensors)))

    return Recipe(
        licence=licence,
        anchor="visual.conv1.weight",
        tensors=_tensors,
        network=_network,
        images=lambda network: network.visual,
        texts=_Texts,
        picture=picture,
        tokens=_tokens,
    )


def _report_ways(side: int) -> dict[str, Picture]:
    """The ways of CXR-RePaiR's and CheXzero's code, by the statistics that they use."""
    plain = fit_and_pad(_CANVAS, side, _MIMIC_MEAN, _MIMIC_STD, antialias=False)
    smooth = fit_and_pad(_CANVAS, side, _MIMIC_MEAN, _MIMIC_STD, antialias=True)
    stretched = stretch(side, Resampling.BICUBIC, grey=True)
    return {
        "mimic": _grey(plain, side, _MIMIC_MEAN, _MIMIC_STD),
        "mimic-antialias": _grey(smooth, side, _MIMIC_MEAN, _MIMIC_STD),
        "chexpert": _grey(stretched, side, _CHEXPERT_MEAN, _CHEXPERT_STD),
    }


def _grey(prepare: Prepare, side: int, mean: float, std: float) -> Picture:
    """A picture whose authors normalise grey values of 0..255."""
    return Picture(prepare, side, (mean / 255,) * 3, (std / 255,) * 3)


def clip_ways(side: int) -> dict[str, Picture]:
    """CLIP's own transform."""
    return {
        "openai": Picture(
            resize_and_crop(side, side, Resampling.BICUBIC),
            side,
            (0.48145466, 0.4578275, 0.40821073),
            (0.26862954, 0.26130258, 0.27577711),
        )
    }


CXR_REPAIR = _recipe("MIT", _report_ways)
"""CXR-RePaiR and CheXzero, whose pixels are the same.

Option `preprocessing`: "mimic" (as their papers ran: the second resize without
antialiasing; default), "mimic-antialias" (as their code runs with today's torchvision)
or "chexpert".
"""
OPENAI_CLIP = _recipe("MIT", clip_ways)
"""CLIP's own preprocessing, for a file in OpenAI's key layout."""
