"""JPEGs decoded by torchvision: near Pillow's pixels, for plain files of our own readers alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

from pytest_retrieval_robust import (
    dataset_from_lists,
    encoder_from_callables,
    load_dataset,
    load_model,
    load_occluder,
)
from pytest_retrieval_robust.core.cases import CLEAN, Cell
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.datasets._pixels.plain_jpeg import mode_of_plain_jpeg
from pytest_retrieval_robust.datasets.file_content import plain_jpeg_of
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep import device_decode
from pytest_retrieval_robust.measure.sweep.device_decode import decoded_on_device
from pytest_retrieval_robust.measure.sweep.plan import Decoding
from pytest_retrieval_robust.measure.sweep.run import (
    Measured,
    SweepOptions,
    SweepResult,
    run_sweep,
)
from pytest_retrieval_robust.models import DualEncoder, tensor_pictures
from pytest_retrieval_robust.models._formats.geometry import Geometry
from pytest_retrieval_robust.models._formats.pictures import Shaped

BICUBIC = Image.Resampling.BICUBIC
BILINEAR = Image.Resampling.BILINEAR
FILES = ("grey.jpg", "colour.jpg", "wide.jpg", "small.jpg", "upside-down.jpg", "a.png")


def picture(width: int, height: int, mode: str, seed: int) -> Image.Image:
    """Smooth, with some grain, as a radiograph is."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), BICUBIC), dtype=np.int16)
    grain = random.integers(-6, 7, (height, width, 1), dtype=np.int16)
    levels = (smooth + grain).clip(0, 255).astype(np.uint8)
    return Image.fromarray(levels).convert(mode)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=90, **options)
    return file.getvalue()


@pytest.fixture
def dataset(tmp_path: Path) -> RetrievalDataset:
    exif = Image.Exif()
    exif[0x0112] = 3
    files = {
        "grey.jpg": jpeg(picture(300, 400, "L", 1)),
        "colour.jpg": jpeg(picture(333, 251, "RGB", 2)),
        "wide.jpg": jpeg(picture(700, 130, "L", 3), progressive=True),
        "small.jpg": jpeg(picture(40, 50, "RGB", 4), subsampling=0),
        "upside-down.jpg": jpeg(picture(300, 200, "L", 5), exif=exif),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    picture(200, 210, "L", 6).save(tmp_path / "a.png")
    lines = [f"{name},report {number}" for number, name in enumerate(FILES)]
    (tmp_path / "table.csv").write_text("\n".join(["image,report", *lines]))
    return load_dataset("table", path=str(tmp_path / "table.csv"))


@pytest.fixture(scope="module")
def clip() -> DualEncoder:
    return load_model("tiny-cxr-clip", device="cpu")


def of_size(side: int, **options: Any) -> DualEncoder:
    def rows(inputs: Any) -> Any:
        return np.ones((len(inputs), 4), dtype=np.float32)

    return encoder_from_callables(
        "mine", encode_images=rows, encode_reports=rows, size=side, **options
    )


@pytest.mark.parametrize("name", ["tiny-cxr-clip", "tiny-cxr-openclip"])
def test_pixels_are_within_a_level_and_embeddings_alike(
    dataset: RetrievalDataset, name: str
) -> None:
    model = load_model(name, device="cpu")
    ours, theirs = [], []
    for number in range(4):
        image = decoded_on_device(model, dataset, number)
        assert image is not None
        assert image.prepared is not None
        expected = model.prepare(dataset.image(number))
        assert image.prepared.frame == expected.frame
        assert image.prepared.pixels.dtype == np.uint8
        assert image.prepared.pixels.flags.c_contiguous
        difference = image.prepared.pixels.astype(int) - expected.pixels
        assert np.abs(difference).max() <= 1
        assert np.abs(difference).mean() < 0.01
        ours.append(torch.from_numpy(image.prepared.pixels))
        theirs.append(torch.from_numpy(expected.pixels))
    embedded = model.encode_images(torch.stack(ours) / 255)
    expected_rows = model.encode_images(torch.stack(theirs) / 255)
    assert (embedded * expected_rows).sum(dim=1).min() > 1 - 1e-4


@pytest.mark.parametrize("resize", ["shortest", "longest", "exact"])
@pytest.mark.parametrize("filter_", [BICUBIC, BILINEAR])
@pytest.mark.parametrize("side", [32, 75])
def test_every_geometry_is_that_of_pillow(
    resize: Any, filter_: Image.Resampling, side: int
) -> None:
    """Crops, and black pads of an odd pixel, in grey and in colour."""
    way = Shaped(Geometry(resize, 64, side), filter_, grey=False)
    model = of_size(side, prepare=way)
    for mode, size in (("L", (301, 200)), ("RGB", (200, 302))):
        content = jpeg(picture(*size, mode, 1))
        prepared = tensor_pictures.prepared_from_jpeg(model, content, cast(Any, mode))
        assert prepared is not None
        expected = way(Image.open(BytesIO(content)))
        assert prepared.frame == expected.frame
        difference = prepared.pixels.astype(int) - expected.pixels
        assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("filter_", [BICUBIC, BILINEAR])
def test_a_resize_in_floats_as_on_a_card_is_within_a_level(
    filter_: Image.Resampling,
) -> None:
    """A card resizes in float32, where Pillow rounds to 8 bits between rows and columns."""
    way = Shaped(Geometry("shortest", 64, 64), filter_, grey=False)
    image = picture(501, 402, "RGB", 1)
    levels = torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())
    resized = tensor_pictures._prepared(levels.float(), way).pixels
    rounded = resized.round().clip(0, 255)
    difference = np.abs(rounded - way(image).pixels)
    assert difference.max() <= 1
    assert difference.mean() < 0.15


