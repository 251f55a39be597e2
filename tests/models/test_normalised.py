"""An encoder that takes normalised pixels embeds them as its `encode_images` does, and no
`encode_images` of a user's own is ever gone past.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from pytest_retrieval_robust import (
    encoder_from_callables,
    load_model,
    load_occluder,
)
from pytest_retrieval_robust.core.calling import image_rows, normalised_rows
from pytest_retrieval_robust.core.encoding import unit_scale
from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.core.normalisation import Normalisation
from pytest_retrieval_robust.models import DualEncoder, LoadRequest, ModelCard
from pytest_retrieval_robust.models._formats.composed import ComposedEncoder, Parts
from pytest_retrieval_robust.models._formats.medprobclip import MedProbClip
from pytest_retrieval_robust.models._formats.pictures import Picture, resize_and_crop
from pytest_retrieval_robust.models.normalised import (
    EncodesNormalised,
    can_encode_normalised,
)
from pytest_retrieval_robust.occluders.fused import (
    EightBitImages,
    can_hide_normalised,
    hidden_normalised,
)

from .checkpoints import save_clip, save_open_clip

PRECISIONS: Any = ("fp32", "bf16", "fp16")
PICTURES = [
    Image.fromarray(
        np.random.default_rng(seed).integers(0, 255, (60, 50), dtype=np.uint8)
    )
    for seed in range(3)
]


class NoTokens:
    context = 3
    digest = ""

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [[1] for _ in texts]

    def lengths(self, texts: Sequence[str]) -> list[int]:
        return [1 for _ in texts]


def composed(
    precision: Any = "fp32",
    kind: type[ComposedEncoder] = ComposedEncoder,
    mean: tuple[float, ...] = (0.481, 0.458, 0.408),
) -> ComposedEncoder:
    torch.manual_seed(0)
    tower = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.Flatten(), nn.Linear(64, 8))
    prepare = resize_and_crop(32, 32, Image.Resampling.BICUBIC)
    picture = Picture(prepare, 32, mean, tuple(0.27 for _ in mean))
    parts = Parts(picture, tower, NoTokens(), nn.Identity())
    request = LoadRequest(precision=precision)
    return kind("composed", ModelCard("test"), request, parts)


def transformers(precision: Any, folder: Path) -> DualEncoder:
    name = f"local-dir:{save_clip(folder)}"
    return load_model(name, device="cpu", precision=precision)


def open_clip(precision: Any, folder: Path) -> DualEncoder:
    name = f"local-dir:{save_open_clip(folder)}"
    return load_model(name, device="cpu", precision=precision)


def tiny(precision: Any, _: Path) -> DualEncoder:
    return load_model("tiny-cxr-clip", device="cpu", precision=precision)


def one_constant(precision: Any, _: Path) -> DualEncoder:
    return composed(precision, mean=(0.5,))


class OtherRows(ComposedEncoder):
    def _rows(self, features: Tensor) -> Tensor:
        return features.float() * 2


KINDS: dict[str, Callable[[Any, Path], DualEncoder]] = {
    "composed": lambda precision, _: composed(precision),
    "composed, with other rows": lambda precision, _: composed(precision, OtherRows),
    "composed, one constant": one_constant,
    "transformers": transformers,
    "open_clip": open_clip,
    "tiny": tiny,
}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_normalised_pixels_give_the_same_rows(
    kind: str, precision: Any, tmp_path: Path
) -> None:
    model = KINDS[kind](precision, tmp_path)
    assert can_encode_normalised(model)
    prepared = np.stack([model.prepare(picture).pixels for picture in PICTURES])
    pixels = unit_scale(prepared, "cpu")
    normalised = model.normalisation(pixels)
    assert normalised.dtype == getattr(torch, _name_of(precision))
    assert torch.equal(model.encode_normalised(normalised), model.encode_images(pixels))
    assert torch.equal(normalised_rows(model, normalised), image_rows(model, pixels))

    table = model.normalisation.table
    levels = torch.from_numpy(prepared).long()
    looked_up = [table[channel][levels[:, channel]] for channel in range(3)]
    assert torch.equal(torch.stack(looked_up, 1), normalised)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("fill", ["black", "grey", "noise", "mean", "shuffled"])
def test_hidden_images_give_the_rows_of_the_long_way(fill: str, precision: Any) -> None:
    model = load_model("tiny-cxr-clip", device="cpu", precision=precision)
    assert can_encode_normalised(model)
    occluder = load_occluder(f"boxes(fill={fill})")
    assert can_hide_normalised(occluder)
    prepared = [model.prepare(picture) for picture in PICTURES]
    levels = np.stack([image.pixels for image in prepared])
    frames = [image.frame for image in prepared]
    images = EightBitImages(torch.from_numpy(levels), ["a", "b", "c"], frames)
    hidden = hidden_normalised(occluder, images, 0.3, 5, model.normalisation)
    pixels = unit_scale(levels, "cpu")
    long_way = occluder.occlude(pixels, images.ids, 0.3, 5, frames)
    assert torch.equal(normalised_rows(model, hidden), image_rows(model, long_way))


def _name_of(precision: str) -> str:
    return {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}[precision]


def test_every_composed_system_can() -> None:
    # Its weights are too large to be loaded here, and nothing of them is asked for.
    assert can_encode_normalised(MedProbClip.__new__(MedProbClip))


# Wherever a user's own code decides what an image becomes, it is asked.


class Inverting:
    """A wrapper that passes everything else on."""

    def __init__(self, inner: DualEncoder) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def encode_images(self, pixels: Tensor) -> Tensor:
        return self._inner.encode_images(1 - pixels)


class Posing(Inverting):
    """One that says it is of our class."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return ComposedEncoder


