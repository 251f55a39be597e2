"""The paper's systems against the numbers of their authors' code, on checkpoints in the
published layouts.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
import torch
from PIL import Image

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import (
    ConfigError,
    ModelError,
    NotOnThisMachineError,
)
from pytest_retrieval_robust.models import Prepared

from . import published

NAMES = {
    "medclip_resnet": "medclip",
    "medclip_vit": "medclip",
    "cxrclip_resnet": "cxr-clip",
    "cxrclip_swin": "cxr-clip",
    "cxr_repair": "cxr-repair",
}
EMBEDDING = 1e-5
# Pillow 13 rounds otherwise in resizing. The stored pictures are of it; an older one
# gives single pixels that are one grey level off, of 255 and divided by 0.26.
_IS_OLDER_PILLOW = int(PIL.__version__.split(".")[0]) < 13
PIXEL = 0.0152 if _IS_OLDER_PILLOW else 1e-6


@dataclass(frozen=True)
class System:
    """A checkpoint of a published variant, and a tokenizer folder."""

    variant: str
    file: Path
    tokenizer: Path
    slim_file: Path
    """Its keys and shapes without their values: half a gigabyte takes seconds to read."""

    @cached_property
    def model(self) -> Any:
        """As its name alone loads it."""
        return self.load()

    @cached_property
    def text_rows(self) -> torch.Tensor:
        """(6, D): the rows of all texts."""
        rows: torch.Tensor = self.model.encode_reports(published.TEXTS)
        return rows

    @property
    def slim(self) -> System:
        """The same, for what does not depend on the weights."""
        return replace(self, file=self.slim_file)

    def weights(self) -> dict[str, torch.Tensor]:
        """What the file holds."""
        weights: dict[str, torch.Tensor] = torch.load(self.file, weights_only=True)
        return weights

    def load(self, name: str | None = None, **options: Any) -> Any:
        if "repair" not in self.variant:
            options.setdefault("tokenizer", self.tokenizer)
        return load_model(
            name or NAMES[self.variant],
            checkpoint=self.file,
            device="cpu",
            download=False,
            **options,
        )


@pytest.fixture(scope="module", params=published.VARIANTS)
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    folder = tmp_path_factory.mktemp(request.param)
    file = published.save(request.param, folder)
    slim_state = published.slim_state_dict(request.param)
    slim_file = published.save(request.param, folder / "slim", slim_state)
    tokenizer = published.save_tokenizer(folder / "tokenizer")
    yield System(request.param, file, tokenizer, slim_file)
    file.unlink()  # half a gigabyte


def only(*variants: str) -> pytest.MarkDecorator:
    """Run a test on these variants alone."""
    return pytest.mark.parametrize("system", variants, indirect=True)


def normalised(model: Any, indices: range) -> torch.Tensor:
    pixels: torch.Tensor = model.normalise(
        on_unit_scale([model.prepare(published.picture(n)) for n in indices])
    )
    return pixels


def on_unit_scale(prepared: list[Prepared]) -> torch.Tensor:
    pixels = torch.from_numpy(np.stack([image.pixels for image in prepared]))
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels


def assert_pixels(pixels: torch.Tensor, variant: str, array: str) -> None:
    """Against the stored grid of the pixels, and mean and spread of all of them."""
    golden = published.goldens(variant)
    grid = golden[f"{array}_grid"]
    assert (
        np.abs(pixels[:, : grid.shape[1], 7::16, 7::16].numpy() - grid).max() <= PIXEL
    )
    flat = pixels.double().numpy()
    assert np.abs(flat.mean(axis=(1, 2, 3)) - golden[f"{array}_mean"]).max() <= PIXEL
    assert np.abs(flat.std(axis=(1, 2, 3)) - golden[f"{array}_std"]).max() <= PIXEL


# variant, option `preprocessing` (None: the default), arrays of pixels and of image embeddings
WAYS = {
    "medclip_resnet": (
        (None, "pixels_processor", "image_embeds_processor"),
        ("dataset", "pixels_dataset", "image_embeds_dataset"),
    ),
    "medclip_vit": (
        (None, "pixels_processor", "image_embeds_processor"),
        ("dataset", "pixels_dataset", "image_embeds_dataset"),
    ),
    "cxrclip_resnet": ((None, "pixels", "image_embeds"),),
    "cxrclip_swin": ((None, "pixels", "image_embeds"),),
    "cxr_repair": (
        (None, "pixels_era", "image_embeds_era"),
        ("mimic-antialias", "pixels_modern_antialias", "image_embeds_modern_antialias"),
        ("chexpert", "pixels_chexpert_gray", None),
    ),
}
TEXT_ARRAYS = {
    "medclip": "text_embeds_trunc77_single",
    "cxrclip": "text_embeds_single",
    "cxr": "text_embeds",
}


def test_images_and_texts_are_embedded_as_the_authors_code_does(system: System) -> None:
    golden = published.goldens(system.variant)
    for way, pixels, embeddings in WAYS[system.variant]:
        # Another way prepares otherwise, and has the same towers.
        model = system.model if way is None else system.slim.load(preprocessing=way)
        normalised_pixels = normalised(model, range(len(golden[f"{pixels}_sha256"])))
        assert_pixels(normalised_pixels, system.variant, pixels)
        if embeddings is not None:
            prepared = on_unit_scale(
                [model.prepare(published.picture(n)) for n in range(4)]
            )
            rows = system.model.encode_normalised(model.normalise(prepared)).numpy()
            assert np.abs(rows - golden[embeddings]).max() <= EMBEDDING
    texts = system.text_rows[:4].numpy()
    assert (
        np.abs(texts - golden[TEXT_ARRAYS[system.variant.partition("_")[0]]]).max()
        <= EMBEDDING
    )


def test_the_card_tells_what_was_loaded(system: System) -> None:
    model = system.model
    card = model.card
    assert (card.missing_keys, card.unexpected_keys) == ((), ())
    assert all(
        key.endswith(("position_ids", "relative_position_index"))
        for key in card.dropped_keys
    )
    assert card.source == f"checkpoint:{system.file.name}"
    assert (card.input_size, card.context_length) == (
        224,
        256 if "cxrclip" in system.variant else 77,
    )
    assert card.licence
    assert len(card.sha256) == 64
    assert model.truncated(published.TEXTS) == 1  # the long one


def test_a_text_is_embedded_alike_alone_and_in_company(system: System) -> None:
    short, long, blank = 0, 3, 4
    for number in (short, long, blank):
        alone = system.model.encode_reports([published.TEXTS[number]])[0]
        assert (alone - system.text_rows[number]).abs().max() < 1e-6
    assert (system.text_rows.norm(dim=1) - 1).abs().max() < 1e-6


def test_a_frame_says_where_the_picture_lies(system: System) -> None:
    """A white picture on the authors' black: the frame's inside is white, its outside is not."""
    model = system.model
    for size in ((224, 224), (251, 301), (333, 240), (100, 60), (225, 410)):
        prepared = model.prepare(Image.new("L", size, 255))
        white = np.asarray(prepared.pixels[0], dtype=np.float64)
        white = (white / white.max()) > 0.5
        left, top, right, bottom = (round(edge * 224) for edge in prepared.frame)
        inside = np.zeros((224, 224), dtype=bool)
        inside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
        assert (white != inside).mean() < 0.015  # an edge that falls inside a pixel


@only("cxr_repair")
def test_half_precision_files_load_as_single(system: System, tmp_path: Path) -> None:
    slim = published.slim_state_dict("cxr_repair")
    # Texts are encoded alone.
    halves = {
        key: slim[key].half() if key.startswith("visual.") else tensor.half()
        for key, tensor in system.weights().items()
    }
    torch.save(halves, tmp_path / "half.pt")
    model = load_model("cxr-repair", checkpoint=tmp_path / "half.pt", device="cpu")
    rows = model.encode_reports(published.TEXTS[:2])
    assert rows.dtype == torch.float32
    assert (
        np.abs(rows.numpy() - published.goldens("cxr_repair")["text_embeds"][:2]).max()
        < 5e-3
    )


def test_another_models_checkpoint_is_named(system: System) -> None:
    """Each variant's file, under each of the other systems' names."""
    looks = {"medclip": "MedCLIP", "cxrclip": "CXR-CLIP", "cxr": "OpenAI's key layout"}[
        system.variant.partition("_")[0]
    ]
    for name in {"medclip", "cxr-clip", "cxr-repair"} - {NAMES[system.variant]}:
        options: Any = {} if name == "cxr-repair" else {"tokenizer": system.tokenizer}
        with pytest.raises(ModelError, match=looks):
            load_model(name, checkpoint=system.slim_file, device="cpu", **options)


@only("medclip_vit", "cxr_repair")
def test_damaged_and_incomplete_files(system: System, tmp_path: Path) -> None:
    damaged = replace(system, file=tmp_path / "damaged.bin")
    whole = system.slim_file.read_bytes()
    damaged.file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"truncated download"):
        damaged.load()
    weights = published.slim_state_dict(system.variant)
    gone = next(
        key
        for key in weights
        if key.endswith("mlp.c_fc.weight") or key.endswith("intermediate.dense.weight")
    )
    strange = {**weights, "extra.weight": torch.zeros(3)}
    torch.save(
        {key: tensor for key, tensor in weights.items() if key != gone}, damaged.file
    )
    with pytest.raises(ModelError, match=r"missing_keys=1: "):
        damaged.load()
    torch.save(strange, damaged.file)
    assert damaged.load().card.unexpected_keys == ("extra.weight",)


@only("medclip_resnet")
def test_medclips_archive_is_read_without_leaving_it(
    system: System, tmp_path: Path
) -> None:
    archive = tmp_path / "medclip-pretrained.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(system.slim_file, "../../outside/pytorch_model.bin")
        packed.writestr("config.json", "{}")
    before = sorted(tmp_path.parent.iterdir())
    unpacked = replace(system, file=archive).load()
    assert (unpacked.card.missing_keys, unpacked.card.unexpected_keys) == ((), ())
    text = published.TEXTS[:1]
    rows = unpacked.encode_reports(text)
    assert torch.equal(rows, system.slim.load().encode_reports(text))
    assert not torch.allclose(rows, system.text_rows[:1], atol=1e-2)
    assert sorted(tmp_path.parent.iterdir()) == before


@only("cxr_repair")
def test_the_same_weights_as_plain_clip(system: System) -> None:
    model = system.load("clip")
    golden = published.goldens("cxr_repair")
    assert_pixels(normalised(model, range(4)), "cxr_repair", "pixels_openai_clip")
    pixels = on_unit_scale([model.prepare(published.picture(n)) for n in range(4)])
    assert (
        np.abs(
            model.encode_images(pixels).numpy() - golden["image_embeds_openai_clip"]
        ).max()
        <= EMBEDDING
    )


@only("cxrclip_swin")
def test_swins_token_0_is_not_the_mean(system: System) -> None:
    model = system.model
    pixels = on_unit_scale([model.prepare(published.picture(n)) for n in range(4)])
    wrong = published.goldens("cxrclip_swin")["WRONG_image_embeds_meanpool"]
    assert np.abs(model.encode_images(pixels).numpy() - wrong).max() > 0.01


@only("cxr_repair")
def test_options_that_a_model_does_not_have(system: System) -> None:
    with pytest.raises(ConfigError, match="preprocesing"):
        system.slim.load(preprocesing="dataset")
    with pytest.raises(ConfigError, match=r"tokenizer"):
        system.slim.load(tokenizer=system.tokenizer)


@only("cxrclip_swin")
def test_values_that_an_option_cannot_have(system: System) -> None:
    with pytest.raises(ConfigError, match=r"context_length=600"):
        system.slim.load(context_length=600)
    assert system.slim.load(context_length=16).truncated(published.TEXTS) > 1
    with pytest.raises(
        NotOnThisMachineError,
        match=r"tokenizer of .* \(nowhere\) .* `hf download nowhere`",
    ):
        system.slim.load(tokenizer="nowhere")
    with pytest.raises(NotOnThisMachineError, match=r"no such folder"):
        system.slim.load(tokenizer=system.file.parent / "nowhere")
    with pytest.raises(
        NotOnThisMachineError, match=r"no vocab.txt and no tokenizer.json"
    ):
        system.slim.load(tokenizer=system.file.parent)


@only("medclip_vit", "cxr_repair")
def test_a_way_of_preprocessing_that_does_not_exist(system: System) -> None:
    with pytest.raises(ConfigError, match="datset"):
        system.slim.load(preprocessing="datset")


@only("medclip_vit")
def test_a_tokenizer_that_does_not_fit(system: System, tmp_path: Path) -> None:
    words = [*published.vocabulary(), *(f"word{n}" for n in range(30_000))]
    (published.save_tokenizer(tmp_path) / "vocab.txt").write_text("\n".join(words))
    with pytest.raises(ModelError, match=r"28996 rows.*vocabulary=30354"):
        system.slim.load(tokenizer=tmp_path)