def test_what_is_not_known_is_decoded_on_the_host(
    dataset: RetrievalDataset, clip: DualEncoder
) -> None:
    turned, png = FILES.index("upside-down.jpg"), FILES.index("a.png")
    assert decoded_on_device(clip, dataset, turned) is None
    assert decoded_on_device(clip, dataset, png) is None
    own = of_size(32, prepare=lambda image: clip.prepare(image))
    grey = of_size(32, prepare=Shaped(Geometry("exact", 32, 32), BICUBIC, grey=True))
    lanczos = Shaped(Geometry("exact", 32, 32), Image.Resampling.LANCZOS, grey=False)
    for model in (own, grey, of_size(32, prepare=lanczos)):
        assert decoded_on_device(model, dataset, 0) is None


def test_a_data_set_that_shows_something_else_is_asked_for_its_images(
    dataset: RetrievalDataset, clip: DualEncoder
) -> None:
    class Turned:
        def __getattr__(self, name: str) -> Any:
            return getattr(dataset, name)

        def image(self, index: int) -> Image.Image:
            return dataset.image(index).transpose(Image.Transpose.ROTATE_90)

    assert plain_jpeg_of(dataset, 0) is not None
    assert plain_jpeg_of(cast(RetrievalDataset, Turned()), 0) is None

    class Broken:
        @property
        def image(self) -> Any:
            raise RuntimeError("no such attribute today")

    assert decoded_on_device(clip, cast(RetrievalDataset, Broken()), 0) is None
    in_memory = dataset_from_lists(
        "lists", images=[dataset.image(0)], reports=["a report"]
    )
    assert plain_jpeg_of(in_memory, 0) is None
    assert plain_jpeg_of(load_dataset("synthetic-cxr", pairs=2), 0) is None


GREY = jpeg(picture(80, 60, "L", 1))


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        (GREY, "L"),
        (GREY + b"\0\0", "L"),
        (jpeg(picture(80, 60, "RGB", 1)), "RGB"),
        (jpeg(picture(80, 60, "CMYK", 1)), None),
        (GREY[:-2], None),
        (GREY[: len(GREY) // 2], None),
        (GREY[:30] + b"\xff\xd9", None),
        (b"", None),
        (b"\xff\xd8\xff\xd9", None),
        (b"\x89PNG\r\n\x1a\n" + GREY, None),
    ],
)
def test_a_plain_jpeg_is_known_by_its_header_and_its_end(
    content: bytes, mode: str | None
) -> None:
    assert mode_of_plain_jpeg(content) == mode


def test_a_jpeg_in_rgb_or_of_several_pictures_is_not_plain() -> None:
    colour = picture(80, 60, "RGB", 1)
    assert mode_of_plain_jpeg(jpeg(colour, keep_rgb=True)) is None
    file = BytesIO()
    colour.save(file, "MPO", save_all=True, append_images=[colour])
    assert mode_of_plain_jpeg(file.getvalue()) is None