class InvertingComposed(ComposedEncoder):
    def encode_images(self, pixels: Tensor) -> Tensor:
        return super().encode_images(1 - pixels)


class NormalisingComposed(ComposedEncoder):
    def normalise(self, pixels: Tensor) -> Tensor:
        return pixels - pixels.mean(dim=(1, 2, 3), keepdim=True)


class MixedIn:
    def encode_images(self, pixels: Tensor) -> Tensor:
        return pixels.flatten(1)


class WithMixin(MixedIn, ComposedEncoder):
    pass


class Intercepting(ComposedEncoder):
    def __getattribute__(self, name: str) -> Any:
        if name == "encode_images":
            return lambda pixels: pixels.flatten(1)
        return super().__getattribute__(name)


class WithConstants(ComposedEncoder):
    @property
    def normalisation(self) -> Normalisation:
        zero = torch.zeros(1, 3, 1, 1)
        return Normalisation(zero, zero + 1, torch.float32)


def patched() -> ComposedEncoder:
    model = composed()
    cast(Any, model).encode_images = lambda pixels: pixels.flatten(1)
    return model


def patched_normalise() -> ComposedEncoder:
    model = composed()
    cast(Any, model).normalise = lambda pixels: pixels
    return model


def of_functions() -> DualEncoder:
    return encoder_from_callables("ours", lambda images: images, lambda texts: texts)


OWN: dict[str, Callable[[], Any]] = {
    "a wrapper": lambda: Inverting(composed()),
    "a wrapper that poses": lambda: Posing(composed()),
    "a subclass": lambda: composed(kind=InvertingComposed),
    "a subclass with another normalise": lambda: composed(kind=NormalisingComposed),
    "a subclass with a mixin": lambda: composed(kind=cast(Any, WithMixin)),
    "a subclass that intercepts": lambda: composed(kind=Intercepting),
    "a subclass with other constants": lambda: composed(kind=WithConstants),
    "a patched instance": patched,
    "an instance with another normalise": patched_normalise,
    "functions": of_functions,
    "no model": lambda: None,
}


@pytest.mark.parametrize("own", OWN)
def test_an_encoder_of_ones_own_is_asked_itself(own: str) -> None:
    assert not can_encode_normalised(OWN[own]())


@pytest.mark.parametrize("method", ["encode_images", "normalise", "encode_normalised"])
def test_a_class_that_was_patched_is_asked_itself(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = composed()
    assert can_encode_normalised(model)
    monkeypatch.setattr(ComposedEncoder, method, lambda _, pixels: pixels.flatten(1))
    assert not can_encode_normalised(model)
    assert not can_encode_normalised(composed(kind=OtherRows))


def test_constants_that_were_changed_are_seen() -> None:
    model = composed()
    pixels = torch.rand(2, 3, 32, 32)
    model._mean = model._mean + 0.25
    normalised = model.normalisation(pixels)
    assert torch.equal(model.encode_normalised(normalised), model.encode_images(pixels))


def test_what_the_network_raises_is_an_error_of_ours() -> None:
    class Broken(ComposedEncoder):
        def _rows(self, features: Tensor) -> Tensor:
            raise ValueError(f"{len(features)} patients")

    model: EncodesNormalised = composed(kind=Broken)
    with pytest.raises(ModelError, match="encode_normalised of composed") as raised:
        normalised_rows(model, torch.zeros(2, 3, 32, 32))
    assert "patients" not in str(raised.value)
