"""Which models prepare images alike, and for which nobody can know it."""

from __future__ import annotations

from functools import wraps
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pytest_retrieval_robust import encoder_from_callables, load_model
from pytest_retrieval_robust.models import DualEncoder, Prepared
from pytest_retrieval_robust.models._formats.callables import CallableEncoder
from pytest_retrieval_robust.models._formats.open_clip.encoder import OpenClipEncoder
from pytest_retrieval_robust.models._formats.open_clip.steps import description_of
from pytest_retrieval_robust.models._formats.pictures import Picture
from pytest_retrieval_robust.models._formats.transformers.encoder import (
    TransformersEncoder,
)
from pytest_retrieval_robust.models.preparing import way_of_preparing

from .checkpoints import save_clip, save_open_clip
from .test_pictures import WAYS, noise

EMBEDDED = (
    "tiny-cxr-clip",
    "tiny-cxr-clip-robust",
    "tiny-cxr-openclip",
    "tiny-general-clip",
)


def rows_of(inputs: Any) -> Any:
    return np.ones((len(inputs), 4), dtype=np.float32)


def of_callables(**options: Any) -> DualEncoder:
    return encoder_from_callables(
        "mine", encode_images=rows_of, encode_reports=rows_of, **options
    )


def test_equal_ways_are_those_of_equal_pixels() -> None:
    """Every two of the embedded models: alike exactly if all pictures come out alike."""
    models = [load_model(name, device="cpu") for name in EMBEDDED]
    pictures = [noise((90, 70)), noise((61, 140), "L"), noise((3, 200), "P")]
    for first, second in combinations(models, 2):
        if way_of_preparing(first) != way_of_preparing(second):
            continue
        for picture in pictures:
            one, other = first.prepare(picture), second.prepare(picture)
            assert np.array_equal(one.pixels, other.pixels)
            assert one.frame == other.frame
    ways = [way_of_preparing(model) for model in models]
    assert None not in ways
    assert ways[0] == ways[1]


def test_a_model_that_is_loaded_again_prepares_alike(tmp_path: Path) -> None:
    clip = save_clip(tmp_path / "clip")
    theirs = save_open_clip(tmp_path / "open_clip")
    for source in (f"local-dir:{clip}", f"local-dir:{theirs}"):
        first, again = (load_model(source, device="cpu") for _ in range(2))
        assert way_of_preparing(first) is not None
        assert way_of_preparing(first) == way_of_preparing(again)


def test_ways_differ_with_every_setting() -> None:
    ways = {way_of_preparing(of_callables(size=side)) for side in (32, 48, 64)}
    assert len(ways | set(WAYS.values())) == 3 + len(WAYS)


def test_all_our_pictures_have_ways() -> None:
    for prepare in WAYS.values():
        assert Picture(prepare, 56, (0.0,) * 3, (1.0,) * 3).way == prepare


def test_a_prepare_of_the_users_own_is_not_known() -> None:
    def prepare(image: Image.Image) -> Prepared:
        return WAYS["stretch"](image)

    assert way_of_preparing(of_callables(size=56, prepare=prepare)) is None
    assert Picture(prepare, 56, (0.0,) * 3, (1.0,) * 3).way is None


class Wrapper:
    """Passes everything on, and prepares by itself."""

    def __init__(self, inner: DualEncoder) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @wraps(TransformersEncoder.prepare)
    def prepare(self, image: Image.Image) -> Prepared:
        return self._inner.prepare(image.transpose(Image.Transpose.ROTATE_90))


class Subclass(CallableEncoder):
    """Inherits `prepare`, and may have changed what it follows from."""


def test_wrappers_subclasses_and_changed_instances_are_not_known() -> None:
    inner = load_model("tiny-cxr-clip", device="cpu")
    assert way_of_preparing(inner) is not None
    assert way_of_preparing(Wrapper(inner)) is None
    own = of_callables(size=56)
    inherited = Subclass("mine", rows_of, rows_of, size=56, prepare=None, card=own.card)
    assert way_of_preparing(inherited) is None
    own.prepare = lambda image: inner.prepare(image)  # type: ignore[method-assign]
    assert way_of_preparing(own) is None


def test_a_wrapper_that_passes_prepare_on_prepares_like_its_model() -> None:
    class Other:
        """Encodes by itself."""

        def __init__(self, inner: DualEncoder) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    inner = load_model("tiny-cxr-clip", device="cpu")
    assert way_of_preparing(Other(inner)) == way_of_preparing(inner)


def test_a_prepare_that_cannot_be_had_is_not_known() -> None:
    class Broken:
        @property
        def prepare(self) -> Any:
            raise RuntimeError("no such attribute today")

    assert way_of_preparing(Broken()) is None


def test_a_class_that_was_patched_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model("tiny-cxr-clip", device="cpu")
    monkeypatch.setattr(
        TransformersEncoder, "prepare", lambda _, image: WAYS["stretch"](image)
    )
    assert way_of_preparing(model) is None


def test_another_step_of_a_transform_is_not_known(tmp_path: Path) -> None:
    folder = save_open_clip(tmp_path)
    model = load_model(f"local-dir:{folder}", device="cpu")
    assert isinstance(model, OpenClipEncoder)
    before = way_of_preparing(model)
    model._geometry_steps[0].size = (9, 9)
    assert way_of_preparing(model) != before
    model._geometry_steps.append(lambda image: image.rotate(10))
    assert way_of_preparing(model) is None


def test_a_description_holds_all_that_a_step_does() -> None:
    from open_clip.transform import CenterCropOrPad, ResizeKeepRatio
    from torchvision.transforms import CenterCrop, InterpolationMode, Resize

    bilinear = InterpolationMode.BILINEAR
    steps = [
        Resize(8),
        Resize((8, 8)),
        Resize(8, InterpolationMode.BICUBIC),
        Resize(8, max_size=9),
        Resize(8, antialias=False),
        CenterCrop(8),
        CenterCrop((8, 9)),
        CenterCropOrPad(8),
        CenterCropOrPad(8, fill=1),
        CenterCropOrPad(8, fill=(1, 2, 3)),
        ResizeKeepRatio(8),
        ResizeKeepRatio(8, longest=1),
        ResizeKeepRatio(8, interpolation=bilinear),
    ]
    descriptions = {description_of(step) for step in steps}
    assert len(descriptions) == len(steps)
    assert None not in descriptions