def test_what_torchvision_cannot_decode_is_decoded_on_the_host(
    dataset: RetrievalDataset, clip: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("unsupported JPEG")

    monkeypatch.setattr(device_decode, "prepared_from_jpeg", refuse)
    assert decoded_on_device(clip, dataset, 0) is None


class OnCard:
    """A model that says that it is on a card."""

    def __init__(self, model: DualEncoder) -> None:
        self._model = model
        self.device = "cuda:0"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


@pytest.mark.parametrize(
    ("text", "is_of_the_file"),
    [
        ("Failed to decode batch: 3", True),
        ("Failed to decode batch: 4", True),
        ("Unknown chroma subsampling", True),
        ("Failed to decode batch: 5", False),
        ("Failed to create device buffer: 5", False),
        ("Failed to synchronize CUDA stream: 700", False),
        ("CUDA error: unspecified launch failure", False),
        ("CUDA out of memory", False),
    ],
)
def test_only_a_file_that_a_card_cannot_decode_is_decoded_on_the_host(
    dataset: RetrievalDataset,
    clip: DualEncoder,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    is_of_the_file: bool,
) -> None:
    """Otherwise what was decoded where would depend on what else runs on the card."""
    asked = []

    def fail(*_: Any) -> None:
        asked.append(text)
        raise RuntimeError(text)

    monkeypatch.setattr(device_decode, "prepared_from_jpeg", fail)
    model: Any = OnCard(clip)
    if is_of_the_file:
        assert decoded_on_device(model, dataset, 0) is None
    else:
        with pytest.raises(RuntimeError, match=text):
            decoded_on_device(model, dataset, 0)
    # Memory may be there once the other threads are done.
    ran_out = text.endswith((": 5", "memory"))
    assert len(asked) == (2 if ran_out else 1)


def test_a_picture_that_fits_in_the_end_is_decoded_on_the_device(
    dataset: RetrievalDataset, clip: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = decoded_on_device(clip, dataset, 0)
    left = [RuntimeError("Failed to decode batch: 5")]

    def once(*arguments: Any) -> Any:
        if left:
            raise left.pop()
        return tensor_pictures.prepared_from_jpeg(*arguments)

    monkeypatch.setattr(device_decode, "prepared_from_jpeg", once)
    decoded = decoded_on_device(clip, dataset, 0)
    assert decoded is not None
    assert expected is not None
    assert decoded.digest == expected.digest


# Sweeps

Sweep = Callable[[Decoding], SweepResult]


@pytest.fixture
def sweep(clip: DualEncoder, dataset: RetrievalDataset, tmp_path: Path) -> Sweep:
    store = EmbeddingStore(tmp_path / "store")
    patches = load_occluder("patches")

    def run(decoding: Decoding) -> SweepResult:
        options = SweepOptions(store=store, decoding=decoding)
        cells = [(Cell("patches", 0.2, 0), patches)]
        return run_sweep(clip, pairs_of(dataset), cells, (1,), options)

    return run


def test_a_sweep_says_how_it_decoded_and_reads_no_other_embeddings(
    sweep: Sweep,
) -> None:
    host = sweep("host")
    device = sweep("device")
    again = sweep("device")
    assert "decoding" not in host.dataset
    assert device.dataset["decoding"] == again.dataset["decoding"] == "device"
    assert host.dataset["pixel_digest"] != device.dataset["pixel_digest"]
    assert again.dataset == device.dataset
    from_store = []
    for result in (host, device, again):
        clean = result.cells[CLEAN]
        assert isinstance(clean, Measured)
        from_store.append(clean.timing.from_store)
    assert from_store == [0, 0, len(FILES)]


def test_a_digest_follows_from_the_file(
    dataset: RetrievalDataset, clip: DualEncoder, tmp_path: Path
) -> None:
    first = decoded_on_device(clip, dataset, 0)
    content = (tmp_path / "grey.jpg").read_bytes()
    assert first is not None
    assert first.digest == hashlib.sha256(device_decode._KIND + content).digest()


def test_a_broken_image_is_reported_as_ever(sweep: Sweep, tmp_path: Path) -> None:
    content = (tmp_path / "grey.jpg").read_bytes()
    (tmp_path / "grey.jpg").write_bytes(content[: len(content) // 2])
    messages = []
    decodings: tuple[Decoding, ...] = ("host", "device")
    for decoding in decodings:
        with pytest.raises(Exception, match="Expected a whole image") as caught:
            sweep(decoding)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
